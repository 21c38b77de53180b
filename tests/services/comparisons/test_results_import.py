"""Files of results: each row is checked by itself, and nothing is stored twice."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatledger import ComparisonNotFound, InvalidInput, Ledger
from chatledger.exchange import read_results
from tests.support.once import ONE_FLAVOR

ROW: dict[str, Any] = {"prompt_key": "p1", "variant_a": "base", "variant_b": "new", "judge": "ada", "preference": 1}


@pytest.fixture
def compared(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        uow.comparisons.create("g", variants=["base", "new"])
        uow.comparisons.record("g", **ROW)
    return any_ledger


def counts(report: Any) -> tuple[int, ...]:
    return report.rows, report.stored, report.replaced, report.unchanged, len(report.problems)


def test_valid_rows_are_stored_and_the_others_named(compared: Ledger) -> None:
    rows = [
        ROW,
        {**ROW, "variant_a": "new", "variant_b": "base", "preference": 0},  # the same, in the other order
        {**ROW, "preference": 0, "place": "line 4"},
        {**ROW, "prompt_key": "p2", "judge_cost": "0.01"},
        {**ROW, "prompt_key": "p3", "preference": 2, "place": "line 6"},
        {**ROW, "prompt_key": "p3", "variant_b": "third"},
        {"place": "line 8", "problem": "is not JSON"},
        {**ROW, "prompt_key": "p2", "judge_cost": "0.02"},
        {**ROW, "trial": 2, "preference": 0},
    ]
    with compared.begin() as uow:
        rehearsed = uow.comparisons.import_results("g", rows, dry_run=True)
        assert 1 == len(list(uow.comparisons.results("g")))
        done = uow.comparisons.import_results("g", rows)
        assert rehearsed == done.model_copy(update={"dry_run": True})
        assert (9, 2, 0, 2, 5) == counts(done)
        assert not done
        assert [
            ("line 6", "preference", "must be at most 1.0"),
            ("item 6", "variant_b", "is not a variant of this comparison: add it first"),
            ("line 8", "result", "is not JSON"),
        ] == [(problem.place, problem.field, problem.reason) for problem in done.problems[:3]]
        assert ["line 4", "item 8"] == [problem.place for problem in done.problems[3:]]
        assert [("p1", 1, 1.0), ("p1", 2, 0.0), ("p2", 1, 1.0)] == [
            (result.prompt_key, result.trial, result.preference) for result in uow.comparisons.results("g")
        ]
        again = uow.comparisons.import_results("g", [rows[0], rows[3], rows[8]])
        assert (3, 0, 0, 3, 0) == counts(again)
        assert again
        replaced = uow.comparisons.import_results("g", [rows[2]], replace=True)
        assert (1, 0, 1, 0, 0) == counts(replaced)
        assert 0.0 == next(iter(uow.comparisons.results("g"))).preference
        with pytest.raises(ComparisonNotFound):
            uow.comparisons.import_results("h", [])


@ONE_FLAVOR
@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_every_form_of_file_is_read(compared: Ledger, tmp_path: Path, form: str) -> None:
    full: dict[str, Any] = {
        **ROW, "prompt_key": "=1+1", "judge": "'a", "judge_kind": "model", "trial": 3, "preference": 0.25, "first": "new",
        "scores_a": {"k": 0.5}, "scores_b": {"k": 1}, "cost_a": "0.000000001", "duration_b_ms": 7,
        "judge_cost": "0.5", "judge_duration_ms": 9, "prompt": "a\nb, \"c\" 数\u2028", "notes": None,
    }  # fmt: skip
    file = tmp_path / "results"
    if form == "csv":
        names = ["group_id", *full]
        cells = [
            "" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)
            for value in ("other", *full.values())
        ]
        cells[names.index("prompt_key")], cells[names.index("judge")] = "'=1+1", "''a"
        quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
        text = ",".join(names) + "\n" + ",".join(quoted) + "\n"
    else:
        text = json.dumps([full]) if form == "json" else json.dumps({**full, "created_at": "2026-05-01"}) + "\n\n"
    file.write_text("\ufeff" + text, "utf-8")
    with compared.begin() as uow:
        assert (1, 1, 0, 0, 0) == counts(uow.comparisons.import_results("g", read_results(file)))
        (stored,) = uow.comparisons.results("g", judge="'a")
    assert {**full, "cost_a": Decimal("0.000000001"), "judge_cost": Decimal("0.5")} == {
        name: value for name, value in stored if name in full
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prompt_key,variant_a\np,base\n", "must be JSON, or CSV whose first line names prompt_key, variant_a, judge"),
        ("prompt_key,variant_a,judge,speed\n", "has 1 unknown columns"),
        ("[1", "is not a valid JSON list"),
        ('prompt_key,variant_a,judge\n"p', "cannot be read as CSV at line"),
        ("\xff", "is not UTF-8"),
    ],
)
def test_what_is_not_a_file_of_results_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "results").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidInput, match=problem):
        read_results(tmp_path / "results")
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_results(tmp_path / "nowhere")


def test_rows_that_cannot_be_read_are_kept_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"judge": "j"}\n{\n[1]\n', "utf-8")
    assert [
        {"place": "line 1", "judge": "j"},
        {"place": "line 2", "problem": "is not JSON"},
        {"place": "line 3", "problem": "is not an object"},
    ] == read_results(tmp_path / "a")
    header = "prompt_key,variant_a,judge,trial,scores_a,preference\n"
    (tmp_path / "b").write_text(header + "p,a,j\np,a,j,x,,\np,a,j,1,{,\np,a,j,1,,good\n", "utf-8")
    assert [
        "has more or fewer cells than the header", "trial is not a number", "scores_a is not JSON",
        "preference is not a number",
    ] == [row["problem"] for row in read_results(tmp_path / "b")]  # fmt: skip
