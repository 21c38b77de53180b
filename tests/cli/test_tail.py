"""tail: the newest messages, and those that are added afterwards."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.cli.sessions import tail
from chatledger.cli.sessions.tail import NewestMessages
from tests.cli.conftest import Command
from tests.cli.test_watch import until, watching
from tests.support.once import ONE_DATABASE

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def say(ledger: Ledger, session_id: str, text: str, minute: float) -> None:
    at = NOON + timedelta(minutes=minute)
    with ledger.begin() as uow:
        uow.sessions.get_or_create(session_id, project_id=f"of {session_id}", created_at=at)
        uow.messages.append(session_id, "user", text, created_at=at)


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    for minute, (session_id, text) in enumerate([("a", "1"), ("b", "2"), ("a", "3"), ("old", "4"), ("b", "5")]):
        say(ledger, session_id, text, minute)
    return ledger


def contents(found: list[tail.Found]) -> list[str]:
    return [message.content for message, _ in found]


@contextmanager
def following(ledger: Ledger, last: int = 0, **which: str) -> Iterator[NewestMessages]:
    newest = NewestMessages(**which)
    with ledger.read() as uow:
        newest.first(uow, last)
    yield newest


def added(ledger: Ledger, newest: NewestMessages) -> list[str]:
    with ledger.read() as uow:
        return contents(newest.added(uow))


@pytest.mark.parametrize("last", [0, 1, 3, 5, 9])
def test_the_newest_of_all_sessions_come_in_the_order_of_time(filled: Ledger, last: int) -> None:
    with filled.read() as uow:
        assert ["1", "2", "3", "4", "5"][5 - min(last, 5) :] == contents(NewestMessages().first(uow, last))


def test_those_of_a_session_or_a_project(filled: Ledger) -> None:
    with filled.read() as uow:
        assert ["2", "5"] == contents(NewestMessages(session_id="b").first(uow, 10))
        assert ["1", "3"] == contents(NewestMessages(project_id="of a").first(uow, 10))


def test_what_is_added_is_shown_once_whatever_session_it_is_in(filled: Ledger) -> None:
    with following(filled) as newest:
        assert [] == added(filled, newest)
        say(filled, "new", "6", 6)
        say(filled, "a", "7", 7)
        assert ["6", "7"] == added(filled, newest)
        assert [] == added(filled, newest)
        say(filled, "a", "8", 500)
        say(filled, "b", "9", 501)
        assert ["8", "9"] == added(filled, newest)
        assert [] == added(filled, newest)


def test_a_session_without_activity_since_long_shows_only_what_is_new(ledger: Ledger) -> None:
    say(ledger, "old", "1", 0)
    say(ledger, "recent", "2", 600)
    with following(ledger) as newest:
        say(ledger, "old", "3", 601)
        assert ["3"] == added(ledger, newest)


def test_a_message_that_was_committed_late_is_not_missed(filled: Ledger) -> None:
    with following(filled) as newest:
        say(filled, "a", "6", 6)
        assert ["6"] == added(filled, newest)
        say(filled, "late", "5.5", 5.5)
        assert ["5.5"] == added(filled, newest)


def test_an_empty_ledger_is_followed_from_its_first_message(ledger: Ledger) -> None:
    with following(ledger) as newest:
        say(ledger, "a", "1", 0)
        assert ["1"] == added(ledger, newest)


def test_more_active_sessions_than_a_page_has(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_PAGE", 2)
    with following(ledger) as newest:
        for number in range(5):
            say(ledger, f"s{number}", str(number), number)
        assert ["0", "1", "2", "3", "4"] == added(ledger, newest)


def test_a_message_that_is_streamed_is_shown_when_it_has_ended(filled: Ledger) -> None:
    with following(filled) as newest:
        with filled.stream("a", "assistant") as reply:
            reply.write("Li")
            assert [] == added(filled, newest)
            reply.write("sbon")
        assert ["Lisbon"] == added(filled, newest)


def test_copies_are_shown_only_in_the_fork_that_was_named(filled: Ledger) -> None:
    with following(filled) as newest:
        with filled.begin() as uow:
            uow.sessions.fork("a", new_session_id="fork")
            uow.messages.append("fork", "user", "own")
        assert ["own"] == added(filled, newest)
    with filled.read() as uow:
        assert ["1", "3", "own"] == contents(NewestMessages(session_id="fork").first(uow, 10))


def test_sessions_are_named_where_they_change(run: Command, filled: Ledger) -> None:
    with filled.begin() as uow:
        uow.sessions.update("old", title="A trip")
    assert (
        "==> old · A trip <==\n\n#1 user · 2026-05-01 12:03Z\n4\n\n==> b <==\n\n#2 user · 2026-05-01 12:04Z\n5"
    ) == run.text("tail", "-n", "2")


def test_json_lines_say_their_session(run: Command, filled: Ledger) -> None:
    lines = [json.loads(line) for line in run.text("tail", "--last", "2", "--json").splitlines()]
    assert [("old", "4"), ("b", "5")] == [(line["session_id"], line["content"]) for line in lines]


def test_only_what_a_user_may_see(run: Command, filled: Ledger) -> None:
    with filled.begin() as uow:
        uow.sessions.create("ada's", user_id="ada")
        uow.messages.append("ada's", "user", "mine")
    assert "mine" == json.loads(run.text("tail", "--json", "--user-id", "ada"))["content"]
    assert "no session 'a'" in run.error("tail", "a", "--user-id", "ada")


@ONE_DATABASE
def test_a_project_with_a_session_is_misuse(run: Command, filled: Ledger) -> None:
    assert "--project" in run.misuse("tail", "a", "--project", "p")


@ONE_DATABASE
def test_it_follows_until_a_signal_ends_it(filled: Ledger, url: str, here: Path) -> None:
    with watching(url, here, "--follow", "--every", "1s", "--json", command=["tail", "b"]) as process:
        until(lambda: (here / "out").read_bytes().count(b"\n") == 2)
        say(filled, "b", "6", 6)
        until(lambda: (here / "out").read_bytes().count(b"\n") == 3)
        process.send_signal(signal.SIGINT)
        assert 130 == process.wait(30)
    shown = [json.loads(line)["content"] for line in (here / "out").read_text().splitlines()]
    assert ["2", "5", "6"] == shown
    assert b"Traceback" not in (here / "err").read_bytes()
