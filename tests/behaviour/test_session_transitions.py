"""The life of a session: which status leads to which."""

from __future__ import annotations

import pytest

from chatledger import Ledger, SessionClosed, SessionNotFound, Status, TransitionRefused, UnitOfWork
from tests.support.clock import StoppedClock
from tests.support.raw import Raw

VERBS = {
    "pause": Status.PAUSED,
    "resume": Status.ACTIVE,
    "mark_idle": Status.IDLE,
    "archive": Status.ARCHIVED,
    "expire": Status.EXPIRED,
}
#: From each status, the verbs that are obeyed.
OBEYED = {
    "active": {"pause", "resume", "mark_idle", "archive", "expire"},
    "idle": {"pause", "resume", "mark_idle", "archive", "expire"},
    "paused": {"pause", "resume", "archive", "expire"},
    "archived": {"archive", "expire"},
    "expired": {"expire"},
    "failed": {"archive", "expire"},
}


def turn(uow: UnitOfWork, verb: str, session_id: str) -> Status:
    return getattr(uow.sessions, verb)(session_id).status  # type: ignore[no-any-return]


def test_each_status_obeys_some_verbs_and_refuses_the_rest(book: Ledger, raw: Raw) -> None:
    obeyed: dict[str, set[str]] = {status: set() for status in OBEYED}
    for status in OBEYED:
        for verb, wanted in VERBS.items():
            name = f"{status} {verb}"
            raw("INSERT INTO sessions (session_id, status) VALUES (:name, :status)", name=name, status=status)
            with book.begin() as uow:
                refusal = None
                try:
                    assert wanted is turn(uow, verb, name)
                    obeyed[status].add(verb)
                except TransitionRefused as error:
                    refusal = error
                if refusal is not None:
                    assert (name, status, wanted) == (refusal.session_id, refusal.status, refusal.wanted)
                    assert status == uow.sessions.get(name, include_expired=True).status
    assert obeyed == OBEYED


def test_archiving_again_changes_nothing(timed_book: Ledger, clock: StoppedClock) -> None:
    with timed_book.begin() as uow:
        uow.sessions.create("s")
        clock.advance(minutes=1)
        first = uow.sessions.archive("s")
        clock.advance(minutes=1)
        second = uow.sessions.archive("s")
    assert first == second
    assert first.updated_at == first.archived_at


def test_expiring_notes_when(timed_book: Ledger, clock: StoppedClock) -> None:
    with timed_book.begin() as uow:
        uow.sessions.create("s")
        clock.advance(minutes=1)
        assert clock.now == uow.sessions.expire("s").expired_at


def test_a_message_wakes_an_idle_session_but_not_a_paused_one(book: Ledger) -> None:
    with book.begin() as uow:
        for name in ("idle", "paused", "idle in bulk"):
            uow.sessions.create(name)
        uow.sessions.mark_idle("idle")
        uow.sessions.mark_idle("idle in bulk")
        uow.sessions.pause("paused")
        uow.messages.append("idle", "user", "Hello?")
        uow.messages.append("paused", "user", "Hello?")
        uow.messages.append_many("idle in bulk", [{"role": "user"}, {"role": "user"}])
    with book.read() as uow:
        assert Status.ACTIVE is uow.sessions.get("idle").status
        assert Status.ACTIVE is uow.sessions.get("idle in bulk").status
        assert Status.PAUSED is uow.sessions.get("paused").status


@pytest.mark.parametrize("status", ["archived", "expired", "failed"])
def test_a_closed_session_takes_no_messages_and_loses_none(book: Ledger, raw: Raw, status: str) -> None:
    with book.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "Hello")
    raw("UPDATE sessions SET status = :status", status=status)
    with book.begin() as uow:
        for write in (
            lambda: uow.messages.append("s", "user", "more"),
            lambda: uow.messages.append("s", "user", "more", key="k", expected_sequence=2),
            lambda: uow.messages.append_many("s", [{"role": "user"}]),
            lambda: uow.messages.pop("s"),
            lambda: uow.messages.clear("s"),
        ):
            with pytest.raises(SessionClosed) as caught:
                write()
            assert ("s", status) == (caught.value.session_id, caught.value.status)
    with book.read() as uow:
        assert ["Hello"] == [message.content for message in uow.messages.history("s")]
        assert not uow.sessions.get("s", include_expired=True).is_open


def test_who_is_not_there_has_no_status_to_change(book: Ledger) -> None:
    with book.begin() as uow:
        for verb in VERBS:
            with pytest.raises(SessionNotFound):
                turn(uow, verb, "nobody")
