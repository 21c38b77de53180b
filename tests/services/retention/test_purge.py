"""The purge: what is closed and old enough is gone for good, with all that hung on it; the trail says that it was."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from chatledger import InvalidInput, Ledger, PurgeReport, Status
from chatledger.services.retention import purge
from tests.support.clock import StoppedClock
from tests.support.contents import contents, places_of
from tests.support.raw import Raw

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CLOSING: dict[Status, str] = {Status.ARCHIVED: "archive", Status.EXPIRED: "expire", Status.FAILED: "fail"}


def closed(any_ledger: Ledger, clock: StoppedClock) -> None:
    """Three sessions of each closed status, closed 1, 2 and 3 days ago; their last activity was 10 days ago."""
    now = clock.now
    with any_ledger.begin() as uow:
        for status, verb in CLOSING.items():
            for days in (1, 2, 3):
                name = f"{status} {days}"
                clock.now = now - 10 * DAY
                uow.sessions.create(name, user_id="ada", metadata={"k": "zqmeta"}, idle_timeout=60)
                uow.messages.append_many(name, [{"role": "user", "content": "zqword"}] * days)
                clock.now = now - days * DAY
                uow.snapshots.take(name)
                getattr(uow.sessions, verb)(name)
        clock.now = now - 10 * DAY
        uow.sessions.create("open")
        uow.messages.append("open", "user", "stays")
    clock.now = now


def test_the_age_counts_from_the_closing_and_of_others_from_the_last_activity(
    timed_ledger: Ledger, clock: StoppedClock
) -> None:
    closed(timed_ledger, clock)
    with timed_ledger.begin() as uow:

        def old(age: Any, status: Any = "archived") -> tuple[str, ...]:
            return uow.timeouts.purge(older_than=age, status=status, dry_run=True).session_ids

        assert ("archived 3", "archived 2") == old(2 * DAY)  # the oldest first; to the very moment
        assert ("archived 3",) == old(2 * DAY + timedelta(microseconds=1))
        assert ("archived 3", "archived 2") == old(48 * 3600) == old(clock.now - 2 * DAY)
        assert ("expired 3",) == old(3 * DAY, Status.EXPIRED)
        assert ("failed 1", "failed 2", "failed 3") == old(10 * DAY, "failed")
        assert () == old(10 * DAY + timedelta(seconds=1), "failed")
        assert ("open",) == old(0, "active")
        assert {"archived 3", "expired 3"} == set(old(3 * DAY, ["archived", "expired"]))
        assert () == old(10**12) == old(timedelta.max) == old(float("inf"))
        later = uow.timeouts.purge(older_than=5 * DAY, dry_run=True, now=clock.now + 4 * DAY)
        assert ("archived 3", "archived 2", "archived 1") == later.session_ids


def test_a_rehearsed_purge_changes_nothing_and_says_what_will_go(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw
) -> None:
    closed(timed_ledger, clock)
    before = contents(raw)
    rehearsed = timed_ledger.purge(older_than=2 * DAY, status=list(CLOSING), dry_run=True)
    with timed_ledger.read() as uow:
        assert rehearsed == uow.timeouts.purge(older_than=2 * DAY, status=list(CLOSING), dry_run=True)
    assert before == contents(raw)
    assert (True, 7, 16, 0) == (rehearsed.dry_run, rehearsed.sessions, rehearsed.messages, rehearsed.held)
    real = timed_ledger.purge(older_than=2 * DAY, status=list(CLOSING))
    assert rehearsed == real.model_copy(update={"dry_run": True})
    with timed_ledger.read() as uow:
        left = {session.session_id for session in uow.sessions.list(status=list(Status))}
        assert {"archived 1", "expired 1", "open"} == left


def test_all_that_hangs_on_a_session_goes_with_it_and_the_trail_keeps_figures(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw
) -> None:
    closed(timed_ledger, clock)
    with timed_ledger.begin(actor="cron") as uow:
        report = uow.timeouts.purge(older_than=0, status=list(CLOSING), reason="30 days are over")
        assert (9, 18) == (report.sessions, report.messages)
        assert [] == list(uow.search.messages("zqword"))
        assert 1 == len(uow.search.messages("stays").items)
        entries = list(uow.audit.list(action="session.purged"))
        assert {("cron", "30 days are over", clock.now, "ada", 1)} == {
            (entry.actor, entry.reason, entry.at, entry.user_id, entry.count) for entry in entries
        }
        assert {f"{status} {days}": {"messages": days} for status in CLOSING for days in (1, 2, 3)} == {
            entry.session_id: entry.details for entry in entries
        }
        (summary,) = uow.audit.list(action="sessions.purged")
        assert ("cron", 9, {"messages": 18, "before": clock.now.isoformat()}) == (
            summary.actor, summary.count, summary.details,
        )  # fmt: skip
        assert [] == list(uow.audit.list(action="messages.deleted"))
        assert 0 == uow.timeouts.purge(older_than=0, status=list(CLOSING)).sessions
        assert 1 == len(uow.audit.list(action="sessions.purged").items)  # nothing to tell of
    counts = [
        raw.count(t)
        for t in (
            "chatledger_sessions",
            "chatledger_messages",
            "chatledger_session_metadata",
            "chatledger_session_timeouts",
            "chatledger_session_snapshots",
        )
    ]
    assert [1, 1, 0, 0, 0] == counts
    assert {"chatledger_messages_fts_data", "chatledger_sessions_fts_data"} >= {
        table for table, _ in places_of(raw, ["zqword", "zqmeta"])
    }


def test_a_purge_goes_in_batches_and_tells_of_each(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "BATCH", 3)
    monkeypatch.setattr(purge, "BATCH_MESSAGES", 10)
    sizes = [1, 1, 1, 1, 8, 8, 20, 1]
    with timed_ledger.begin() as uow:
        for number, size in enumerate(sizes):
            uow.sessions.create(f"s{number}")
            uow.messages.append_many(f"s{number}", [{"role": "user"}] * size)
            uow.sessions.archive(f"s{number}", snapshot=False)
            if number == 1:
                uow.sessions.hold("s1")
            clock.advance(seconds=1)
    told: list[PurgeReport] = []
    rehearsed = timed_ledger.purge(older_than=0, dry_run=True)
    report = timed_ledger.purge(older_than=0, progress=told.append)
    assert rehearsed == report.model_copy(update={"dry_run": True})
    # Pages of three: s0 and s2 (s1 is held); s3 and s4, then s5; s6, then s7.
    assert [2, 4, 5, 6, 7] == [step.sessions for step in told]
    assert (7, 40, 1) == (report.sessions, report.messages, report.held)
    assert told[-1] == report
    assert [("s1",)] == [tuple(row) for row in raw("SELECT session_id FROM chatledger_sessions")]


def test_a_purge_of_what_is_none_is_refused_by_name(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.archive("s")
    before = contents(raw)
    ages: tuple[Any, ...] = (-1, timedelta(-1), float("nan"), True, "1", None, [])
    for age in ages:
        with pytest.raises(InvalidInput, match="older_than"):
            any_ledger.purge(older_than=age)
    for status in ("", "closed", [], ["archived", "x"], None, 5):
        with pytest.raises(InvalidInput, match="status"):
            any_ledger.purge(older_than=0, status=status)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="reason"):
        any_ledger.purge(older_than=0, reason="x" * 1001)
    assert before == contents(raw)


def test_cleaning_up_hides_what_has_been_inactive_for_so_many_hours(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin(actor="cron") as uow:
        for name, verb in (
            ("a", None),
            ("b", "mark_idle"),
            ("c", "pause"),
            ("d", "archive"),
            ("e", "fail"),
            ("f", "hold"),
        ):
            uow.sessions.create(name, user_id="ada")
            uow.messages.append(name, "user", "otter")
            if verb is not None:
                getattr(uow.sessions, verb)(name)
        clock.advance(hours=2)
        uow.sessions.create("new")
        assert 0 == uow.sessions.expire_older_than(2.0001)
        assert 1 == uow.sessions.expire_older_than(2, limit=1)
        assert 2 == uow.sessions.expire_older_than(2, reason="spring")
        assert 0 == uow.sessions.expire_older_than(2)
        assert {"new", "d", "e", "f"} == {session.session_id for session in uow.sessions.list()}
        assert uow.sessions.find("a") is None
        expired = uow.sessions.get("a", include_expired=True)
        assert (clock.now, 1) == (expired.expired_at, expired.message_count)
        assert [("c", "spring"), ("b", "spring"), ("a", "inactive for 2 hours")] == [
            (entry.session_id, entry.reason) for entry in uow.audit.list(action="session.expired", actor="cron")
        ]
        for hours in (0, -1, float("nan"), True, "1", None):
            with pytest.raises(InvalidInput, match="hours"):
                uow.sessions.expire_older_than(hours)  # type: ignore[arg-type]
        for hours in (10**8, 10**300, 10**5000, float("inf")):
            assert 0 == uow.sessions.expire_older_than(hours)
        assert 1 == uow.sessions.expire_older_than(1, now=clock.now + HOUR)


def test_the_usage_of_deleted_sessions_is_not_visited_cell_by_cell(migrated_postgres_url: str) -> None:
    scans = "SELECT seq_scan + idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'chatledger_session_usage'"
    with closing(Ledger(migrated_postgres_url)) as ledger, ledger.begin() as uow:
        uow.sessions.create("a")
        for model in "pqrs":
            uow.messages.append("a", "user", "otter", model_id=model)
    raw = Raw(migrated_postgres_url)
    with raw.engine.begin() as connection:
        connection.execute(text("DELETE FROM chatledger_messages WHERE model_id = 'p'"))  # the session remains
        before = connection.execute(text(scans)).scalar_one()
        connection.execute(text("DELETE FROM chatledger_sessions"))
        # By the foreign key and by the trigger, which would otherwise look at each cell twice.
        assert before + 2 == connection.execute(text(scans)).scalar_one()
    assert [] == raw("SELECT 1 FROM chatledger_session_usage")
