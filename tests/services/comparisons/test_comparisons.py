"""Comparisons: groups, sessions, results, and who may see and change them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chatledger import (
    ComparisonExists,
    ComparisonNotFound,
    InvalidInput,
    Ledger,
    ResultExists,
    SessionNotFound,
)
from tests.support.contents import places_of
from tests.support.raw import Raw

TWO = ("base", "new")


@pytest.fixture
def compared(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        uow.comparisons.create("g", variants=TWO, user_id="ada", title="Which")
        for name in TWO:
            uow.sessions.create(f"s-{name}", user_id="ada")
            uow.comparisons.add("g", name, f"s-{name}", prompt_key="p1")
        uow.comparisons.record("g", "p1", "base", "new", judge="ada", preference=1)
    return any_ledger


def test_a_group_comes_back_as_it_was_made(compared: Ledger) -> None:
    with compared.read() as uow:
        group = uow.comparisons.get("g")
        assert ("g", "ada", "model", "Which", TWO) == (
            group.group_id, group.user_id, group.kind, group.title, group.variants,
        )  # fmt: skip
        assert [("s-base", "base", "p1"), ("s-new", "new", "p1")] == [
            (found.session_id, found.variant, found.prompt_key) for found in uow.comparisons.sessions("g")
        ]


def test_the_list_goes_on_where_it_stopped(compared: Ledger) -> None:
    with compared.begin() as uow:
        for name in ("h", "i"):
            uow.comparisons.create(name, kind="prompt")
        page = uow.comparisons.list(limit=2)
        rest = uow.comparisons.list(limit=2, cursor=page.next_cursor)
        assert (["i", "h"], ["g"], None) == (
            [group.group_id for group in page], [group.group_id for group in rest], rest.next_cursor,
        )  # fmt: skip
        assert ["g"] == [group.group_id for group in uow.comparisons.list(kind="model")]


def test_everything_of_a_result_comes_back(compared: Ledger) -> None:
    given: dict[str, Any] = {
        "prompt_key": "p2", "variant_a": "base", "variant_b": "new", "judge": "gpt-5", "judge_kind": "model",
        "preference": 0.1 + 0.2, "first": "new", "scores_a": {"kind": 1.0}, "scores_b": {"kind": 0.1 + 0.2},
        "cost_a": "0.000000001", "cost_b": 2, "duration_a_ms": 5, "duration_b_ms": 6, "prompt": "数?", "notes": "n",
        "trial": 3, "judge_cost": "0.000000007", "judge_duration_ms": 8,
    }  # fmt: skip
    with compared.begin() as uow:
        recorded = uow.comparisons.record("g", **given)
    with compared.read() as uow:
        assert [recorded] == list(uow.comparisons.results("g", prompt_key="p2"))
        assert 0.1 + 0.2 == recorded.preference
        assert {"kind": 0.1 + 0.2} == recorded.scores_b
        assert (3, Decimal("0.000000007"), 8) == (recorded.trial, recorded.judge_cost, recorded.judge_duration_ms)


def test_the_order_in_which_a_pair_is_named_changes_nothing(compared: Ledger) -> None:
    with compared.begin() as uow:
        turned = uow.comparisons.record(
            "g", "p2", "new", "base", judge="ada", preference=0.25, cost_a=1, duration_b_ms=3, scores_a={"k": 1}
        )
        assert ("base", "new", 0.75, None, Decimal(1), 3, {"k": 1.0}) == (
            turned.variant_a, turned.variant_b, turned.preference, turned.cost_a, turned.cost_b, turned.duration_a_ms,
            turned.scores_b,
        )  # fmt: skip
        with pytest.raises(ResultExists):
            uow.comparisons.record("g", "p2", "base", "new", judge="ada", preference=1)


def test_a_second_verdict_is_refused_by_name_or_replaces_the_first(compared: Ledger) -> None:
    with compared.begin() as uow:
        with pytest.raises(ResultExists, match="judge 'ada' already has a result for prompt 'p1' of comparison 'g'"):
            uow.comparisons.record("g", "p1", "base", "new", judge="ada", preference=0)
        uow.comparisons.record("g", "p1", "base", "new", judge="ada", preference=0, replace=True)
        assert [0.0] == [result.preference for result in uow.comparisons.results("g")]


def test_a_judge_has_one_result_for_each_trial(compared: Ledger) -> None:
    with compared.begin() as uow:
        for trial in (2, 3):
            uow.comparisons.record("g", "p1", "base", "new", judge="ada", preference=0, trial=trial)
        with pytest.raises(ResultExists, match="in trial 3") as caught:
            uow.comparisons.record("g", "p1", "new", "base", judge="ada", trial=3)
        assert 3 == caught.value.trial
        assert (1, 2, 3) == tuple(result.trial for result in uow.comparisons.results("g"))
        uow.comparisons.record("g", "p1", "base", "new", judge="ada", preference=0.5, trial=3, replace=True)
        assert [1.0, 0.0, 0.5] == [result.preference for result in uow.comparisons.results("g")]
        uow.comparisons.add("g", "new", "s-new", prompt_key="p1", trial=2)
        assert [("s-base", 1), ("s-new", 2)] == [
            (session.session_id, session.trial) for session in uow.comparisons.sessions("g")
        ]
        wrongs: list[Any] = [0, -1, 1.5, True, "1"]
        for wrong in wrongs:
            with pytest.raises(InvalidInput, match="trial"):
                uow.comparisons.record("g", "p2", "base", "new", judge="ada", trial=wrong)
            with pytest.raises(InvalidInput, match="trial"):
                uow.comparisons.add("g", "new", "s-new", trial=wrong)


def test_the_position_of_an_invalid_result_is_named(compared: Ledger) -> None:
    one = {"prompt_key": "q", "variant_a": "base", "variant_b": "new", "judge": "m"}
    for field, wrong in (("preference", {"preference": 2}), ("variant_b", {"variant_b": "third"})):
        with compared.begin() as uow, pytest.raises(InvalidInput) as caught:
            uow.comparisons.record_many("g", [one, {**one, **wrong}])
        assert f"results[1].{field}" == caught.value.field


def test_many_are_recorded_or_none(compared: Ledger) -> None:
    many = [
        {"prompt_key": f"q{number}", "variant_a": "base", "variant_b": "new", "judge": "m", "preference": number / 10}
        for number in range(10)
    ]
    with pytest.raises(InvalidInput), compared.begin() as uow:
        uow.comparisons.record_many("g", [*many, {**many[0], "prompt_key": "q10", "preference": 1.5}])
    with compared.begin() as uow:
        assert 10 == uow.comparisons.record_many("g", many)
        with pytest.raises(ResultExists):
            uow.comparisons.record_many("g", many[5:])
        assert 10 == uow.comparisons.record_many("g", many, replace=True)
        assert 11 == len(list(uow.comparisons.results("g")))


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("preference", {"preference": float("nan")}),
        ("preference", {"preference": -0.1}),
        ("variant_b", {"variant_b": "third"}),
        ("variant_b", {"variant_b": "base"}),
        ("first", {"first": "third"}),
        ("preference", {"variant_b": None, "preference": 1}),
        ("scores_a.k", {"scores_a": {"k": float("inf")}}),
        ("judge_kind", {"judge_kind": "oracle"}),
        ("prompt_key", {"prompt_key": ""}),
        ("notes", {"notes": "\x00"}),
    ],
)
def test_what_is_no_result_is_refused_by_name(compared: Ledger, field: str, changes: dict[str, Any]) -> None:
    given = {"prompt_key": "p9", "variant_a": "base", "variant_b": "new", "judge": "ada", **changes}
    with compared.begin() as uow, pytest.raises(InvalidInput) as caught:
        uow.comparisons.record("g", **given)
    assert field == caught.value.field


def test_a_group_is_made_once_of_different_variants(compared: Ledger) -> None:
    with compared.begin() as uow:
        with pytest.raises(ComparisonExists):
            uow.comparisons.create("g")
        with pytest.raises(InvalidInput):
            uow.comparisons.create(variants=["a", "a"])
        with pytest.raises(InvalidInput):
            uow.comparisons.create(kind="colour")  # type: ignore[arg-type]
        with pytest.raises(SessionNotFound):
            uow.comparisons.add("g", "new", "nowhere")
        assert ("base", "new", "third") == uow.comparisons.add("g", "third").variants


def test_a_deleted_session_leaves_the_group_and_a_trace(compared: Ledger) -> None:
    with compared.begin(actor="ada") as uow:
        uow.sessions.delete("s-new", reason="tidy")
    with compared.read() as uow:
        assert ["s-base"] == [found.session_id for found in uow.comparisons.sessions("g")]
        assert 1 == len(list(uow.comparisons.results("g")))
        entry = uow.audit.list(action="comparison.session_deleted")[0]
        assert ("s-new", "ada", {"group": "g", "variant": "new"}) == (entry.session_id, entry.actor, entry.details)


def test_a_deleted_comparison_leaves_its_sessions_and_a_trace(compared: Ledger) -> None:
    with compared.begin(actor="ada") as uow:
        uow.comparisons.delete("g", reason="done")
    with compared.read() as uow:
        with pytest.raises(ComparisonNotFound):
            list(uow.comparisons.results("g"))
        assert "s-new" == uow.sessions.get("s-new").session_id
        entry = uow.audit.list(action="comparison.deleted")[0]
        assert ("ada", "done", 1, {"group": "g"}) == (entry.actor, entry.reason, entry.count, entry.details)


def test_nothing_of_an_erased_user_stays_in_comparisons(compared: Ledger, raw: Raw) -> None:
    with compared.begin() as uow:
        uow.comparisons.create("theirs", variants=TWO, user_id="bob")
        uow.comparisons.create("nobody's", variants=TWO)
        uow.comparisons.add("nobody's", "new", "s-new", prompt_key="p1")
        for group in ("theirs", "nobody's"):
            uow.comparisons.record(
                group, "p1", "base", "new", judge="ada", preference=1, prompt="zebra", notes="quagga", cost_a=1
            )
            uow.comparisons.record(group, "p1", "base", "new", judge="m", preference=0, prompt="okapi")
    compared.erase_user("ada")
    with compared.read() as uow:
        with pytest.raises(ComparisonNotFound):
            uow.comparisons.get("g")
        assert [0.0, 1.0] == sorted(result.preference or 0 for result in uow.comparisons.results("nobody's"))
        assert [None, None] == [result.prompt for result in uow.comparisons.results("nobody's")]
        # What was asked in another's comparison is the other's.
        assert {"zebra", "okapi"} == {result.prompt for result in uow.comparisons.results("theirs")}
    found = places_of(raw, ["quagga", "which", "s-new"])
    assert [] == found
    # As a whole value: the random name that a judge has now may contain these letters.
    assert 0 == raw("SELECT count(*) FROM chatledger_comparison_results WHERE judge = 'ada'")[0][0]
    assert 0 == raw("SELECT count(*) FROM chatledger_comparison_groups WHERE user_id = 'ada'")[0][0]


def test_a_check_finds_what_nobody_looks_after(compared: Ledger, raw: Raw) -> None:
    assert compared.check().ok
    raw("DELETE FROM chatledger_sessions WHERE session_id = 's-base'")
    raw("DELETE FROM chatledger_comparison_groups")
    report = compared.check()
    assert {"groupless": 3, "comparisons": 1} == {finding.kind: finding.count for finding in report.findings}
    assert not report.ok
