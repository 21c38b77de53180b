"""What a ledger does over many transactions: what is done stays done, whatever ends it, and the next goes on."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatledger import (
    AsyncLedger,
    CorruptDatabase,
    Due,
    InvalidInput,
    Ledger,
    OutOfSpace,
    PurgeReport,
    Status,
    SweepReport,
)
from chatledger.database import Database
from chatledger.services import audit
from chatledger.services.retention import erasure, purge
from chatledger.services.sessions import lifecycle
from chatledger.services.snapshots import statements as snapshot_statements
from chatledger.services.timeouts import sweep as sweeps
from tests.support.clock import StoppedClock
from tests.support.contents import places_of
from tests.support.raw import Raw

HOUR = timedelta(hours=1)
NAMES = [f"s{number}" for number in range(7)]


class Killed(BaseException):
    """Ends what is under way, as a signal would."""


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "pages", functools.partial(sweeps.pages, size=2))
    for name in ("chatledger.services.retention.purge.BATCH", "chatledger.services.retention.erasure.BATCH"):
        monkeypatch.setattr(name, 2)


def fill(any_ledger: Ledger, clock: StoppedClock, **limits: Any) -> None:
    """Seven sessions, one second apart."""
    with any_ledger.begin() as uow:
        for name in NAMES:
            uow.sessions.create(name, user_id="zqada", **limits)
            uow.messages.append(name, "user", "otter")
            clock.advance(seconds=1)


def statuses(raw: Raw) -> dict[str, str]:
    return dict(tuple(row) for row in raw("SELECT session_id, status FROM chatledger_sessions ORDER BY session_id"))


def unfinished(raw: Raw) -> list[Any]:
    """Sessions that are archived without their snapshot, or have one and are not."""
    return list(
        raw(
            "SELECT s.session_id FROM chatledger_sessions AS s LEFT JOIN chatledger_session_snapshots AS b ON b.session_id = s.session_id"
            " WHERE (s.status = 'archived') <> (b.kind IS NOT NULL AND b.kind = 'pre_archive')"
        )
    )


def test_a_sweep_that_is_killed_leaves_each_session_done_or_not_begun(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(timed_ledger, clock, archive_timeout=3600)
    clock.advance(hours=2)
    transition = lifecycle.transition

    def die(work: Any, session_id: str, *rest: Any, **how: Any) -> bool:
        if session_id == "s3":
            raise Killed  # its snapshot has been taken
        return transition(work, session_id, *rest, **how)

    with monkeypatch.context() as dying:
        dying.setattr(lifecycle, "transition", die)
        with pytest.raises(Killed):
            timed_ledger.sweep()
    assert NAMES[:3] == [name for name, status in statuses(raw).items() if status == "archived"]
    assert [] == unfinished(raw)
    assert 3 == raw.count("chatledger_audit_log")
    assert 4 == timed_ledger.sweep().archived
    assert set(statuses(raw).values()) == {"archived"}
    assert ([], 7) == (unfinished(raw), raw.count("chatledger_session_snapshots"))


def test_a_warning_is_written_down_before_it_is_sent(timed_ledger: Ledger, clock: StoppedClock, raw: Raw) -> None:
    """Whoever is killed while sending has sent it, as far as the next one knows."""
    fill(timed_ledger, clock, archive_timeout=3600)
    clock.advance(minutes=57)
    sent: list[str] = []

    def kill(due: Due) -> None:
        (row,) = raw("SELECT warned_at FROM chatledger_session_timeouts WHERE session_id = :name", name=due.session_id)
        assert row.warned_at is not None
        sent.append(due.session_id)
        if due.session_id == "s3":
            raise Killed

    with pytest.raises(Killed):
        timed_ledger.sweep(send=kill)
    assert NAMES[:4] == sent
    assert 3 == timed_ledger.sweep(send=kill).warned
    assert NAMES == sent


def damage(raw: Raw, session_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time that no calendar has. A server keeps none, so that there the reader says so."""
    if raw.engine.dialect.name == "sqlite":
        raw("UPDATE chatledger_messages SET created_at = '2026-99-99' WHERE session_id = :name", name=session_id)
        return
    read = snapshot_statements.current_lines

    def fail(work: Any, name: str) -> Any:
        if name == session_id:
            raise CorruptDatabase(f"message 1 of session {name!r} is damaged: run `chatledger db check`")
        return read(work, name)

    monkeypatch.setattr(snapshot_statements, "current_lines", fail)


