"""The life of a session: which status leads to which."""

from __future__ import annotations

import pytest

from chatledger import Ledger, SessionClosed, SessionNotFound, Status, TransitionRefused, UnitOfWork
from tests.support.clock import StoppedClock
from tests.support.once import ONE_FLAVOR
from tests.support.raw import Raw

VERBS = {
    "pause": Status.PAUSED,
    "resume": Status.ACTIVE,
    "mark_idle": Status.IDLE,
    "archive": Status.ARCHIVED,
    "expire": Status.EXPIRED,
    "fail": Status.FAILED,
    "reopen": Status.ACTIVE,
}
OBEYED = {
    "active": {"pause", "resume", "mark_idle", "archive", "expire", "fail", "reopen"},
    "idle": {"pause", "resume", "mark_idle", "archive", "expire", "fail"},
    "paused": {"pause", "resume", "archive", "expire", "fail"},
    "archived": {"archive", "expire", "reopen"},
    "expired": {"expire", "reopen"},
    "failed": {"archive", "expire", "fail", "reopen"},
}
"""From each status, the verbs that are obeyed."""


def turn(uow: UnitOfWork, verb: str, session_id: str) -> Status:
    return getattr(uow.sessions, verb)(session_id).status  # type: ignore[no-any-return]


def test_each_status_obeys_some_verbs_and_refuses_the_rest(any_ledger: Ledger, raw: Raw) -> None:
    obeyed: dict[str, set[str]] = {status: set() for status in OBEYED}
    for status in OBEYED:
        for verb, wanted in VERBS.items():
            name = f"{status} {verb}"
            raw(
                "INSERT INTO chatledger_sessions (session_id, status) VALUES (:name, :status)", name=name, status=status
            )
            with any_ledger.begin() as uow:
                refusal = None
                try:
                    assert wanted is turn(uow, verb, name)
                    obeyed[status].add(verb)
                except TransitionRefused as error:
                    refusal = error
                if refusal is not None:
                    assert (name, status, wanted) == (refusal.session_id, refusal.status, refusal.wanted)
                    # It says what can be done instead: all that changes something.
                    others = {other for other in OBEYED[status] if status != VERBS[other]}
                    assert others == set(refusal.possible)
                    assert str(sorted(refusal.possible)[0]) in str(refusal)
                    assert status == uow.sessions.get(name, include_expired=True).status
    assert obeyed == OBEYED


def test_archiving_again_changes_nothing(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s")
        clock.advance(minutes=1)
        first = uow.sessions.archive("s")
        clock.advance(minutes=1)
        second = uow.sessions.archive("s")
    assert first == second
    assert first.updated_at == first.archived_at


def test_expiring_notes_when(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s")
        clock.advance(minutes=1)
        assert clock.now == uow.sessions.expire("s").expired_at


def test_failing_and_reopening_note_no_more_than_they_should(timed_ledger: Ledger, clock: StoppedClock) -> None:
    began = clock.now
    with timed_ledger.begin() as uow:
        uow.sessions.create("s")
        clock.advance(minutes=1)
        failed = uow.sessions.fail("s", reason="the model went away")
        assert (Status.FAILED, False, began, None, None) == (
            failed.status, failed.is_open, failed.last_activity, failed.archived_at, failed.expired_at,
        )  # fmt: skip
        assert failed == uow.sessions.get("s")  # a failed one can be seen
        clock.advance(minutes=1)
        assert failed == uow.sessions.fail("s")
        uow.sessions.archive("s")
        uow.sessions.expire("s")
        clock.advance(minutes=1)
        reopened = uow.sessions.reopen("s")
        assert (Status.ACTIVE, True, clock.now, clock.now, None, None) == (
            reopened.status, reopened.is_open, reopened.last_activity, reopened.updated_at, reopened.archived_at,
            reopened.expired_at,
        )  # fmt: skip
        clock.advance(minutes=1)
        assert reopened == uow.sessions.reopen("s")
        assert 1 == uow.messages.append("s", "user", "on").sequence_number


def test_resuming_counts_as_activity_and_a_clock_gone_back_takes_none_away(
    timed_ledger: Ledger, clock: StoppedClock
) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.pause("s")
        later = clock.advance(minutes=5)
        assert later == uow.sessions.resume("s").last_activity
        uow.sessions.pause("s")
        clock.advance(minutes=-10)
        assert later == uow.sessions.resume("s").last_activity
        uow.sessions.archive("s")
        assert later == uow.sessions.reopen("s").last_activity


def test_archiving_takes_a_snapshot_unless_told_not_to(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        for name in ("kept", "bare", "failed"):
            uow.sessions.create(name)
            uow.messages.append(name, "user", "Hello")
        uow.sessions.fail("failed")
        uow.sessions.archive("kept", reason="done")
        uow.sessions.archive("kept")
        uow.sessions.archive("bare", snapshot=False)
        uow.sessions.archive("failed")
        found = [
            (s.kind, s.message_count, s.reason) for name in ("kept", "bare", "failed") for s in uow.snapshots.list(name)
        ]
        assert [("pre_archive", 1, "done"), ("pre_archive", 1, None)] == found


def test_a_message_wakes_an_idle_session_but_not_a_paused_one(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        for name in ("idle", "paused", "idle in bulk"):
            uow.sessions.create(name)
        uow.sessions.mark_idle("idle")
        uow.sessions.mark_idle("idle in bulk")
        uow.sessions.pause("paused")
        uow.messages.append("idle", "user", "Hello?")
        uow.messages.append("paused", "user", "Hello?")
        uow.messages.append_many("idle in bulk", [{"role": "user"}, {"role": "user"}])
    with any_ledger.read() as uow:
        assert Status.ACTIVE is uow.sessions.get("idle").status
        assert Status.ACTIVE is uow.sessions.get("idle in bulk").status
        assert Status.PAUSED is uow.sessions.get("paused").status


@pytest.mark.parametrize("status", ["archived", "expired", "failed"])
@ONE_FLAVOR
def test_a_closed_session_takes_no_messages_and_loses_none(any_ledger: Ledger, raw: Raw, status: str) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "Hello")
    raw("UPDATE chatledger_sessions SET status = :status", status=status)
    with any_ledger.begin() as uow:
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
    with any_ledger.read() as uow:
        assert ["Hello"] == [message.content for message in uow.messages.history("s")]
        assert not uow.sessions.get("s", include_expired=True).is_open


def test_who_is_not_there_has_no_status_to_change(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        for verb in VERBS:
            with pytest.raises(SessionNotFound):
                turn(uow, verb, "nobody")
