"""stats."""

from __future__ import annotations

import csv
from datetime import UTC, datetime

import pytest

from chatledger import Ledger
from tests.cli.conftest import Command

_VIEWS = (
    "overview", "models", "projects", "users", "roles", "sessions", "hours", "days", "weeks", "months", "activity",
    "latency", "errors", "context",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _figures(run: Command) -> None:
    run.text("create", "--id", "a", "--user-id", "ada", "--model", "=m", "--project", "p")
    run.text("add", "a", "user", "How high?", "--input-tokens", "8")
    run.text("create", "--id", "b", "--user-id", "bob")
    run.text("add", "b", "user", "How low?", "--input-tokens", "5")


def test_every_view_is_shown_in_every_form(run: Command) -> None:
    for view in _VIEWS:
        run.text("stats", view)
        run.json("stats", view)
        run.text("stats", view, "--csv")


def test_figures_add_up(run: Command) -> None:
    assert (2, 13) == tuple(run.json("stats")[name] for name in ("messages", "total_tokens"))
    assert {"=m": 8, None: 5} == {one["key"]: one["total_tokens"] for one in run.json("stats", "models")["items"]}
    assert [1] == [one["messages"] for one in run.json("stats", "days", "--user-id", "ada")["items"]]
    assert 0 == run.json("stats", "--until", "2020-01-01")["messages"]
    assert ("6.5", None) == tuple(run.json("stats")[name] for name in ("average_tokens", "error_rate"))
    assert 168 == len(run.json("stats", "activity", "--timezone", "Asia/Tokyo")["items"])


def test_a_limit_keeps_the_first_rows_and_the_last_periods(run: Command, url: str) -> None:
    days = [{"role": "user", "content": "x", "created_at": datetime(2026, 5, day, tzinfo=UTC)} for day in range(1, 6)]
    with Ledger(url) as ledger, ledger.begin() as uow:
        uow.messages.append_many("b", days)
    shown = run.json("stats", "days", "--user-id", "bob", "--until", "2026-05-05T12:00Z", "-n", "2")["items"]
    assert ["2026-05-04", "2026-05-05"] == [one["start"][:10] for one in shown]
    assert 3 == len(
        run.text("stats", "days", "--user-id", "bob", "--until", "2026-05-05T12:00Z", "-n", "2").splitlines()
    )
    assert 1 == len(run.json("stats", "users", "-n", "1")["items"])
    for view in ("overview", "activity", "latency"):
        assert f"is not for {view}" in run.misuse("stats", view, "-n", "3")


def test_a_table_for_spreadsheets_runs_no_formula(run: Command) -> None:
    rows = list(csv.DictReader(run.text("stats", "models", "--csv").splitlines()))
    assert {"'=m", ""} == {row["key"] for row in rows}
    assert {""} == {row["cost"] for row in rows}  # not known, and not nothing


def test_a_cost_that_is_not_known_is_not_shown_as_nothing(run: Command) -> None:
    run.text("add", "a", "assistant", "Very.", "--output-tokens", "7")
    found = run.json("stats")
    assert (None, None, 1) == (found["cost"], found["average_cost"], found["unpriced"])
    shown = run("stats")
    assert "cost                 unknown" in shown.stdout
    assert 1 == shown.stderr.count("no price is known for =m")
    assert "unknown" in run.text("stats", "models")
    run.text("add", "a", "assistant", "Much.", "--cost", "0.5")
    assert "cost                 ≥ $0.5" in run.text("stats")
    assert ("0.5", 1) == tuple(run.json("stats")[name] for name in ("cost", "unpriced"))
    run.text("create", "--id", "free", "--user-id", "cy")
    run.text("add", "free", "assistant", "Nothing.", "--cost", "0", "--output-tokens", "7")
    assert "0" == run.json("stats", "--user-id", "cy")["cost"]


def test_a_table_without_rows_has_its_columns(run: Command) -> None:
    for view in _VIEWS:
        if view != "compare":
            empty = run.text("stats", view, "--csv", "--until", "2020-01-01").splitlines()[0]
            assert empty == run.text("stats", view, "--csv").splitlines()[0]
            found = run.json("stats", view)
            for one in found.get("items", [found]):
                assert list(one) == empty.split(",")


def test_a_period_is_compared(run: Command) -> None:
    told = run.text("stats", "compare", "--since", "2020-01-01", "--until", "2100-01-01")
    assert "messages" in told
    assert 2 == run.json("stats", "compare", "--since", "2020-01-01", "--until", "2100-01-01")["current"]["messages"]


def test_what_makes_no_sense_is_refused(run: Command) -> None:
    assert "needs both" in run.misuse("stats", "compare", "--since", "2020-01-01")
    assert "is for" in run.misuse("stats", "models", "--timezone", "Asia/Tokyo")
    assert "give one" in run.misuse("stats", "--json", "--csv")
    assert "tz: is not the name of a time zone" in run.error("stats", "days", "--timezone", "Mars/Base")
    assert "no session 'b'" in run.error("stats", "--session-id", "b", "--user-id", "ada")
