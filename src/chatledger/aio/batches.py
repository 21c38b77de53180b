"""Running a batch, awaited: workers as tasks."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from chatledger.aio.bridge import call_in_thread
from chatledger.callbacks import callback, is_async
from chatledger.execution.batches.run import Run
from chatledger.execution.batches.steps import Begin, Drop, Ended, Step, Transact, Wait
from chatledger.execution.batches.threads import asked, worked
from chatledger.schemas import BatchItem, BatchProgress
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

R = TypeVar("R")


class BatchLedger(Protocol):
    """What a run needs of an asynchronous ledger: transactions in its threads."""

    async def run(self, work: Callable[[UnitOfWork], R], *, actor: str | None = None) -> R: ...

    async def _call(self, function: Callable[[Any], R], /, *, cancelled: Callable[[], object] | None = None) -> R: ...


async def run_batch(
    ledger: BatchLedger,
    job_id: str,
    worker: Callable[[BatchItem], Any] | Callable[[BatchItem], Awaitable[Any]],
    *,
    concurrency: int,
    lease: timedelta | float,
    name: str | None,
    grace: float,
    progress: Callable[[BatchProgress], object] | None,
    stopping: Callable[[], bool] | None,
) -> BatchProgress:
    """`AsyncLedger.run_batch`."""
    stopping = callback(stopping, "stopping")
    how = asked(job_id, worker, concurrency, lease, name, grace, progress, lambda: stopping is not None and stopping())
    return await _Tasks(ledger, worker).run(Run(how))


class _Tasks:
    """Does what a run's course says, with a task for each item."""

    def __init__(self, ledger: BatchLedger, worker: Callable[..., Any]) -> None:
        self._ledger = ledger
        self._worker = worker
        self._awaits = is_async(worker)
        self._tasks: dict[asyncio.Task[Ended], BatchItem] = {}
        self._cancelled = False

    async def run(self, run: Run) -> BatchProgress:
        course = run.course()
        answer: Any = None
        failure: Exception | None = None
        try:
            while True:
                try:
                    step = course.send(answer) if failure is None else course.throw(failure)
                except StopIteration as end:
                    done: BatchProgress = end.value
                    return done
                answer = failure = None
                try:
                    answer = await self._do(step)
                except Exception as error:  # noqa: BLE001 - the course says what is to become of it
                    failure = error
        except BaseException:
            await self._drop(list(self._tasks))
            if run.held:
                with suppress(Exception):  # they come back when their lease ends
                    await self._finished(self._ledger.run(run.give_back))
            raise

    async def _do(self, step: Step) -> Any:
        if self._cancelled:
            if isinstance(step, Transact | Wait):
                raise asyncio.CancelledError
            return None  # the course still takes note of what it has claimed, so that it is given back
        if isinstance(step, Transact):
            if not step.reading:
                return await self._finished(self._ledger.run(step.act))
            return await self._ledger._call(lambda ledger: _read(ledger, step))
        if isinstance(step, Begin):
            self._tasks[asyncio.create_task(self._work(step.item))] = step.item
        elif isinstance(step, Drop):
            await self._drop([task for task, item in self._tasks.items() if item == step.item])
        elif isinstance(step, Wait):
            return await self._wait(step.seconds)
        return None

    async def _finished(self, transaction: Coroutine[Any, Any, Any]) -> Any:
        """What a transaction gave, also when the run is cancelled meanwhile: it is committed, and must be known."""
        task = asyncio.ensure_future(transaction)
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                self._cancelled = True
        return task.result()

    async def _work(self, item: BatchItem) -> Ended:
        if self._awaits:
            try:
                return Ended(item, await self._worker(item))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the item's failure; the latter would end the loop
                return Ended(item, error=error)
        # A thread for each, and none of a pool: one that hangs must not keep the next item from being begun.
        ended, failure = await call_in_thread(lambda: worked(self._worker, item), "chatledger batch")
        if failure is not None:
            raise failure
        if not inspect.isawaitable(ended.value):
            return ended
        try:  # a plain function that returns a coroutine, such as a lambda
            return Ended(item, await ended.value)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            return Ended(item, error=error)

    async def _wait(self, seconds: float) -> list[Ended]:
        if not self._tasks:
            await asyncio.sleep(seconds)
            return []
        done, _ = await asyncio.wait(self._tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return [_ended(self._tasks.pop(task), task) for task in done]

    async def _drop(self, tasks: list[asyncio.Task[Ended]]) -> None:
        """Cancel tasks, and leave those behind that do not heed it."""
        for task in tasks:
            task.cancel()
            self._tasks.pop(task, None)
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)


def _read(ledger: Transactions, step: Transact) -> Any:
    with ledger.read() as uow:
        return step.act(uow)


def _ended(item: BatchItem, task: asyncio.Task[Ended]) -> Ended:
    if task.cancelled():
        return Ended(item, error=asyncio.CancelledError("the worker's task was cancelled"))
    error = task.exception()
    return Ended(item, error=error) if error is not None else task.result()
