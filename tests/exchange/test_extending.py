"""An export of a later day adds to the conversations that are there, and changes nothing of what is stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.exchange import ImportReport, import_file
from tests.exchange.exports import chatgpt, claude, document, node, said
from tests.exchange.files import CHAT, exported, messages_of, write


def keys(ledger: Ledger, session_id: str) -> list[str | None]:
    return [message.key for message in messages_of(ledger, session_id)]


def sessions(ledger: Ledger) -> set[str]:
    with ledger.read() as uow:
        return {session.session_id for session in uow.sessions.list(limit=100)}


def again(ledger: Ledger, tmp_path: Path, *records: Any, **options: Any) -> ImportReport:
    """Import a file, after a dry run that must say the same."""
    path = document(tmp_path / "conversations.json", list(records))
    would = import_file(ledger, path, dry_run=True, **options)
    done = import_file(ledger, path, **options)
    same = ("conversations", "forks", "messages", "extended", "unchanged", "skipped", "failed", "warnings")
    assert {name: getattr(would, name) for name in same} == {name: getattr(done, name) for name in same}
    assert 0 == done.failed
    return done


def test_new_messages_are_added(ledger: Ledger, tmp_path: Path) -> None:
    first = chatgpt(node("a", None), node("b", "a"), current="b")
    assert 1 == again(ledger, tmp_path, first).conversations
    assert (0, 0, 1) == ((report := again(ledger, tmp_path, first)).extended, report.messages, report.unchanged)
    later = chatgpt(node("a", None), node("b", "a"), node("c", "b"), node("d", "c"), current="d")
    report = again(ledger, tmp_path, later, chatgpt(node("x", None), current="x", id="new"))
    assert (1, 1, 3, 0) == (report.conversations, report.extended, report.messages, report.unchanged)
    assert ["a", "b", "c", "d"] == keys(ledger, "c")
    assert (0, 2) == ((report := again(ledger, tmp_path, first, later)).messages, report.unchanged)


def test_an_answer_that_was_made_again_is_a_fork(ledger: Ledger, tmp_path: Path) -> None:
    again(ledger, tmp_path, chatgpt(node("a", None), node("b1", "a"), current="b1"))
    later = chatgpt(node("a", None), node("b1", "a"), node("b2", "a"), node("c2", "b2"), current="c2")
    report = again(ledger, tmp_path, later)
    assert (0, 1, 1, 2) == (report.conversations, report.extended, report.forks, report.messages)
    # The session goes its own way, which is not the one that was seen last.
    assert (["a", "b1"], ["a", "b2", "c2"]) == (keys(ledger, "c"), keys(ledger, "c:c2"))
    latest = chatgpt(
        node("a", None), node("b1", "a"), node("c1", "b1"), node("b2", "a"), node("c2", "b2"), node("d2", "c2"),
        node("b3", "a"), current="d2",
    )  # fmt: skip
    report = again(ledger, tmp_path, latest)
    assert (1, 1, 3) == (report.extended, report.forks, report.messages)
    assert ["a", "b1", "c1"] == keys(ledger, "c")
    assert ["a", "b2", "c2", "d2"] == keys(ledger, "c:c2")
    assert ["a", "b3"] == keys(ledger, "c:b3")
    assert {"c", "c:c2", "c:b3"} == sessions(ledger)
    with ledger.read() as uow:
        assert ("c", 1) == ((fork := uow.sessions.get("c:b3")).forked_from, fork.forked_at)
        assert ("c", 1) == ((copy := uow.messages.get("c:b3", 1)).copied_from, copy.copied_sequence)
        assert ledger.check().ok
    assert 1 == again(ledger, tmp_path, latest).unchanged


def test_forks_share_what_one_of_them_has(ledger: Ledger, tmp_path: Path) -> None:
    again(ledger, tmp_path, claude(said("a", "r"), said("b", "a"), said("x", "a")))
    later = claude(said("a", "r"), said("b", "a"), said("x", "a"), said("b2", "b"), said("b3", "b"), said("x2", "x"))
    report = again(ledger, tmp_path, later)
    assert (1, 1) == (report.extended, report.forks)
    assert ["a", "x", "x2"] == keys(ledger, "c")
    assert [["a", "b", "b2"], ["a", "b", "b3"]] == sorted(keys(ledger, name) for name in sessions(ledger) - {"c"})


def test_a_changed_message_is_reported_and_stays(ledger: Ledger, tmp_path: Path) -> None:
    again(ledger, tmp_path, claude(said("a", text="old", content=[]), said("b")))
    later = claude(said("a", text="new", content=[]), said("b", updated_at="2027"), said("c"))
    report = again(ledger, tmp_path, later)
    assert (1, 1, 1) == (report.extended, report.messages, report.warned)
    assert "1 message differs from what is stored in session 'c' and stayed as stored: 1" == report.warnings[0].reason
    assert ["old", "b", "c"] == [message.content for message in messages_of(ledger, "c")]


def test_messages_that_were_added_here_stay(ledger: Ledger, tmp_path: Path) -> None:
    again(ledger, tmp_path, claude(said("a")))
    ledger.run(lambda uow: uow.messages.append("c", "user", "a note of mine"))
    again(ledger, tmp_path, claude(said("a"), said("b")))
    assert ["a", "a note of mine", "b"] == [message.content for message in messages_of(ledger, "c")]


def test_a_closed_session_is_opened_for_new_messages_only(ledger: Ledger, tmp_path: Path) -> None:
    again(ledger, tmp_path, claude(said("a")))
    with ledger.begin() as uow:
        uow.sessions.archive("c")
    again(ledger, tmp_path, claude(said("a")))
    with ledger.read() as uow:
        assert not uow.sessions.get("c").is_open
    assert 1 == again(ledger, tmp_path, claude(said("a"), said("b"))).extended
    with ledger.read() as uow:
        assert uow.sessions.get("c").is_open


def test_without_keys_messages_are_known_by_their_order(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    import_file(ledger, write(path, {"session_id": "s", "messages": CHAT[:3]}))
    report = import_file(ledger, write(path, {"session_id": "s", "messages": CHAT}))
    assert (1, len(CHAT) - 3) == (report.extended, report.messages)
    changed = [{"role": "user", "content": "x"}, *CHAT[1:], {"role": "user", "content": "more"}]
    report = import_file(ledger, write(path, {"session_id": "s", "messages": changed}))
    assert (1, 1, 1) == (report.extended, report.messages, report.warned)
    # It goes on from something else than what is stored.
    other = [*changed[:-1], {"role": "user", "content": "another"}, {"role": "user", "content": "last"}]
    report = import_file(ledger, write(path, {"session_id": "s", "messages": other}))
    assert (0, 1, 0, 2) == (report.extended, report.unchanged, report.messages, report.warned)
    with ledger.read() as uow:
        assert len(CHAT) + 1 == uow.sessions.get("s").message_count


def test_our_own_export_is_known(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "one", key="k", payload={"a": 1.0})
        uow.messages.append("s", "user", "two", hidden=True)
        uow.sessions.fork("s", new_session_id="t")
    path = tmp_path / "own.jsonl"
    path.write_text(exported(ledger, "jsonl"), "utf-8")
    report = import_file(ledger, path)
    assert (2, 0, 0, 0) == (report.unchanged, report.messages, report.warned, report.failed)
    with ledger.begin() as uow:
        uow.messages.pop("s")
    report = import_file(ledger, path)
    assert (1, 1, 1) == (report.extended, report.unchanged, report.messages)
    assert messages_of(ledger, "s")[-1].hidden


@pytest.mark.parametrize(("on_conflict", "counts"), [("skip", (1, 0)), ("error", (0, 1))])
def test_extending_can_be_switched_off(
    ledger: Ledger, tmp_path: Path, on_conflict: Any, counts: tuple[int, int]
) -> None:
    again(ledger, tmp_path, claude(said("a")))
    path = document(tmp_path / "later.json", [claude(said("a"), said("b"))])
    report = import_file(ledger, path, on_conflict=on_conflict)
    assert counts == (report.skipped, report.failed)
    assert ["a"] == keys(ledger, "c")


def test_another_conversation_under_a_known_id_is_a_failure(ledger: Ledger, tmp_path: Path) -> None:
    again(ledger, tmp_path, claude(said("a")))
    for other in (claude(said("z")), {"session_id": "c", "messages": [{"role": "user", "content": "z"}]}):
        path = write(tmp_path / "other.jsonl", json.dumps(other))
        for dry_run in (True, False):
            report = import_file(ledger, path, dry_run=dry_run)
            assert (0, 1) == (report.extended, report.failed)
            assert "is another conversation" in report.failures[0].reason
    assert ["a"] == keys(ledger, "c")


def test_a_session_of_another_user_is_not_extended(ledger: Ledger, tmp_path: Path) -> None:
    path = document(tmp_path / "c.json", [claude(said("a"))])
    import_file(ledger.for_user("ada"), path)
    report = import_file(ledger.for_user("bob"), document(tmp_path / "c.json", [claude(said("a"), said("b"))]))
    assert (0, 1) == (report.extended, report.failed)
    assert ["a"] == keys(ledger, "c")