def test_one_damaged_session_does_not_stop_the_others(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(timed_ledger, clock, archive_timeout=3600)
    damage(raw, "s3", monkeypatch)
    clock.advance(hours=2)
    report = timed_ledger.sweep()
    assert (6, 1) == (report.archived, report.failed)
    (failure,) = report.failures
    assert "s3" == failure.session_id
    assert "chatledger db check" in failure.reason
    assert {**dict.fromkeys(NAMES, "archived"), "s3": "active"} == statuses(raw)
    assert [] == unfinished(raw)
    # The next one tries again, and fails at it again alone.
    assert (0, 1) == ((again := timed_ledger.sweep()).archived, again.failed)
    with pytest.raises(CorruptDatabase), timed_ledger.begin() as uow:
        uow.sessions.archive("s3")
    assert Status.ARCHIVED is timed_ledger.run(lambda uow: uow.sessions.archive("s3", snapshot=False)).status


def test_a_sweep_tells_its_progress_and_can_be_asked_to_stop(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw
) -> None:
    fill(timed_ledger, clock, idle_timeout=60)
    clock.advance(hours=1)
    told: list[int] = []
    asked: list[int] = []

    def stopping() -> bool:
        asked.append(1)
        return len(asked) == 7  # before each page, and before each of its two sessions

    report = timed_ledger.sweep(progress=lambda so_far: told.append(so_far.idled), stopping=stopping)
    assert ([2, 4], 4) == (told, report.idled)
    report = timed_ledger.sweep(progress=lambda so_far: told.append(so_far.idled), actor=None)
    assert ([2, 4, 2, 3], 3) == (told, report.idled)
    assert {"idle"} == set(statuses(raw).values())


def test_a_purge_that_is_killed_leaves_whole_sessions(timed_ledger: Ledger, clock: StoppedClock, raw: Raw) -> None:
    fill(timed_ledger, clock)
    timed_ledger.run(lambda uow: [uow.sessions.archive(name) for name in NAMES])

    def kill(report: PurgeReport) -> None:
        if report.sessions == 4:
            raise Killed

    with pytest.raises(Killed):
        timed_ledger.purge(older_than=0, progress=kill)
    assert NAMES[4:] == list(statuses(raw))
    assert [3, 3, 3] == [
        raw.count(table) for table in ("chatledger_sessions", "chatledger_messages", "chatledger_session_snapshots")
    ]
    assert 3 == timed_ledger.purge(older_than=0, progress=kill).sessions
    assert {} == statuses(raw)


def test_an_erasure_that_is_killed_is_run_again(timed_ledger: Ledger, clock: StoppedClock, raw: Raw) -> None:
    fill(timed_ledger, clock)

    def kill(sessions: int, messages: int) -> None:
        if sessions == 4:
            raise Killed

    with pytest.raises(Killed):
        timed_ledger.erase_user("zqada", keep_totals=True, progress=kill)
    assert 3 == timed_ledger.erase_user("zqada", keep_totals=True, progress=kill, scrub=False).sessions
    assert [] == places_of(raw, ["zqada", *NAMES])
    assert (7, 7) == (raw.count("chatledger_sessions"), raw.count("chatledger_messages"))


def test_each_works_on_what_a_view_can_see(timed_ledger: Ledger, clock: StoppedClock, raw: Raw) -> None:
    with timed_ledger.begin() as uow:
        for user in ("ada", "bob"):
            uow.sessions.create(user, user_id=user, archive_timeout=60)
    clock.advance(hours=1)
    view = timed_ledger.for_user("ada")
    assert ["ada"] == [due.session_id for due in view.sweep(dry_run=True).sessions]
    assert ["ada"] == [due.session_id for due in view.sweep().sessions]
    assert {"ada": "archived", "bob": "active"} == statuses(raw)
    timed_ledger.sweep()
    assert ("ada",) == view.purge(older_than=0).session_ids
    with pytest.raises(InvalidInput, match="user_id"):
        view.erase_user("bob")
    assert {"bob": "archived"} == statuses(raw)
    assert 1 == timed_ledger.for_user("bob").erase_user("bob", scrub=False).sessions


def test_a_time_without_a_zone_is_refused_before_anything_happens(any_ledger: Ledger, raw: Raw) -> None:
    any_ledger.run(lambda uow: uow.sessions.create("s", hard_timeout=1))
    naive: Any = datetime(2200, 1, 1)
    for act in (
        lambda: any_ledger.sweep(now=naive),
        lambda: any_ledger.purge(older_than=0, status="active", now=naive),
    ):
        with pytest.raises(InvalidInput, match="now"):
            act()
    with pytest.raises(InvalidInput, match="actor"):
        any_ledger.sweep(actor="")
    assert {"s": "active"} == statuses(raw)


ServiceContext = Callable[[AsyncLedger, Callable[..., None]], Any]
AWAITED: dict[str, ServiceContext] = {
    "sweep": lambda ledger, told: ledger.sweep(now=datetime.now(UTC) + HOUR, progress=told),
    "purge": lambda ledger, told: ledger.purge(older_than=0, status="active", progress=told),
    "erase_user": lambda ledger, told: ledger.erase_user("ada", progress=told),
}


@pytest.mark.parametrize("name", AWAITED)
def test_a_cancelled_task_ends_between_two_transactions(url: str, raw: Raw, name: str) -> None:
    async def scene() -> None:
        async with AsyncLedger(url) as ledger:

            def fill(uow: Any) -> None:
                for name in NAMES:
                    uow.sessions.create(name, user_id="ada", archive_timeout=60)

            await ledger.run(fill)
            told, gone_on = asyncio.Event(), threading.Event()
            loop = asyncio.get_running_loop()

            def tell(*figures: Any) -> None:
                loop.call_soon_threadsafe(told.set)
                gone_on.wait(5)

            task = asyncio.create_task(AWAITED[name](ledger, tell))
            await told.wait()
            task.cancel()
            await asyncio.sleep(0.05)
            assert not task.done()  # it waits for the transaction that is under way
            gone_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            left = {name for name, status in statuses(raw).items() if status == "active"}
            # A purge ends with its batch, a sweep with the session at hand.
            undone = 5 if name == "sweep" else 3
            assert NAMES[-undone:] == sorted(left)
            assert [] == unfinished(raw)
            assert 0 == (await ledger.pool_status())["in_use"]
            report = await AWAITED[name](ledger, lambda *figures: None)
            assert undone == (report.archived if isinstance(report, SweepReport) else report.sessions)
            assert {"active"} & set(statuses(raw).values()) == set()

    asyncio.run(scene())


def test_a_purge_whose_summary_cannot_be_written_gives_its_report(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(timed_ledger, clock)
    with timed_ledger.begin() as uow:
        for name in NAMES:
            uow.sessions.archive(name, snapshot=False)
    record = audit.record

    def full(work: Any, action: str, **facts: Any) -> None:
        if action == "sessions.purged":
            raise OutOfSpace("the disk is full: nothing was written")
        record(work, action, **facts)

    monkeypatch.setattr(audit, "record", full)
    report = timed_ledger.purge(older_than=0)
    assert (7, 7, 0) == (report.sessions, report.messages, raw.count("chatledger_sessions"))
    # In a transaction of the caller nothing is committed yet, and the error is raised.
    with timed_ledger.begin() as uow:
        uow.sessions.create("late")
        uow.sessions.archive("late", snapshot=False)
    with pytest.raises(OutOfSpace), timed_ledger.begin() as uow:
        uow.timeouts.purge(older_than=0)
    assert 1 == raw.count("chatledger_sessions")


@pytest.mark.parametrize("what", ["purge", "erase_user"])
def test_an_error_says_what_was_committed_before_it(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    fill(timed_ledger, clock)
    with timed_ledger.begin() as uow:
        for name in NAMES:
            uow.sessions.archive(name, snapshot=False)
    module = purge if what == "purge" else erasure
    delete = module.delete_sessions

    def full(work: Any, names: Any, *rest: Any, **how: Any) -> None:
        if "s4" in names:
            raise OutOfSpace("the disk is full: nothing was written")
        delete(work, names, *rest, **how)

    monkeypatch.setattr(module, "delete_sessions", full)
    run: Callable[[], Any] = {
        "purge": lambda: timed_ledger.purge(older_than=0),
        "erase_user": lambda: timed_ledger.erase_user("zqada"),
    }[what]
    with pytest.raises(OutOfSpace, match="before that, 4 sessions with 4 messages were deleted, which stays"):
        run()
    assert 3 == raw.count("chatledger_sessions")


def test_an_erasure_gives_its_receipt_whatever_hinders_the_scrub(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(timed_ledger, clock)

    def full(database: Any) -> bool:
        raise OutOfSpace("the disk is full: nothing was written")

    monkeypatch.setattr(Database, "remove_deleted_content", full)
    receipt = timed_ledger.erase_user("zqada")
    assert (7, 7, False) == (receipt.sessions, receipt.messages, receipt.scrubbed)
    assert 0 == raw.count("chatledger_sessions")
