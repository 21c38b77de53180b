"""Our own export, read into another ledger, gives equal sessions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger
from chatledger.exchange import ExportFormat, Format, export_sessions, import_file
from tests.exchange.files import exported, messages_of
from tests.support import sqlite

LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=timezone(timedelta(hours=5)))
DECIDED = {"updated_at", "archived_at", "expired_at"}
"""What an import cannot bring back: the ledger decides it."""


@pytest.fixture
def other(sqlite_template: Path, tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite.copy(sqlite_template, tmp_path / "other.db")) as other:
        yield other


def fill(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        for name in ("active", "idle", "paused", "archived", "expired"):
            uow.sessions.create(
                name,
                user_id="ada",
                project_id="p",
                model_id="gpt-5",
                title="Títle\u2028\n",
                system_prompt="Be brief.",
                context={"float": 1e16, "list": [None, {}]},
                metadata={"null": None, "z": 1, "a": "مرحبا"},
                created_at=LONG_AGO,
            )
            uow.messages.append(name, "user", "Hi\r\n\u2028\x85", key="k", name="n", metadata={"m": 1}, payload={})
            uow.messages.append(
                name, "assistant", "", payload={"tool_calls": [1.0, 1]}, model_id="gpt-5", input_tokens=1,
                output_tokens=2, cached_tokens=1, tokens_used=7, duration_ms=9, cost="0.000000001", tool_call_id="t",
                created_at=LONG_AGO + timedelta(microseconds=1),
            )  # fmt: skip
            for index, value in enumerate(([], 0, False, "text")):
                uow.messages.append(name, "tool", str(index), payload=value)
        uow.sessions.create("empty")
        uow.sessions.mark_idle("idle")
        uow.sessions.pause("paused")
        uow.sessions.archive("archived")
        uow.sessions.expire("expired")


@pytest.mark.parametrize("form", [ExportFormat.JSONL, ExportFormat.JSON])
def test_sessions_come_back_equal(ledger: Ledger, other: Ledger, tmp_path: Path, form: ExportFormat) -> None:
    fill(ledger)
    path = tmp_path / "export"
    path.write_text(exported(ledger, form), "utf-8", newline="")
    trial = import_file(other, path, dry_run=True)
    report = import_file(other, path)
    assert (Format.JSONL, 6, 30, ()) == (report.format, report.conversations, report.messages, report.failures)
    assert (trial.conversations, trial.messages) == (report.conversations, report.messages)
    for name in ("active", "idle", "paused", "archived", "expired", "empty"):
        with ledger.read() as uow:
            given = uow.sessions.get(name, include_expired=True)
        with other.read() as uow:
            read = uow.sessions.get(name, include_expired=True)
        assert given.model_dump(exclude=DECIDED) == read.model_dump(exclude=DECIDED)
        assert (given.archived_at is None, given.expired_at is None) == (
            read.archived_at is None,
            read.expired_at is None,
        )
        before, after = messages_of(ledger, name), messages_of(other, name)
        assert before == after
        assert list(map(repr, before)) == list(map(repr, after))


@pytest.mark.parametrize("form", [ExportFormat.JSONL, ExportFormat.JSON])
def test_costs_come_back_as_they_were_counted_given_or_not_known(
    ledger: Ledger, other: Ledger, tmp_path: Path, form: ExportFormat
) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    with ledger.begin() as uow:
        uow.sessions.create("s", model_id="m")
        uow.messages.append("s", "assistant", "unknown", input_tokens=10**6)
        uow.models.price("m", input=2, effective_from=since)
        uow.messages.append("s", "assistant", "counted", input_tokens=10**6)
        uow.messages.append("s", "assistant", "given", input_tokens=10**6, cost=7)
    path = tmp_path / "export"
    path.write_text(exported(ledger, form), "utf-8", newline="")
    with other.begin() as uow:  # of which none is counted with
        uow.models.price("m", input=9, effective_from="1970-01-01")
    assert 3 == import_file(other, path).messages
    expected: list[tuple[Any, Any]] = [(None, None), (2, since), (7, None)]
    assert expected == [(one.cost, one.priced_from) for one in messages_of(other, "s")]
    assert messages_of(ledger, "s") == messages_of(other, "s")
    # What was counted is still a counted one: it follows the prices of its ledger when that is asked for.
    done = other.reprice()
    assert (1, 1, 0) == (done.filled, done.corrected, done.withdrawn)
    assert [9, 9, 7] == [one.cost for one in messages_of(other, "s")]


def test_gaps_in_the_numbers_close(ledger: Ledger, other: Ledger, tmp_path: Path) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "gone")
        uow.messages.clear("s")
        uow.messages.append("s", "user", "kept")
    path = tmp_path / "export"
    path.write_text(exported(ledger, "jsonl"), "utf-8")
    assert 1 == import_file(other, path).messages
    assert [(1, "kept")] == [(m.sequence_number, m.content) for m in messages_of(other, "s")]


Lines = list[dict[str, Any]]


def _cut(lines: Lines) -> Lines:
    return lines[:-1]


def _renumbered(lines: Lines) -> Lines:
    lines[3]["sequence_number"] = 1
    return lines


def _unknown_field(lines: Lines) -> Lines:
    lines[3]["colour"] = "secret"
    return lines


def _stranger(lines: Lines) -> Lines:
    lines[3]["session_id"] = "secret"
    return lines


def _doubled(lines: Lines) -> Lines:
    return [*lines, {**lines[-1], "sequence_number": 9}]


def _bad_money(lines: Lines) -> Lines:
    lines[3]["cost"] = "-1"
    return lines


def _priced_for_nothing(lines: Lines) -> Lines:
    lines[2]["priced_from"] = "2026-01-01T00:00:00+00:00"
    return lines


def _priced_at_no_time(lines: Lines) -> Lines:
    lines[3]["priced_from"] = "soon"
    return lines


def _bad_status(lines: Lines) -> Lines:
    lines[1]["status"] = "secret"
    return lines


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_cut, "fewer messages follow"),
        (_doubled, "more messages follow"),
        (_renumbered, "sequence_number: does not rise"),
        (_unknown_field, "does not know"),
        (_stranger, "not that of the session"),
        (_bad_money, "cost"),
        (_priced_for_nothing, "priced_from: belongs to a cost"),
        (_priced_at_no_time, "priced_from: is not a time"),
        (_bad_status, "status: is not one of"),
    ],
)
def test_a_damaged_session_fails_and_the_next_is_read(
    migrated_sqlite_url: str, other: Ledger, tmp_path: Path, damage: Callable[[Lines], Lines], reason: str
) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        fill(ledger)
        first = [json.loads(line) for line in exported(ledger, "jsonl", session_ids=["active"]).split("\n")[:-1]]
        second = exported(ledger, "jsonl", session_ids=["paused"])
    path = tmp_path / "export"
    path.write_text("".join(json.dumps(line) + "\n" for line in damage(first)) + second, "utf-8")
    report = import_file(other, path)
    assert ("paused",) == report.session_ids
    assert reason in report.failures[0].reason
    assert "secret" not in str(report.failures)


def test_a_line_that_was_torn_fails_its_session_only(migrated_sqlite_url: str, other: Ledger, tmp_path: Path) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        fill(ledger)
        lines = exported(ledger, "jsonl", session_ids=["active", "idle", "paused"]).split("\n")
    path = tmp_path / "export"
    path.write_text("\n".join([*lines[:3], lines[3][:20], *lines[4:8], lines[8][:20], *lines[9:]]), "utf-8")
    report = import_file(other, path)
    assert ("paused",) == report.session_ids
    assert [4, 9, 10] == [failure.line for failure in report.failures]
    assert "without the line of its session" in report.failures[2].reason


@pytest.mark.parametrize(
    "header",
    [
        {"type": "header", "format": "chatledger", "version": 2},
        {"type": "header", "format": "chatledger"},
        {"type": "header", "format": "other", "version": 1},
        {"type": "session", "session_id": "a", "status": "active", "message_count": 0},
    ],
)
def test_other_versions_are_refused(migrated_sqlite_url: str, tmp_path: Path, header: dict[str, Any]) -> None:
    path = tmp_path / "export"
    path.write_text(json.dumps(header) + "\n")
    with Ledger(migrated_sqlite_url) as ledger, pytest.raises(InvalidInput):
        import_file(ledger, path, format="jsonl")


def test_names_and_parents_come_back_in_whatever_order(ledger: Ledger, other: Ledger, tmp_path: Path) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("parent", user_id="ada", name="main")
        uow.sessions.create("child", name="helper", parent="parent")
        uow.sessions.create("orphan", parent="child")
        uow.messages.append("parent", "user", "The newest comes first.")
    path = tmp_path / "export.jsonl"
    with path.open("w") as out:
        export_sessions(ledger, out, format="jsonl", session_ids=["child", "parent", "orphan"])
    assert 0 == import_file(other, path).warned
    expected = {"parent": ("main", None), "child": ("helper", "parent"), "orphan": (None, "child")}
    with other.read() as uow:
        assert expected == {one.session_id: (one.name, one.parent_id) for one in uow.sessions.list()}
    # Under new ids, children are those of the new parents. The names are taken.
    report = import_file(other, path, on_conflict="new")
    assert 2 == report.warned
    assert ["'helper'", "'main'"] == sorted(warning.reason.split()[2] for warning in report.warnings)
    child, parent, orphan = report.session_ids
    with other.read() as uow:
        assert (None, parent) == ((one := uow.sessions.get(child)).name, one.parent_id)
        assert child == uow.sessions.get(orphan).parent_id
    assert other.check().ok


def test_a_child_whose_parent_is_not_there_is_stored_without_it(ledger: Ledger, other: Ledger, tmp_path: Path) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("parent", user_id="ada")
        uow.sessions.create("child", parent="parent")
    path = tmp_path / "export.jsonl"
    with path.open("w") as out:
        export_sessions(ledger, out, format="jsonl", session_ids=["child"])
    report = import_file(other, path)
    assert (1, 1) == (report.conversations, report.warned)
    assert "'parent'" in report.warnings[0].reason
    with other.read() as uow:
        assert uow.sessions.get("child").parent_id is None


def with_state(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("of ada", user_id="ada", project_id="app")
        uow.sessions.create("of bob", user_id="bob")
        uow.messages.append("of ada", "user", "Hello")
        uow.state.set("step", {"n": [1, None, 1.5]}, session_id="of ada")
        uow.state.set("nothing", None, session_id="of bob")
        uow.state.set("likes", ["otters"], user_id="ada")
        uow.state.set("likes", "Zoë", user_id="cy")
        uow.state.set("limit", 3, project_id="app")


def state_of(ledger: Ledger) -> list[tuple[str, str, str, Any]]:
    owners = [{"session_id": name} for name in ("of ada", "of bob")]
    owners += [{"user_id": name} for name in ("ada", "bob", "cy")] + [{"project_id": "app"}]
    with ledger.read() as uow:
        there = [one for one in owners if "session_id" not in one or uow.sessions.find(one["session_id"])]
        found = [entry for owner in there for entry in uow.state.all(**owner)]
    return [(entry.scope.value, entry.scope_id, entry.key, entry.value) for entry in found]


def test_state_comes_back_and_what_is_stored_stays(ledger: Ledger, other: Ledger, tmp_path: Path) -> None:
    with_state(ledger)
    path = tmp_path / "export.jsonl"
    with path.open("w") as out:
        export_sessions(ledger, out, format="jsonl")
    assert 0 == import_file(other, path, dry_run=True).failed
    assert [] == state_of(other)
    report = import_file(other, path)
    assert (2, 0, 0) == (report.conversations, report.failed, report.warned)
    assert 5 == len(state_of(other))
    assert state_of(ledger) == state_of(other)
    other.run(lambda uow: uow.state.set("likes", "cats", user_id="ada"))
    report = import_file(other, path)
    assert (2, 0, 1) == (report.unchanged, report.failed, report.warned)
    assert "'likes' of user 'ada'" in report.warnings[0].reason
    assert "otters" not in report.warnings[0].reason
    # A new session has its state under its new id; one that is left out has none.
    new = import_file(other, path, on_conflict="new").session_ids
    with other.begin() as uow:
        assert ["step"] == [entry.key for name in new for entry in uow.state.all(session_id=name) if entry.value]
        uow.state.delete("step", session_id="of ada")
    import_file(other, path, on_conflict="skip")
    with other.read() as uow:
        assert uow.state.find("step", session_id="of ada") is None


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"user_id": "ada"}, {("session", "of ada"), ("user", "ada")}),
        ({"project_id": "app"}, {("session", "of ada"), ("project", "app")}),
        ({"session_ids": ["of bob"]}, {("session", "of bob")}),
        ({"status": "active"}, {("session", "of ada"), ("session", "of bob")}),
    ],
)
def test_an_export_has_the_state_of_what_was_chosen(
    ledger: Ledger, tmp_path: Path, choice: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    with_state(ledger)
    assert expected == owners_in(ledger, tmp_path, **choice)


def test_a_users_own_export_has_the_users_own_state(ledger: Ledger, tmp_path: Path) -> None:
    with_state(ledger)
    assert {("session", "of ada"), ("user", "ada")} == owners_in(ledger.for_user("ada"), tmp_path)
    assert set() == owners_in(ledger.for_user("ada"), tmp_path, user_id="bob")


def owners_in(ledger: Any, tmp_path: Path, **choice: Any) -> set[tuple[str, str]]:
    path = tmp_path / "chosen.jsonl"
    with path.open("w") as out:
        export_sessions(ledger, out, format="jsonl", **choice)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {
        (scope, line[f"{scope}_id"])
        for line in lines
        if line["type"] == "state"
        for scope in ("user", "project", "session")
        if f"{scope}_id" in line
    }


def test_state_that_is_not_whole_is_a_failure(other: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    header = {"type": "header", "format": "chatledger", "version": 1}
    bad: list[dict[str, Any]] = [
        {"user_id": "ada", "key": "k"}, {"key": "k", "value": 1}, {"user_id": "", "key": "k", "value": 1},
        {"user_id": "ada", "project_id": "p", "key": "k", "value": 1}, {"user_id": "ada", "key": 3, "value": 1},
        {"user_id": "ada", "key": "k", "value": 1, "more": 2},
    ]  # fmt: skip
    lines = [
        header,
        *({"type": "state", **one} for one in bad),
        {"type": "state", "user_id": "ada", "key": "k", "value": 1},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    assert len(bad) == import_file(other, path).failed
    with other.read() as uow:
        assert 1 == uow.state.get("k", user_id="ada")
