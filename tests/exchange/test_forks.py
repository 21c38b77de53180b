"""A conversation and its forks are stored together or not at all, on each database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatledger import Busy, Ledger
from chatledger.exchange import import_file
from chatledger.exchange.readers import branching
from chatledger.services.messages.service import Messages
from tests.exchange.exports import chatgpt, claude, document, node, oasst, reply, said
from tests.exchange.files import messages_of

BRANCHED = chatgpt(node("a", None), node("b", "a"), node("b2", "a"), node("b3", "a"), current="b")


def session_ids(ledger: Ledger) -> set[str]:
    with ledger.read() as uow:
        return {session.session_id for session in uow.sessions.list(limit=1000)}


@pytest.mark.parametrize(
    "record",
    [
        BRANCHED,
        claude(said("a", "x"), said("b", "a"), said("b2", "a"), said("b3", "a"), current_leaf_message_uuid="b"),
        oasst(reply("a", reply("b"), reply("b2"), reply("b3"), role="prompter"), message_tree_id="c"),
    ],
)
def test_importing_twice_adds_nothing_twice(ledger: Ledger, tmp_path: Path, record: dict[str, Any]) -> None:
    path = document(tmp_path / "file.json", [record])
    report = import_file(ledger, path)
    assert (1, 2, 4, ("c", "c:b2", "c:b3")) == (
        report.conversations, report.forks, report.messages, report.session_ids,
    )  # fmt: skip
    before = [messages_of(ledger, name) for name in report.session_ids]
    assert [["a", "b"], ["a", "b2"], ["a", "b3"]] == [[one.key for one in told] for told in before]
    for dry_run in (True, False):
        again = import_file(ledger, path, on_conflict="skip", dry_run=dry_run)
        assert (0, 0, 0, 1, 0) == (again.conversations, again.forks, again.messages, again.skipped, again.failed)
        again = import_file(ledger, path, dry_run=dry_run, on_conflict="error")
        assert (0, 1) == (again.conversations, again.failed)
        assert "session 'c' exists already" in again.failures[0].reason
    assert before == [messages_of(ledger, name) for name in report.session_ids]
    assert set(report.session_ids) == session_ids(ledger)


def test_new_ids_are_new_for_the_forks_as_well(ledger: Ledger, tmp_path: Path) -> None:
    path = document(tmp_path / "file.json", [BRANCHED])
    import_file(ledger, path)
    report = import_file(ledger, path, on_conflict="new")
    assert (1, 2, 4) == (report.conversations, report.forks, report.messages)
    assert {"c", "c:b2", "c:b3"}.isdisjoint(report.session_ids)
    with ledger.read() as uow:
        assert [report.session_ids[0]] * 2 == [uow.sessions.get(name).forked_from for name in report.session_ids[1:]]


def test_a_fork_that_is_there_already_keeps_the_whole_conversation_out(ledger: Ledger, tmp_path: Path) -> None:
    path = document(tmp_path / "file.json", [BRANCHED])
    with ledger.begin() as uow:
        uow.sessions.create("c:b3")
    for dry_run in (True, False):
        report = import_file(ledger, path, dry_run=dry_run)
        assert (0, 0, 1) == (report.conversations, report.forks, report.failed)
        assert "session 'c:b3' exists already" in report.failures[0].reason
        assert 1 == import_file(ledger, path, on_conflict="skip", dry_run=dry_run).skipped
    assert {"c:b3"} == session_ids(ledger)
    report = import_file(ledger, path, on_conflict="new")
    assert ("c", "c:b2") == report.session_ids[:2]
    assert "c:b3" != report.session_ids[2]
    assert ["a", "b3"] == [one.content for one in messages_of(ledger, report.session_ids[2])]


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_fork_that_cannot_be_stored_takes_its_conversation_along(
    ledger: Ledger, tmp_path: Path, dry_run: bool
) -> None:
    broken = chatgpt(node("a", None), node("b", "a"), node("b2", "a"), node("b3", "a", status="\0"), current="b")
    path = document(tmp_path / "file.json", [broken, chatgpt(node("x", None), id="whole")])
    report = import_file(ledger, path, dry_run=dry_run, strict=True)
    assert (1, 0, 1, 1) == (report.conversations, report.forks, report.messages, report.failed)
    assert "record 1, line 2: forks[1].messages[0].metadata: holds a NUL" in str(report.failures[0])
    assert (set() if dry_run else {"whole"}) == session_ids(ledger)


def test_a_busy_database_counts_nothing_twice(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append_many, calls = Messages.append_many, []

    def busy_once(self: Messages, session_id: str, messages: Any) -> Any:
        calls.append(session_id)
        if calls == ["c", "c:b2", "c:b3"]:
            raise Busy("try again")
        return append_many(self, session_id, messages)

    monkeypatch.setattr(Messages, "append_many", busy_once)
    report = import_file(ledger, document(tmp_path / "file.json", [BRANCHED]))
    assert (1, 2, 4, 6) == (report.conversations, report.forks, report.messages, len(calls))
    assert {"c", "c:b2", "c:b3"} == session_ids(ledger)


def test_a_user_imports_what_is_theirs(ledger: Ledger, tmp_path: Path) -> None:
    record = chatgpt(node("a", None), node("b", "a"), node("b2", "a"), node("x", None), current="b")
    path = document(tmp_path / "file.json", [record])
    assert 2 == import_file(ledger.for_user("ada"), path, project_id="p").forks
    with ledger.read() as uow:
        found = uow.sessions.list(user_id="ada", project_id="p")
    assert {"c", "c:b2", "c:x"} == {session.session_id for session in found}
    assert 1 == import_file(ledger.for_user("bob"), path).failed


def test_long_conversations_fork_as_well(ledger: Ledger, tmp_path: Path) -> None:
    nodes = [node(str(number), str(number - 1) if number else None) for number in range(2500)]
    branch = [node(f"x{number}", f"x{number - 1}" if number else "1999") for number in range(1200)]
    report = import_file(ledger, document(tmp_path / "file.json", chatgpt(*nodes, *branch, current="2499")))
    assert (1, 1, 3700) == (report.conversations, report.forks, report.messages)
    expected = [str(number) for number in range(2000)] + [f"x{number}" for number in range(1200)]
    assert expected == [one.content for one in messages_of(ledger, "c:x1199")]
    with ledger.read() as uow:
        assert ("c", 2000) == ((fork := uow.sessions.get("c:x1199")).forked_from, fork.forked_at)


def test_thousands_of_branches(migrated_sqlite_url: str, tmp_path: Path) -> None:
    answers = [node(f"b{number}", "a") for number in range(1200)]
    path = document(tmp_path / "file.json", chatgpt(node("a", None), *answers, current="b0"))
    with Ledger(migrated_sqlite_url) as ledger:
        report = import_file(ledger, path)
        assert (1, 1199, 1201, 1000) == (
            report.conversations, report.forks, report.messages, len(report.session_ids),
        )  # fmt: skip
        assert ["a", "b1199"] == [one.content for one in messages_of(ledger, "c:b1199")]


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_small_file_does_not_fill_a_disk(
    migrated_sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    # A branch at each step: each fork holds all that stands before it.
    spine = [node(f"s{number}", f"s{number - 1}" if number else None) for number in range(1500)]
    teeth = [node(f"t{number}", f"s{number}") for number in range(1499)]
    comb = document(tmp_path / "comb.json", chatgpt(*spine, *teeth, current="s1499"))
    heavy = chatgpt(
        node("a", None, text="x" * 10_000), *(node(f"b{number}", "a") for number in range(20)), current="b0"
    )
    with Ledger(migrated_sqlite_url) as ledger:
        report = import_file(ledger, comb, dry_run=dry_run)
        assert (0, 1) == (report.conversations, report.failed)
        assert "branches too often: its forks would hold more than 1,000,000 messages" in report.failures[0].reason
        for most, failed in ((1 << 17, 1), (1 << 18, 0)):
            monkeypatch.setattr(branching, "MAX_BRANCHED_BYTES", most)
            report = import_file(ledger, document(tmp_path / "heavy.json", heavy), dry_run=dry_run)
            assert failed == report.failed
