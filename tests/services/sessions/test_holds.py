"""A held session: nothing automatic touches it, and people can go on with it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chatledger import Ledger, SessionHeld, SessionNotFound, Status
from tests.support.clock import StoppedClock
from tests.support.contents import contents
from tests.support.raw import Raw

EVERY = list(Status)


def test_nothing_automatic_touches_a_held_session(timed_ledger: Ledger, clock: StoppedClock, raw: Raw) -> None:
    with timed_ledger.begin() as uow:
        for status, verb in (("active", "resume"), ("archived", "archive"), ("expired", "expire"), ("failed", "fail")):
            uow.sessions.create(status, user_id="ada", idle_timeout=60, archive_timeout=120, hard_timeout=180)
            getattr(uow.sessions, verb)(status)
            assert clock.now == uow.sessions.hold(status).held_at
    before = contents(raw)
    far = clock.advance(days=1000)
    sent: list[object] = []
    assert () == timed_ledger.sweep(dry_run=True, send=sent.append).sessions
    assert () == timed_ledger.sweep(send=sent.append).sessions
    with timed_ledger.begin() as uow:
        assert ([], []) == (uow.timeouts.due(within=timedelta(days=1)), uow.timeouts.warn(sent.append))
        assert 0 == uow.sessions.expire_older_than(1, now=far)
        assert (0, 4) == ((report := uow.timeouts.purge(older_than=0, status=EVERY)).sessions, report.held)
        limits = uow.timeouts.get("active")
        assert (True, None, None, None) == (limits.held, limits.idle_at, limits.archive_at, limits.expires_at)
        assert timedelta(seconds=60) == limits.idle_timeout
        assert 4 == uow.timeouts.report().held
    report = timed_ledger.purge(older_than=0, status=EVERY)
    assert (0, 4, ()) == (report.sessions, report.held, report.session_ids)
    assert 4 == timed_ledger.purge(older_than=0, status=EVERY, dry_run=True).held
    assert [] == sent
    # But for when to look again nothing has changed anywhere.
    del before["chatledger_session_timeouts"]
    assert before == {table: rows for table, rows in contents(raw).items() if table != "chatledger_session_timeouts"}


def test_a_held_session_is_not_deleted_or_erased_until_it_is_released(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        for name in ("s", "free"):
            uow.sessions.create(name, user_id="ada")
        uow.sessions.hold("s")
    before = contents(raw)
    with any_ledger.begin() as uow:
        for act in (lambda: uow.sessions.delete("s"), lambda: uow.sessions.erase_user("ada")):
            with pytest.raises(SessionHeld) as caught:
                act()
            assert ("s",) == caught.value.session_ids
            assert "'s'" in str(caught.value)
    with pytest.raises(SessionHeld):
        any_ledger.erase_user("ada", keep_totals=True)
    assert before == contents(raw)
    with any_ledger.begin() as uow:
        assert uow.sessions.release("s").held_at is None
        uow.sessions.delete("s")
        with pytest.raises(SessionNotFound):
            uow.sessions.hold("s")


def test_people_go_on_with_a_held_session(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.hold("s")
        assert 1 == uow.messages.append("s", "user", "on").sequence_number
        uow.snapshots.take("s")
        uow.messages.clear("s")
        assert 1 == uow.snapshots.restore("s:1").message_count
        uow.sessions.mark_idle("s")
        uow.messages.append("s", "user", "awake")
        for verb, status in (("pause", "paused"), ("resume", "active"), ("archive", "archived"), ("expire", "expired")):
            session = getattr(uow.sessions, verb)("s")
            assert (status, True) == (session.status, session.held_at is not None)
        assert uow.sessions.reopen("s").held_at is not None
        assert uow.sessions.fork("s").held_at is None
        assert uow.snapshots.restore("s:1", as_session_id="t").held_at is None


def test_holding_and_releasing_are_in_the_trail_once(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin(actor="counsel") as uow:
        uow.sessions.create("s", user_id="ada")
        held = uow.sessions.hold("s", reason="case 7")
        clock.advance(minutes=1)
        assert held == uow.sessions.hold("s", reason="case 8")
        released = uow.sessions.release("s", reason="settled")
        clock.advance(minutes=1)
        assert released == uow.sessions.release("s")
        trail = [(e.action, e.actor, e.reason, e.session_id, e.user_id) for e in uow.audit.list()]
        assert [
            ("session.released", "counsel", "settled", "s", "ada"), ("session.held", "counsel", "case 7", "s", "ada"),
        ] == trail  # fmt: skip


def test_a_released_session_is_swept_for_what_it_has_missed(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", archive_timeout=60)
        uow.sessions.create("t")
        uow.timeouts.configure_default(archive_timeout=60)
        for name in ("s", "t"):
            uow.sessions.hold(name)
        clock.advance(hours=1)
        assert () == uow.timeouts.sweep().sessions
        for name in ("s", "t"):
            uow.sessions.release(name)
        assert {"s", "t"} == {due.session_id for due in uow.timeouts.sweep().sessions if due.action == "archive"}
