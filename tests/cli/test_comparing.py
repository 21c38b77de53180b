"""compare: prompts sent, answers judged blind, results summed up and written out."""

from __future__ import annotations

import csv
import html
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import Command

VARIANTS = ("--exec", "plain=echo quiet", "--exec", "loud=echo LOUD")


@pytest.fixture
def prompts(here: Path) -> str:
    lines = ["Where to in May?", "", json.dumps({"prompt": "And in June?", "key": "june", "system": "Be brief."})]
    (here / "prompts.txt").write_text("\n".join(lines), "utf-8")
    assert here == Path.cwd()
    return "prompts.txt"


@pytest.fixture
def asked(run: Command, prompts: str) -> Command:
    run.text("compare", "new", "plain", "loud", "--id", "g", "--title", "<b>$x$</b>")
    assert {"answered": 4, "kept": 0, "failures": []} == run.json("compare", "run", "g", prompts, *VARIANTS)
    return run


def test_every_conversation_is_recorded_and_none_is_asked_twice(asked: Command, prompts: str) -> None:
    sessions = asked.json("list")["items"]
    assert (4, {2}) == (len(sessions), {session["message_count"] for session in sessions})
    assert {"Be brief.", None} == {session["system_prompt"] for session in sessions}
    assert {"answered": 0, "kept": 4, "failures": []} == asked.json("compare", "run", "g", prompts, *VARIANTS)


def test_what_failed_is_named_and_asked_again_in_the_same_session(run: Command, prompts: str) -> None:
    run.text("compare", "new", "plain", "loud", "--id", "g")
    failed = run("compare", "run", "g", prompts, "--exec", "plain=echo quiet", "--exec", "loud=false", "--json")
    assert 1 == failed.exit_code
    found = json.loads(failed.stdout)
    assert (2, [("0001", "loud"), ("june", "loud")]) == (
        found["answered"], [(failure["prompt"], failure["variant"]) for failure in found["failures"]],
    )  # fmt: skip
    assert "chatledger: prompt '0001', loud: 'false' exited with 1" in failed.stderr
    assert {"answered": 2, "kept": 2, "failures": []} == run.json("compare", "run", "g", prompts, *VARIANTS)
    assert 4 == len(run.json("list")["items"])


def test_votes_are_blind_counted_for_the_right_side_and_go_on_where_they_stopped(asked: Command) -> None:
    first = asked.text("compare", "vote", "g", "--actor", "ada", given="?\na\nq\n")
    assert "loud" not in first.replace("LOUD", "")
    assert first.endswith("1 vote by ada")
    shown = re.findall(r"── [AB] ──\n(\w+)", first)[:2]
    results = [json.loads(line) for line in asked.text("compare", "export", "g").splitlines()]
    (vote,) = [result for result in results if result["judge"] == "ada"]
    winner = "loud" if shown[0] == "LOUD" else "plain"
    assert (1.0 if winner == "loud" else 0.0, winner) == (vote["preference"], vote["first"])
    assert {"judge": "ada", "votes": 1} == asked.json("compare", "vote", "g", "--actor", "ada", given="t\n")
    assert {"judge": "ada", "votes": 0} == asked.json("compare", "vote", "g", "--actor", "ada", given="a\na\n")
    assert {"judge": "bob", "votes": 0} == asked.json("compare", "vote", "g", "--actor", "bob", given="s\n")


def test_the_page_runs_nothing_and_shows_texts_as_they_are(asked: Command, here: Path) -> None:
    asked.text("compare", "vote", "g", "--actor", "ada", given="a\nb\n")
    found = asked.json("compare", "summary", "g", "--html", "page.html")
    assert 2 == found["pairs"][0]["n_total"]
    page = (here / "page.html").read_text("utf-8")
    assert 0o600 == (here / "page.html").stat().st_mode & 0o777
    refused = asked("compare", "summary", "g", "--html", "page.html")
    assert (1, True) == (refused.exit_code, "add --overwrite" in refused.stderr)
    asked.text("compare", "summary", "g", "--html", "page.html", "--overwrite")
    for form in ([], ["--csv"]):
        asked.text("compare", "export", "g", "--output", "results", "--overwrite", *form)
        assert 0o600 == (here / "results").stat().st_mode & 0o777
        assert 1 == asked("compare", "export", "g", "--output", "results", *form).exit_code
    assert '<h1 dir="auto">&lt;b&gt;$x$&lt;/b&gt;</h1>' in page
    assert "default-src 'none'" in html.unescape(page)
    assert [] == re.findall(r"<script|style=|<style(?! ?>:root|>\n:root)|https?://(?!www\.w3\.org)|<b>\$", page)
    assert 1 == page.count("<style>")
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert set() == {hue for hue in re.findall(r'(?:fill|stroke)="([^"]*)"', svg) if hue != "none"} - set(
            re.findall(r"var\(--\w+\)", svg)  # colours of the page, so that the dark has its own
        )


