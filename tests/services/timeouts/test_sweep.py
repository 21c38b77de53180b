"""The sweep: it warns before it acts, keeps what it archives, and acts on nobody who was active."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatledger import ChatledgerError, Due, InvalidInput, Ledger, SessionClosed, Status
from chatledger.services.timeouts.sweep import PAGE
from tests.support.clock import StoppedClock
from tests.support.contents import contents
from tests.support.raw import Raw

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def done(report: Any) -> list[tuple[str, str, str]]:
    return [(due.session_id, due.action, due.limit) for due in report.sessions]


def test_a_session_is_warned_marked_idle_warned_and_archived_in_its_time(
    timed_ledger: Ledger, clock: StoppedClock
) -> None:
    began = clock.now
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada", project_id="p", title="Trip")
        uow.messages.append("s", "user", "Hello")
        uow.timeouts.configure("s", idle_timeout=10 * MINUTE, archive_timeout=HOUR, hard_timeout=None)
        happened = []
        for minute in range(200):
            clock.now = began + minute * MINUTE
            assert (report := uow.timeouts.sweep(dry_run=True)).sessions == tuple(uow.timeouts.due())
            swept = uow.timeouts.sweep()
            assert (report.sessions, report.warned, report.archived) == (swept.sessions, swept.warned, swept.archived)
            happened += [(minute, due.action, due.limit, (due.at - began) // MINUTE) for due in swept.sessions]
        assert happened == [
            (5, "warn", "idle", 10), (10, "mark idle", "idle", 10), (55, "warn", "archive", 60),
            (60, "archive", "archive", 60),
        ]  # fmt: skip
        session = uow.sessions.get("s")
        archived = began + HOUR
        assert (Status.ARCHIVED, archived) == (session.status, session.archived_at)
        (snapshot,) = uow.snapshots.list("s")
        assert ("pre_archive", 1, "archive limit reached") == (snapshot.kind, snapshot.message_count, snapshot.reason)
        entry = uow.audit.list(action="session.archived").items[0]
        assert ("archive limit reached", {"snapshot": 1, "messages": 1}) == (entry.reason, entry.details)
        with pytest.raises(SessionClosed):
            uow.messages.append("s", "user", "Too late")


def test_a_warning_is_sent_once_for_each_approach(timed_ledger: Ledger, clock: StoppedClock) -> None:
    sent: list[Due] = []
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada", project_id="p", title="Trip", archive_timeout=HOUR)
        clock.advance(minutes=54)
        assert [] == uow.timeouts.warn(sent.append)
        clock.advance(minutes=2)
        for _ in range(3):
            uow.timeouts.warn(sent.append)
        uow.timeouts.sweep(send=sent.append)
        assert 1 == len(sent)
        last = uow.sessions.get("s").last_activity
        assert ("s", "ada", "p", "Trip", "active", "warn", "archive", last + HOUR, last, 0) == tuple(
            sent[0].model_dump().values()
        )
        assert clock.now == uow.timeouts.get("s").warned_at
        # Whoever says something has all of the time again, and is warned again.
        uow.messages.append("s", "user", "Wait!")
        clock.advance(minutes=54)
        uow.timeouts.sweep(send=sent.append)
        assert 1 == len(sent)
        clock.advance(minutes=1)
        uow.timeouts.sweep(send=sent.append)
        assert 2 == len(sent)
        # So does who sets limits again.
        uow.timeouts.configure("s", archive_timeout=HOUR)
        uow.timeouts.sweep(send=sent.append)
        assert 3 == len(sent)
        assert [] == uow.snapshots.list("s")


def test_a_warning_that_cannot_be_sent_is_tried_again_by_the_next_sweep(
    timed_ledger: Ledger, clock: StoppedClock
) -> None:
    class Broken(ChatledgerError):
        """Of ours, and so without content."""

    def fail(due: Due) -> None:
        raise Broken("no network") if due.session_id == "s" else ValueError("with a secret in it")

    sent: list[str] = []
    with timed_ledger.begin() as uow:
        for name in ("s", "t"):
            uow.sessions.create(name, archive_timeout=HOUR)
        clock.advance(minutes=55)
        report = uow.timeouts.sweep(send=fail)
        assert (0, 2, ()) == (report.warned, report.failed, report.sessions)
        assert [
            ("s", "the warning could not be sent: no network"),
            ("t", "the warning could not be sent: ValueError"),
        ] == [(failure.session_id, failure.reason) for failure in report.failures]
        assert uow.timeouts.get("s").warned_at is None
        assert [] == uow.timeouts.warn(fail)
        assert ["s", "t"] == [due.session_id for due in uow.timeouts.warn(lambda due: sent.append(due.session_id))]
        assert ["s", "t"] == sent
        assert [] == uow.timeouts.warn(fail)


def test_a_sweep_of_several_pages_tries_each_warning_once(ledger: Ledger, raw: Raw) -> None:
    """Two sessions are of the second page when both sweeps and sends go on."""
    tried: list[str] = []

    def fail(due: Due) -> None:
        tried.append(due.session_id)
        raise ValueError

    ledger.run(lambda uow: uow.timeouts.configure_default(archive_timeout=HOUR, idle_timeout=None, hard_timeout=None))
    names = ", ".join(f"('s{number:04}')" for number in range(PAGE + 2))
    raw(f"INSERT INTO chatledger_sessions (session_id) VALUES {names}")
    with ledger.begin() as uow:
        soon = uow.sessions.get("s0000").last_activity + 57 * MINUTE
        report = uow.timeouts.sweep(send=fail, now=soon)
    assert (PAGE + 2, 0) == (report.failed, report.warned)
    assert [f"s{number:04}" for number in range(PAGE + 2)] == sorted(tried)


def test_the_hard_limit_does_not_move_by_activity_but_by_being_set(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        for name in ("busy", "paused", "longer", "reopened"):
            uow.sessions.create(name, hard_timeout=HOUR)
        end = clock.now + HOUR
        uow.sessions.pause("paused")
        warned = set()
        for _ in range(59):
            clock.advance(minutes=1)
            uow.messages.append("busy", "user", "still here")
            assert end == uow.timeouts.get("busy").expires_at == uow.timeouts.get("paused").expires_at
            report = uow.timeouts.sweep()
            assert 0 == report.archived
            warned |= {(due.session_id, due.at) for due in report.sessions}
        assert {(name, end) for name in ("busy", "paused", "longer", "reopened")} == warned
        uow.timeouts.configure("longer", hard_timeout=2 * HOUR)
        uow.sessions.archive("reopened")
        uow.sessions.reopen("reopened")
        clock.advance(minutes=1)
        report = uow.timeouts.sweep()
        assert ({"busy", "paused"}, 2) == ({due.session_id for due in report.sessions}, report.archived)
        assert (end + HOUR, end + 59 * MINUTE) == (
            uow.timeouts.get("longer").expires_at, uow.timeouts.get("reopened").expires_at,
        )  # fmt: skip
        assert 59 == uow.snapshots.list("busy")[0].message_count
        assert ["reopened", "longer"] == [due.session_id for due in uow.timeouts.due(within=DAY)]
        # It is warned again, too.
        clock.advance(minutes=55)
        assert {"longer", "reopened"} == {due.session_id for due in uow.timeouts.warn()}


def test_a_pause_stops_the_limits_of_inactivity_and_resuming_begins_them_anew(
    timed_ledger: Ledger, clock: StoppedClock
) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", idle_timeout=MINUTE, archive_timeout=HOUR)
        clock.advance(minutes=2)
        assert 1 == uow.timeouts.sweep().idled
        uow.sessions.pause("s")
        limits = uow.timeouts.get("s")
        assert (None, None, HOUR) == (limits.idle_at, limits.archive_at, limits.archive_timeout)
        clock.advance(days=30)
        uow.messages.append("s", "user", "in a pause")
        assert [] == uow.timeouts.due()
        clock.advance(days=30)
        assert [] == list(uow.timeouts.sweep().sessions)
        uow.sessions.resume("s")
        assert clock.now + MINUTE == uow.timeouts.get("s").idle_at
        assert [] == list(uow.timeouts.sweep().sessions)
        clock.advance(minutes=2)
        assert [("s", "mark idle", "idle")] == done(uow.timeouts.sweep())
        uow.messages.append("s", "user", "awake")
        assert Status.ACTIVE is uow.sessions.get("s").status
        assert [] == list(uow.timeouts.sweep().sessions)
        clock.advance(minutes=2)
        assert [("s", "mark idle", "idle")] == done(uow.timeouts.sweep())
        clock.advance(minutes=58)
        assert [("s", "archive", "archive")] == done(uow.timeouts.sweep())


def crowd(any_ledger: Ledger, clock: StoppedClock) -> None:
    """Sessions that stand in every place; some are due."""
    began = clock.now
    with any_ledger.begin() as uow:
        uow.timeouts.configure_default(
            user_id="ada", idle_timeout=30 * MINUTE, archive_timeout=90 * MINUTE, hard_timeout=DAY
        )
        for number, minutes in enumerate(
            (-1500, -100, -91, -90, -89, -86, -85, -40, -31, -30, -29, -25, -24, -5, 0, 600)
        ):
            for kind in ("plain", "held", "paused", "idle", "failed"):
                clock.now = began + minutes * MINUTE
                name = f"{kind} {number}"
                uow.sessions.create(name, user_id="ada" if number % 3 else None, hard_timeout=2 * DAY)
                uow.messages.append(name, "user", "Hello", created_at=clock.now)
                clock.now = began
                verbs = {"held": "hold", "paused": "pause", "idle": "mark_idle", "failed": "fail"}
                if kind in verbs:
                    getattr(uow.sessions, verbs[kind])(name)
    clock.now = began


def test_a_rehearsal_says_what_will_happen_and_changes_nothing(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw
) -> None:
    crowd(timed_ledger, clock)
    before = contents(raw)
    with timed_ledger.read() as uow:
        rehearsed = uow.timeouts.sweep(dry_run=True)
        due = uow.timeouts.due()
        report = uow.timeouts.report()
    assert timed_ledger.sweep(dry_run=True) == rehearsed
    assert before == contents(raw)
    assert (True, False) == (rehearsed.dry_run, (real := timed_ledger.sweep()).dry_run)
    assert rehearsed == real.model_copy(update={"dry_run": True})
    assert min(real.warned, real.idled, real.archived) > 1
    assert sorted(due, key=lambda one: (one.at, one.session_id)) == due
    assert {one.session_id for one in real.sessions} == {one.session_id for one in due}
    assert (real.warned, real.idled, real.archived) == (
        report.to_warn, report.at_idle_limit, report.at_archive_limit + report.at_hard_limit,
    )  # fmt: skip
    assert {"active": 32, "idle": 16, "paused": 16, "archived": 0, "expired": 0, "failed": 16} == report.by_status
    assert (16, 64) == (report.held, report.limited)  # that no limit holds is known when a sweep has looked
    # Nobody who is held, paused or closed; and nobody is left who is due.
    assert {"plain", "idle"} >= {one.session_id.split()[0] for one in real.sessions}
    with timed_ledger.begin() as uow:
        assert [] == uow.timeouts.due()
        after = uow.timeouts.report()
        assert (real.archived, 0, 0, 0, 0) == (
            after.by_status["archived"], after.to_warn, after.at_idle_limit, after.at_archive_limit, after.at_hard_limit,
        )  # fmt: skip
        assert after.next_check_at is not None
        assert after.next_check_at > clock.now
        assert uow.timeouts.sweep().sessions == ()


def test_who_is_due_within_a_while_is_seen_ahead_the_longest_due_first(
    timed_ledger: Ledger, clock: StoppedClock
) -> None:
    with timed_ledger.begin() as uow:
        for name, minutes in (("c", 50), ("a", 10), ("b", 30)):
            uow.sessions.create(name, idle_timeout=minutes * 60)
        uow.sessions.create("never")
        assert [] == uow.timeouts.due(within=4 * MINUTE)
        ahead = uow.timeouts.due(within=HOUR)
        assert [("a", "mark idle"), ("b", "mark idle"), ("c", "mark idle")] == [(d.session_id, d.action) for d in ahead]
        assert [10, 30, 50] == [(due.at - clock.now) // MINUTE for due in ahead]
        assert ahead[:2] == uow.timeouts.due(within=3600, limit=2)
        assert [("a", "warn")] == [(due.session_id, due.action) for due in uow.timeouts.due(within=300)]
        later = clock.now + 31 * MINUTE
        assert ["a", "b"] == [due.session_id for due in uow.timeouts.due(later)]
        # Whoever is due already stays so, whatever comes.
        assert ["mark idle"] * 3 == [due.action for due in uow.timeouts.due(later, within=HOUR)]
        uow.timeouts.configure_default(idle_timeout=20 * MINUTE)  # all are looked at again, in no order
        clock.advance(hours=2)
        assert ["a", "never", "b", "c"] == [due.session_id for due in uow.timeouts.due()]
        assert ["a"] == [due.session_id for due in uow.timeouts.due(limit=1)]


def test_a_clock_gone_back_archives_nobody(timed_ledger: Ledger, clock: StoppedClock) -> None:
    right = clock.now
    with timed_ledger.begin() as uow:
        uow.timeouts.configure_default(archive_timeout=HOUR)
        uow.sessions.create("s")
        uow.sessions.create("t", archive_timeout=HOUR, hard_timeout=DAY)
        for wrong in (right - MINUTE, right - 3650 * DAY, right.replace(year=1)):
            clock.now = wrong
            assert [] == list(uow.timeouts.sweep().sessions)
            assert [] == uow.timeouts.due()
        clock.now = right + 50 * MINUTE
        uow.messages.append("s", "user", "Hello")
        assert [] == list(uow.timeouts.sweep().sessions)
        clock.now = right + 61 * MINUTE
        assert [("t", "archive", "archive")] == done(uow.timeouts.sweep())


def test_a_time_that_lies_ahead_keeps_nobody(timed_ledger: Ledger, clock: StoppedClock, raw: Raw) -> None:
    """It counts as the time of the sweep that meets it first: from there all limits run."""
    clock.now = datetime.now(UTC)  # with the clock of the database, which a trigger asks
    far = clock.now + 3650 * DAY
    its: dict[str, Any] = {"archive_timeout": HOUR, "idle_timeout": 10 * MINUTE, "hard_timeout": None}
    with timed_ledger.begin() as uow:
        uow.sessions.create("begun", created_at=far, archive_timeout=HOUR, idle_timeout=600)
        uow.sessions.create("hard", created_at=far, hard_timeout=HOUR)
        uow.timeouts.configure_default(**its)
        uow.sessions.create("by default", created_at=far)
        uow.sessions.create("said")
        uow.messages.append("said", "user", "from the future", created_at=far)
        uow.sessions.create("woken")
        uow.sessions.mark_idle("woken")
        uow.messages.append("woken", "user", "from the future", created_at=far)
    raw("INSERT INTO chatledger_sessions (session_id, created_at, last_activity) VALUES ('raw', :far, :far)",
        far=f"{far:%Y-%m-%d %H:%M:%S.%f}")  # fmt: skip
    names = {"begun", "hard", "by default", "said", "woken", "raw"}
    with timed_ledger.begin() as uow:
        clock.advance(seconds=5)
        assert [] == list(uow.timeouts.sweep().sessions)
        clock.advance(minutes=11)
        assert names == {due.session_id for due in uow.timeouts.sweep().sessions if due.action == "mark idle"}
        # The next message is one by a right clock, and the time restarts.
        uow.messages.append("said", "user", "awake")
        assert [] == list(uow.timeouts.sweep().sessions)
        clock.advance(minutes=50)
        assert names - {"said"} == {due.session_id for due in uow.timeouts.sweep().sessions if due.action == "archive"}
        clock.advance(minutes=15)
        assert [("said", "archive", "archive")] == done(uow.timeouts.sweep())


def test_what_is_swept_at_a_given_time_is_archived_at_it(timed_ledger: Ledger, clock: StoppedClock) -> None:
    later = clock.now + 60 * DAY
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", archive_timeout=HOUR)
        assert 1 == uow.timeouts.sweep(now=later).archived
        assert later == uow.sessions.get("s").archived_at
        assert 0 == uow.timeouts.purge(older_than=30 * DAY, now=later).sessions
        assert 1 == uow.timeouts.purge(older_than=30 * DAY, now=later + 30 * DAY).sessions
        for ask in (uow.timeouts.due, uow.timeouts.report):
            with pytest.raises(InvalidInput, match="now"):
                ask(later.replace(tzinfo=None))
        with pytest.raises(InvalidInput, match="now"):
            uow.timeouts.sweep(now=later.replace(tzinfo=None))
