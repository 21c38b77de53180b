"""`run_batch`: workers in threads and tasks, that fail, hang, are stopped, or lose what they had."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from chatledger import (
    AsyncLedger,
    BatchItem,
    BatchNotFound,
    BatchResult,
    Busy,
    GiveUp,
    InvalidInput,
    Ledger,
    Retry,
    UnitOfWork,
)
from chatledger.execution.batches.options import RunOptions
from chatledger.execution.batches.run import Run
from chatledger.execution.batches.steps import FinishedItem, Transact, Wait
from tests.support.raw import Raw


def fill(any_ledger: Ledger, count: int, **how: Any) -> None:
    given = [{"key": f"k{n}", "payload": n} for n in range(1, count + 1)]
    with any_ledger.begin() as uow:
        uow.batches.create("job", given, **{"backoff": 0.0, **how})


def found(any_ledger: Ledger) -> dict[Any, BatchItem]:
    with any_ledger.read() as uow:
        return {item.payload: item for item in uow.batches.iterate("job")}


def test_every_item_is_done_and_failures_are_tried_again_or_given_up(any_ledger: Ledger) -> None:
    fill(any_ledger, 40, max_attempts=3)

    def worker(item: BatchItem) -> Any:
        if item.payload % 10 == 0:
            raise ValueError("always")
        if item.payload == 7:
            raise GiveUp("never") from KeyError("seven")
        if item.payload % 4 == 1 and item.attempts == 1:
            raise Retry("once more", delay=0)
        return {"twice": 2 * item.payload, "attempts": item.attempts}

    heard: list[int] = []
    done = any_ledger.run_batch("job", worker, concurrency=8, progress=lambda now: heard.append(now.done))
    assert (35, 5, {"ValueError": 4, "KeyError": 1}, True) == (done.done, done.failed, done.errors, done.finished)
    assert 35 == heard[-1]
    items = found(any_ledger)
    assert {"twice": 6, "attempts": 1} == items[3].result
    assert {"twice": 10, "attempts": 2} == items[5].result
    assert (3, "ValueError", "always") == (items[10].attempts, items[10].error_kind, items[10].error)
    assert (1, "never") == (items[7].attempts, items[7].error)


def test_what_is_recorded_with_a_result_is_written_once_or_not_at_all(any_ledger: Ledger, raw: Raw) -> None:
    fill(any_ledger, 6, max_attempts=2)

    def worker(item: BatchItem) -> BatchResult:
        def record(uow: UnitOfWork) -> str:
            session = uow.sessions.create(f"s{item.payload}")
            uow.messages.append(session.session_id, "assistant", "answer")
            if item.payload == 2 and item.attempts == 1:
                raise RuntimeError("after writing")
            if item.payload == 3:
                uow.messages.append("no such session", "user", "x")
            return session.session_id

        return BatchResult(item.payload, record)

    done = any_ledger.run_batch("job", worker, concurrency=3)
    assert (5, {"SessionNotFound": 1}) == (done.done, done.errors)
    assert {n: f"s{n}" for n in (1, 2, 4, 5, 6)} == {
        n: item.session_id for n, item in found(any_ledger).items() if item.status == "done"
    }
    assert (5, 5) == (raw.count("chatledger_sessions"), raw.count("chatledger_messages"))


def test_a_result_with_no_json_form_is_a_failure(any_ledger: Ledger) -> None:
    fill(any_ledger, 1, max_attempts=1)
    assert {"InvalidInput": 1} == any_ledger.run_batch("job", lambda item: float("nan")).errors


def test_a_result_of_an_item_that_somebody_else_has_is_dropped(any_ledger: Ledger, raw: Raw) -> None:
    fill(any_ledger, 1)

    def worker(item: BatchItem) -> str:
        if item.lease == 1:
            raw("UPDATE chatledger_batch_items SET status = 'waiting', due_at = NULL")
            return "stale"
        return "right"

    assert 1 == any_ledger.run_batch("job", worker).done
    assert "right" == found(any_ledger)[1].result


def test_leases_are_renewed_while_an_item_takes_long(any_ledger: Ledger) -> None:
    fill(any_ledger, 1)
    done = any_ledger.run_batch("job", lambda item: time.sleep(0.6), lease=0.2)
    assert (1, 1) == (done.done, found(any_ledger)[1].lease)


def test_an_attempt_that_takes_too_long_has_failed_and_its_thread_is_not_heard(any_ledger: Ledger) -> None:
    fill(any_ledger, 2, time_limit=0.1)
    hanging = threading.Event()

    def worker(item: BatchItem) -> str:
        if item.payload == 1 and item.attempts == 1:
            hanging.wait(10)
            return "late"
        if item.payload == 1:
            hanging.set()
        return "in time"

    assert 2 == any_ledger.run_batch("job", worker, concurrency=1).done
    assert [("in time", 2), ("in time", 1)] == [(item.result, item.attempts) for item in found(any_ledger).values()]


def test_a_stopped_run_gives_back_what_is_not_finished(any_ledger: Ledger) -> None:
    fill(any_ledger, 20)
    begun, end = threading.Event(), threading.Event()

    def worker(item: BatchItem) -> str:
        begun.set()
        if item.payload > 1:
            end.wait(10)
        return "done"

    stopped = any_ledger.run_batch("job", worker, concurrency=4, grace=0.2, stopping=begun.is_set)
    end.set()
    assert (0, 20, False) == (stopped.running, stopped.waiting + stopped.done, stopped.finished)
    assert {0} == {item.attempts for item in found(any_ledger).values() if item.status == "waiting"}
    assert 20 == any_ledger.run_batch("job", lambda item: "later").done


def test_a_run_waits_while_paused_and_ends_when_cancelled(any_ledger: Ledger) -> None:
    fill(any_ledger, 6)

    def worker(item: BatchItem) -> None:
        if item.payload == 1:
            any_ledger.run(lambda uow: uow.batches.pause("job"))
            threading.Timer(0.3, lambda: any_ledger.run(lambda uow: uow.batches.resume("job"))).start()
        if item.payload == 3:
            any_ledger.run(lambda uow: uow.batches.cancel("job"))

    done = any_ledger.run_batch("job", worker, concurrency=1)
    assert (3, 3, "cancelled", True) == (done.done, done.waiting, done.status, done.finished)


def test_several_runs_share_a_job(any_ledger: Ledger) -> None:
    fill(any_ledger, 60, max_running=5)
    at_work, most, lock = 0, 0, threading.Lock()
    names: set[str | None] = set()

    def worker(item: BatchItem) -> Any:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
            names.add(item.worker)
        time.sleep(0.002)
        with lock:
            at_work -= 1
        return item.payload * 2

    threads = [
        threading.Thread(target=lambda n=n: any_ledger.run_batch("job", worker, name=f"run {n}")) for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {n: 2 * n for n in range(1, 61)} == {n: item.result for n, item in found(any_ledger).items()}
    assert most <= 5
    assert names <= {"run 0", "run 1", "run 2"}


def test_an_async_worker_runs_as_tasks_and_a_cancelled_run_gives_back(url: str) -> None:
    async def main() -> None:
        async with AsyncLedger(url) as ledger:
            await ledger.run(lambda uow: uow.batches.create("job", [{"key": f"k{n}", "payload": n} for n in range(30)]))
            cancelled: list[int] = []
            begun = asyncio.Event()

            async def hangs(item: BatchItem) -> None:
                begun.set()
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    cancelled.append(item.payload)
                    raise

            run = asyncio.create_task(ledger.run_batch("job", hangs, concurrency=7))
            await begun.wait()
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            async with ledger.read() as uow:
                progress = await uow.batches.progress("job")
            assert (7, 30, 0) == (len(cancelled), progress.waiting, progress.running)

            async def worker(item: BatchItem) -> Any:
                await asyncio.sleep(0.001)
                return item.payload

            assert 30 == (await ledger.run_batch("job", worker, concurrency=30)).done
            async with ledger.read() as uow:
                assert [*range(30)] == [item.result async for item in uow.batches.iterate("job")]

    asyncio.run(main())


def test_a_run_refuses_what_it_cannot_do(ledger: Ledger) -> None:
    async def awaited(item: BatchItem) -> None: ...

    fill(ledger, 1)
    wrong: list[tuple[str, Any]] = [
        ("worker", lambda: ledger.run_batch("job", awaited)),
        ("worker", lambda: ledger.run_batch("job", "name")),  # type: ignore[arg-type]
        ("concurrency", lambda: ledger.run_batch("job", len, concurrency=0)),  # type: ignore[arg-type]
        ("lease", lambda: ledger.run_batch("job", len, lease=0)),  # type: ignore[arg-type]
        ("grace", lambda: ledger.run_batch("job", len, grace=-1)),  # type: ignore[arg-type]
    ]
    for field, act in wrong:
        with pytest.raises(InvalidInput) as refused:
            act()
        assert field == refused.value.field
    with pytest.raises(BatchNotFound):
        ledger.run_batch("nobody", lambda item: item.key)


def test_a_turn_that_could_not_be_written_is_made_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away whenever it is asked for the third time."""
    monkeypatch.setattr("chatledger.execution.batches.run._MAX_POLL", 0.02)
    fill(ledger, 3)
    worked: list[BatchItem] = []
    options = RunOptions("job", "w", 2, timedelta(minutes=1), 1.0, lambda: False, None)
    steps = Run(options).steps()
    step = next(steps)
    refused = 0
    finished: list[FinishedItem] = []
    try:
        while True:
            if isinstance(step, Transact):
                if refused % 3 == 0:
                    refused += 1
                    step = steps.throw(Busy("away"))
                    continue
                refused += 1
                step = steps.send(ledger.run(step.work))
            elif isinstance(step, Wait):
                time.sleep(min(step.seconds, 0.01) if finished else step.seconds)
                finished, answer = [], finished
                step = steps.send(answer)
            else:
                worked.append(step.item)
                finished.append(FinishedItem(step.item, step.item.payload))
                step = next(steps)
    except StopIteration as end:
        last = end.value
    assert 3 == last.done
    assert [1, 2, 3] == [item.payload for item in worked]