def test_the_results_are_written_as_csv_without_formulas(run: Command, here: Path) -> None:
    run.text("compare", "new", "plain", "loud", "--id", "g")
    (here / "p.txt").write_text(json.dumps({"prompt": "x", "key": "=1+1"}), "utf-8")
    run.text("compare", "run", "g", "p.txt", *VARIANTS)
    run.text("compare", "export", "g", "--csv", "-o", "out.csv")
    with (here / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [("'=1+1", "loud", "run"), ("'=1+1", "plain", "run")] == [
        (row["prompt_key"], row["variant_a"], row["judge"]) for row in rows
    ]


def test_repeated_runs_are_recorded_and_voted_on_by_trial(run: Command, prompts: str) -> None:
    run.text("compare", "new", "plain", "loud", "--id", "g")
    assert 4 == run.json("compare", "run", "g", prompts, *VARIANTS)["answered"]
    again = run.json("compare", "run", "g", prompts, *VARIANTS, "--trials", "2")
    assert {"answered": 4, "kept": 4, "failures": []} == again
    assert {"judge": "ada", "votes": 4} == run.json(
        "compare", "vote", "g", "--actor", "ada", given="aaaa".replace("a", "a\n")
    )
    results = [json.loads(line) for line in run.text("compare", "export", "g").splitlines()]
    assert {("ada", 1): 2, ("ada", 2): 2, ("run", 1): 4, ("run", 2): 4} == Counter(
        (result["judge"], result["trial"]) for result in results
    )
    assert 4 == len(run.json("list", "--metadata", "comparison=g", "--metadata", "trial=2")["items"])
    assert [] == run.json("list", "-m", "comparison=h")["items"]


def test_results_are_read_back_and_summed_up(run: Command, here: Path) -> None:
    run.text("compare", "new", "plain", "loud", "--id", "g")
    rows = [
        {"prompt_key": f"=p{number}", "variant_a": "plain", "variant_b": "loud", "judge": "gpt", "judge_kind": "model",
         "trial": trial, "preference": 1, "judge_cost": "0.002", "judge_duration_ms": 500,
         "scores_a": {"pass": 1}, "scores_b": {"pass": number % 2}}
        for number in range(4) for trial in (1, 2)
    ]  # fmt: skip
    (here / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    taken = "8 results: 8 would be stored, 0 would be replaced, 0 unchanged, 0 problems"
    assert taken == run.text("compare", "import", "g", "rows.jsonl", "--dry-run")
    assert 8 == run.json("compare", "import", "g", "rows.jsonl")["stored"]
    for form in ([], ["--csv"]):
        run.text("compare", "export", "g", "--output", "out", "--overwrite", *form)
        found = run.json("compare", "import", "g", "out")
        assert (8, 0, 8, []) == (found["rows"], found["stored"], found["unchanged"], found["problems"])
    (here / "rows.jsonl").write_text(json.dumps({**rows[0], "preference": 0}) + "\n{", "utf-8")
    refused = run("compare", "import", "g", "rows.jsonl")
    assert 1 == refused.exit_code
    assert "chatledger: line 1: judge: the judge already has another result" in refused.stderr
    assert "chatledger: line 2: result: is not JSON" in refused.stderr
    assert 1 == run("compare", "import", "g", "rows.jsonl", "--replace", "--json").exit_code
    rates = run.json("compare", "pass-rates", "g", "pass")
    assert [("plain", 1, 1.0), ("plain", 2, 1.0), ("loud", 1, 0.5), ("loud", 2, 0.5)] == [
        (rate["variant"], rate["k"], rate["pass_hat_k"]) for rate in rates
    ]
    assert "loud     2        4       8   50.0%   15.0% to 85.0%   50.0%" in run.text(
        "compare", "pass-rates", "g", "pass", "-k", "2"
    )
    shown = run.text("compare", "summary", "g")
    assert "the judgments of gpt took $0.016, 4 seconds" in shown
    assert "gpt agrees with itself in 75.0% of 4 repeated judgments" in shown
    assert "pass: 0.5 times as much" in shown


def test_what_is_no_comparison_is_one_line(run: Command, prompts: str) -> None:
    run.text("compare", "new", "plain", "loud", "--id", "g")
    assert "chatledger: comparison 'g' exists already" == run.error("compare", "new", "a", "--id", "g")
    assert "chatledger: no comparison 'h'" == run.error("compare", "summary", "h")
    assert "chatledger: no comparison 'h'" == run.error("compare", "run", "h", prompts, *VARIANTS)
    assert "two or more" in run.misuse("compare", "run", "g", prompts, "--exec", "plain=echo x")
    assert "add --yes" in run.error("compare", "delete", "g")
    for content, told in ((b"\n", "contains no prompt"), (b"{", "line 1 is not JSON"), (b"\xff", "is not UTF-8")):
        Path("bad.txt").write_bytes(content)
        assert told in run.error("compare", "run", "g", "bad.txt", *VARIANTS)
    assert "deleted g" == run.text("compare", "delete", "g", "--yes")
