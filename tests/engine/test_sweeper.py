"""The sweeper as a thing that runs in a process: started, stopped, failed, forked and forgotten."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from chatledger import AsyncLedger, Busy, InvalidInput, Ledger, Status, SweepReport
from chatledger.ledger.sweeper import Sweeper
from tests.faults.nursery import Nursery
from tests.support.clock import StoppedClock

Sweep = Callable[[], SweepReport]


def report() -> SweepReport:
    facts: dict[str, Any] = dict.fromkeys(("warned", "idled", "archived", "failed"), 0)
    return SweepReport(now=StoppedClock().now, dry_run=False, sessions=(), failures=(), **facts)


def until(holds: Callable[[], object], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(holds())


def due_sessions(ledger: Ledger, clock: StoppedClock, count: int) -> None:
    with ledger.begin() as uow:
        for number in range(count):
            uow.sessions.create(f"s{number}", hard_timeout=60)
    clock.advance(hours=1)


def statuses(ledger: Ledger) -> dict[str, int]:
    with ledger.read() as uow:
        return uow.timeouts.report().by_status


def test_it_sweeps_from_its_start_to_the_end_of_its_block(url: str) -> None:
    clock = StoppedClock()
    heard: list[SweepReport] = []
    with closing(Ledger(url, clock=clock)) as ledger:
        due_sessions(ledger, clock, 3)
        with ledger.sweeper(timedelta(milliseconds=10), on_report=heard.append) as sweeper:
            assert until(lambda: sweeper.running and len(heard) > 2)
        assert not sweeper.running
        assert 3 == heard[0].archived
        assert heard[-1] == sweeper.last_report
        after = len(heard)
        due_sessions_later = ledger.run(lambda uow: uow.sessions.create("later", hard_timeout=60))
        clock.advance(hours=1)
        time.sleep(0.05)
        assert after == len(heard)
        with ledger.read() as uow:
            assert Status.ACTIVE is uow.sessions.get(due_sessions_later.session_id).status


def test_it_can_be_stopped_twice_and_started_again() -> None:
    rounds: list[int] = []

    def sweep() -> SweepReport:
        rounds.append(1)
        return report()

    sweeper = Sweeper(sweep, 0.01)
    assert sweeper.stop()
    assert sweeper.start() is sweeper.start()
    assert until(lambda: len(rounds) > 2)
    assert 1 == sum(thread.name == "chatledger sweeper" for thread in threading.enumerate())
    assert sweeper.stop()
    assert sweeper.stop()
    before = len(rounds)
    sweeper.start()
    assert until(lambda: len(rounds) > before)
    assert sweeper.stop()


def test_one_round_in_the_thread_of_the_caller(url: str) -> None:
    clock = StoppedClock()
    with closing(Ledger(url, clock=clock)) as ledger:
        due_sessions(ledger, clock, 2)
        sweeper = ledger.sweeper()
        once = sweeper.once()
        assert once is not None
        assert 2 == once.archived
        assert not sweeper.running
        with ledger.read() as uow:
            assert {"sweeper"} == {entry.actor for entry in uow.audit.list(action="session.archived").items}


def test_run_goes_on_in_the_thread_of_the_caller_until_it_is_told_to_stop() -> None:
    rounds: list[int] = []

    def sweep() -> SweepReport:
        rounds.append(1)
        if len(rounds) == 3:
            sweeper.stop()
        return report()

    sweeper = Sweeper(sweep, 0.001)
    sweeper.run()
    assert 3 == len(rounds)


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf"), True, "60", None, timedelta(0)])
def test_an_interval_that_is_none_is_refused(migrated_sqlite_url: str, interval: Any) -> None:
    with closing(Ledger(migrated_sqlite_url)) as ledger, pytest.raises(InvalidInput, match="interval"):
        ledger.sweeper(interval)


def test_failures_are_told_and_tried_again_later_each_time() -> None:
    failing = True

    def sweep() -> SweepReport:
        if failing:
            raise Busy("locked")
        return report()

    sweeper = Sweeper(sweep, 3600)
    pauses = []
    for _ in range(9):
        assert sweeper.once() is None
        pauses.append(sweeper._pause())
    assert [1, 2, 4, 8, 16, 32, 60, 60, 60] == pauses
    assert "locked" == str(sweeper.last_error)
    failing = False
    assert report() == sweeper.once()
    assert sweeper.last_error is None
    assert 3600 == sweeper._pause()


def test_it_is_not_tried_more_often_than_the_interval() -> None:
    def sweep() -> SweepReport:
        raise Busy("locked")

    sweeper = Sweeper(sweep, 0.5)
    sweeper.once()
    assert 0.5 == sweeper._pause()


@pytest.mark.parametrize("jump", [-3600, 3600], ids=["back", "ahead"])
def test_a_clock_that_jumps_costs_one_round(jump: int) -> None:
    clock = StoppedClock()
    steady = [0.0]
    sweeper = Sweeper(report, 300, clock=clock, steady=lambda: steady[0])

    def passes(seconds: float) -> None:
        steady[0] += seconds
        clock.advance(seconds=seconds)

    assert sweeper.once() is not None
    passes(300)
    assert sweeper.once() is not None
    passes(300)
    clock.advance(seconds=jump)
    assert sweeper.once() is None
    assert sweeper._pause() <= 60
    passes(60)
    assert sweeper.once() is not None
    clock.advance(seconds=30)  # a clock that is corrected a little is no reason
    assert sweeper.once() is not None


def test_a_jump_ahead_that_is_taken_back_archives_nobody(url: str) -> None:
    clock = StoppedClock()
    with closing(Ledger(url, clock=clock)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s", hard_timeout=3600))
        sweeper = ledger.sweeper()
        assert sweeper.once() is not None
        clock.advance(days=400)
        assert sweeper.once() is None
        clock.advance(days=-400)
        assert sweeper.once() is None
        assert sweeper.once() is not None
        assert 1 == statuses(ledger)["active"]


def test_stopping_does_not_wait_for_all_that_is_due(url: str) -> None:
    clock = StoppedClock()
    with closing(Ledger(url, clock=clock)) as ledger:
        due_sessions(ledger, clock, 150)
        first = threading.Event()
        with closing(Ledger(url, clock=clock)) as other:
            ended: list[SweepReport] = []
            sweeper = Sweeper(lambda: other.sweep(stopping=stops), 60, on_report=ended.append, clock=clock)

            def stops() -> bool:
                first.set()
                time.sleep(0.01)
                return sweeper.stopping()

            sweeper.start()
            assert first.wait(10)
            began = time.monotonic()
            assert sweeper.stop(10)
            assert time.monotonic() - began < 5
            assert 1 == len(ended)
            assert ended[0].archived == statuses(ledger)["archived"] < 150


def test_it_stops_between_pages_of_sessions_that_are_not_due(url: str) -> None:
    clock = StoppedClock()
    with closing(Ledger(url, clock=clock)) as ledger:
        with ledger.begin() as uow:
            for number in range(1100):
                uow.sessions.create(f"s{number:04}")
            uow.timeouts.configure_default(hard_timeout=60)
        asked: list[int] = []

        def stops() -> bool:
            asked.append(1)
            return len(asked) > 2

        ledger.sweep(stopping=stops)
        assert 3 == len(asked)
        with ledger.read() as uow:
            assert clock.now == uow.timeouts.report().next_check_at  # the last hundred are still to be looked at


def test_closing_the_ledger_ends_it(url: str) -> None:
    ledger = Ledger(url)
    sweeper = ledger.sweeper(0.01).start()
    assert until(lambda: sweeper.last_report is not None)
    ledger.close()
    assert until(lambda: not sweeper.running)


def test_a_process_that_forgets_it_ends_all_the_same(url: str) -> None:
    program = (
        "import sys, time; from chatledger import Ledger\n"
        "sweeper = Ledger(sys.argv[1]).sweeper(3600).start()\n"
        "while sweeper.last_report is None: time.sleep(0.01)\n"
        "print(sweeper.running)"
    )
    ended = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, timeout=30, check=True)
    assert "True\n" == ended.stdout


def test_after_a_fork_the_parent_sweeps_on_and_the_child_may_start_its_own(nursery: Nursery, url: str) -> None:
    assert {"child": 0, "parent": True} == nursery.start("sweep_after_fork", url).result(within=30)


async def _awaited(url: str, clock: StoppedClock) -> None:
    async with AsyncLedger(url, clock=clock) as ledger:
        async with ledger.begin() as uow:
            await uow.sessions.create("s", hard_timeout=60)
        clock.advance(hours=1)
        heard: list[SweepReport] = []
        sweeper = ledger.sweeper(0.01, on_report=heard.append)
        once = await sweeper.once()
        assert once is not None
        assert 1 == once.archived
        async with sweeper:
            for _ in range(1000):
                if len(heard) > 3 and sweeper.running:
                    break
                await asyncio.sleep(0.005)
        assert not sweeper.running
        assert len(heard) > 3
        assert heard[-1] == sweeper.last_report
        await sweeper.start()
        assert await sweeper.stop(10)


def test_awaited(url: str) -> None:
    asyncio.run(_awaited(url, StoppedClock()))


async def _cancelled(url: str, clock: StoppedClock) -> int:
    async with AsyncLedger(url, clock=clock) as ledger:
        started = asyncio.Event()
        loop = asyncio.get_running_loop()

        def slowly() -> bool:
            loop.call_soon_threadsafe(started.set)
            time.sleep(0.01)
            return False

        task = asyncio.create_task(ledger.sweep(stopping=slowly))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with ledger.read() as uow:
            return (await uow.timeouts.report()).by_status["archived"]


def test_a_cancelled_task_leaves_the_rest_undone(url: str) -> None:
    clock = StoppedClock()
    with closing(Ledger(url, clock=clock)) as ledger:
        due_sessions(ledger, clock, 100)
        assert asyncio.run(_cancelled(url, clock)) == statuses(ledger)["archived"] < 100


def test_an_error_that_is_not_ours_does_not_end_its_thread() -> None:
    outcomes: list[Any] = [ZeroDivisionError("with words of a user"), report(), report()]
    heard: list[SweepReport] = []

    def sweep() -> SweepReport:
        outcome = outcomes.pop(0) if outcomes else report()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def hear(told: SweepReport) -> None:
        heard.append(told)
        raise LookupError

    sweeper = Sweeper(sweep, 0.01, on_report=hear)
    with sweeper:
        assert until(lambda: len(heard) >= 2)
        assert sweeper.running
        assert isinstance(sweeper.last_error, ZeroDivisionError | LookupError)
    with pytest.raises(LookupError):  # in the thread of the caller it is the caller's
        sweeper.once()
