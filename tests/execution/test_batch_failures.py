"""What ends one item of a batch, and must end nothing else."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from chatledger import AsyncLedger, BatchItem, GiveUp, InvalidInput, Ledger, Retry
from chatledger.execution.batches.options import RunOptions
from chatledger.execution.batches.run import Run, _Held
from chatledger.execution.batches.steps import FinishedItem
from chatledger.execution.lease_renewal import LeaseRenewal
from tests.support.raw import Raw


class Mute(Exception):
    """Cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("secret words")


def fill(any_ledger: Ledger, count: int, **how: Any) -> None:
    with any_ledger.begin() as uow:
        uow.batches.create("job", [{"key": str(n), "payload": n} for n in range(count)], **{"backoff": 0.0, **how})


RAISED: list[tuple[str, Any]] = [
    ("Mute", Mute),
    ("Exception", type("", (Exception,), {})),
    ("N" * 255, type("N" * 300, (Exception,), {})),
    ("RuntimeError", lambda: StopIteration(Mute())),
    ("ab", lambda: GiveUp("said", kind="a\x00b")),
    ("GiveUp", lambda: GiveUp("said", kind="")),
    ("GiveUp", lambda: GiveUp(Mute())),  # type: ignore[arg-type]  # on purpose, as below
    ("InvalidInput", lambda: GiveUp("said", kind=5)),  # type: ignore[arg-type]
    ("InvalidInput", lambda: Retry("said", delay=float("nan"))),
    ("InvalidInput", lambda: Retry("said", delay="10")),  # type: ignore[arg-type]
    ("Retry", lambda: Retry("said", delay=-5)),
    ("Retry", lambda: Retry("said", delay=1e12)),
    ("SystemExit", lambda: SystemExit(3)),
    ("KeyboardInterrupt", KeyboardInterrupt),
]


def test_an_exception_of_any_make_is_its_items_failure_alone(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    fill(ledger, len(RAISED) + 1, max_attempts=1)

    def worker(item: BatchItem) -> int:
        if item.payload < len(RAISED):
            raise RAISED[item.payload][1]()
        return 1

    done = ledger.run_batch("job", worker)
    assert (1, len(RAISED)) == (done.done, done.failed)
    with ledger.read() as uow:
        found = [item.error_kind for item in uow.batches.iterate("job", status="failed")]
    assert [kind for kind, _ in RAISED] == found
    assert "secret" not in caplog.text


def test_a_delay_out_of_bounds_is_the_nearest_that_is_none() -> None:
    assert timedelta(0) == Retry(delay=timedelta(seconds=-1)).delay
    assert timedelta(days=365) == Retry(delay=float("inf")).delay
    with pytest.raises(InvalidInput, match="delay"):
        Retry(delay=True)


def test_a_task_that_leaves_the_interpreter_fails_alone(url: str) -> None:
    async def main() -> None:
        async with AsyncLedger(url) as ledger:
            await ledger.run(lambda uow: uow.batches.create("job", [{"key": "a"}, {"key": "b"}], max_attempts=1))

            async def worker(item: BatchItem) -> int:
                if item.key == "a":
                    raise SystemExit(3)
                return 1

            done = await ledger.run_batch("job", worker)
            assert (1, {"SystemExit": 1}) == (done.done, done.errors)

    asyncio.run(main())


def test_a_run_that_is_cancelled_while_it_claims_gives_back_what_it_claimed(url: str) -> None:
    """Whenever it is cancelled; the 50 items would be lost for as long as their lease, and for good at one attempt."""

    async def main() -> None:
        async with AsyncLedger(url) as ledger:
            await ledger.run(
                lambda uow: uow.batches.create("job", [{"key": str(n)} for n in range(50)], max_attempts=1)
            )

            async def worker(item: BatchItem) -> None:
                await asyncio.sleep(60)

            claim = ledger.run
            run: asyncio.Task[Any]

            async def cancelled_meanwhile(work: Any, **how: Any) -> Any:
                asyncio.get_running_loop().call_soon(run.cancel)
                return await claim(work, **how)

            ledger.run = cancelled_meanwhile  # type: ignore[method-assign]
            run = asyncio.create_task(ledger.run_batch("job", worker, concurrency=50))
            with pytest.raises(asyncio.CancelledError):
                await run
            progress = await claim(lambda uow: uow.batches.progress("job"))
            assert (50, 0) == (progress.waiting, progress.running)

    asyncio.run(main())


def test_a_late_thread_does_not_end_the_next_attempt_at_its_item(ledger: Ledger) -> None:
    fill(ledger, 1)
    claims = []
    for _ in range(2):
        with ledger.begin() as uow:
            (item,) = uow.batches.claim("job", worker="w")
            claims.append(item)
            if len(claims) == 1:
                uow.batches.fail(item, "took too long", delay=0)
    run = Run(RunOptions("job", "w", 2, timedelta(minutes=1), 1.0, lambda: False, None))
    run.held[1] = _Held(claims[1], time.monotonic(), LeaseRenewal(timedelta(minutes=1)))
    run._finished = [FinishedItem(claims[0], "late")]
    ledger.run(run.give_back)
    with ledger.read() as uow:
        item = uow.batches.item("job", "0")
    assert ("waiting", 1, None) == (item.status, item.attempts, item.result)


def test_a_run_that_may_have_no_more_items_does_not_ask_all_the_time(
    ledger: Ledger, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four threads and one item at once: the writes are a few for each item, however long the items take."""
    fill(ledger, 6, max_running=1)
    writes, together, most = [0], [0], [0]
    run, lock = ledger.run, threading.Lock()

    def counted(work: Any, **how: Any) -> Any:
        writes[0] += 1
        return run(work, **how)

    monkeypatch.setattr(ledger, "run", counted)

    def worker(item: BatchItem) -> None:
        with lock:
            together[0] += 1
            most[0] = max(most[0], together[0])
        time.sleep(0.15)
        with lock:
            together[0] -= 1

    began = time.monotonic()
    assert 6 == ledger.run_batch("job", worker, concurrency=4).done
    assert 1 == most[0]
    assert writes[0] < 40
    assert time.monotonic() - began < 15
