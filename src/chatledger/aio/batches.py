"""Running a batch with a task for each item."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from chatledger.aio.bridge import call_in_thread
from chatledger.aio.worker_tasks import await_worker
from chatledger.callbacks import callback, is_async
from chatledger.execution.batches.options import run_options
from chatledger.execution.batches.run import Run
from chatledger.execution.batches.steps import AbandonItem, FinishedItem, StartItem, Step, Transact, Wait
from chatledger.execution.batches.threads import THREAD_NAME
from chatledger.execution.stopping import StopRequest
from chatledger.execution.workers import call_worker
from chatledger.schemas import BatchItem, BatchProgress
from chatledger.unit_of_work import UnitOfWork

R = TypeVar("R")


class BatchLedger(Protocol):
    """What a run needs of an asynchronous ledger: transactions in its threads."""

    async def run(
        self, work: Callable[[UnitOfWork], R], *, actor: str | None = None, retry_timeout: float | None = None
    ) -> R: ...

    async def _call(self, function: Callable[[Any], R], /, *, cancelled: Callable[[], object] | None = None) -> R: ...


async def run_batch(
    ledger: BatchLedger,
    worker: Callable[[BatchItem], Any] | Callable[[BatchItem], Awaitable[Any]],
    stopping: Callable[[], bool] | None,
    **options: Any,
) -> BatchProgress:
    """`AsyncLedger.run_batch`."""
    run = Run(run_options(worker, StopRequest(callback(stopping, "stopping")), **options))
    return await _Driver(ledger, worker).drive(run)


class _Driver:
    """Does what the steps of a run ask for."""

    def __init__(self, ledger: BatchLedger, worker: Callable[..., Any]) -> None:
        self._ledger = ledger
        self._worker = worker
        self._is_async = is_async(worker)
        self._tasks: dict[asyncio.Task[FinishedItem], BatchItem] = {}
        self._cancelled = False

    async def drive(self, run: Run) -> BatchProgress:
        steps = run.steps()
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._do(step)
                except Exception as error:  # noqa: BLE001 - the run decides whether to go on
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            progress: BatchProgress = end.value
            return progress
        except BaseException:
            await self._cancel(list(self._tasks))
            if run.held:
                with suppress(Exception):  # their leases end in any case
                    await self._to_the_end(self._ledger.run(run.give_back, retry_timeout=0))
            raise

    async def _do(self, step: Step) -> Any:
        if self._cancelled:
            if isinstance(step, Transact | Wait):
                raise asyncio.CancelledError
            return None  # the run takes note of the items that it has just claimed, so that they are given back
        if isinstance(step, Transact):
            if step.read_only:
                return await self._ledger._call(step.run)
            return await self._to_the_end(self._ledger.run(step.work, retry_timeout=0))
        if isinstance(step, Wait):
            return await self._wait(step.seconds)
        if isinstance(step, StartItem):
            self._tasks[asyncio.create_task(self._work(step.item))] = step.item
        elif isinstance(step, AbandonItem):
            await self._cancel([task for task, item in self._tasks.items() if item is step.item])
        return None

    async def _to_the_end(self, transaction: Coroutine[Any, Any, Any]) -> Any:
        """Await a transaction even if the run is cancelled meanwhile, because the run must know what was committed."""
        task = asyncio.ensure_future(transaction)
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                self._cancelled = True
        return task.result()

    async def _work(self, item: BatchItem) -> FinishedItem:
        if self._is_async:
            return await await_worker(self._worker(item), item)
        # A thread for each call, as `WorkerThreads` has: a call that hangs must not keep the next one from starting.
        finished, failure = await call_in_thread(lambda: call_worker(self._worker, item), THREAD_NAME)
        if failure is not None:
            raise failure
        if inspect.isawaitable(finished.value):  # a plain function that returns a coroutine, such as a lambda
            return await await_worker(finished.value, item)
        return finished

    async def _wait(self, seconds: float) -> list[FinishedItem]:
        if not self._tasks:
            await asyncio.sleep(seconds)
            return []
        done, _ = await asyncio.wait(self._tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return [_finished(self._tasks.pop(task), task) for task in done]

    async def _cancel(self, tasks: list[asyncio.Task[FinishedItem]]) -> None:
        """Cancel tasks, and abandon those that go on nevertheless."""
        for task in tasks:
            task.cancel()
            self._tasks.pop(task, None)
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)


def _finished(item: BatchItem, task: asyncio.Task[FinishedItem]) -> FinishedItem:
    if task.cancelled():
        return FinishedItem(item, error=asyncio.CancelledError("the worker's task was cancelled"))
    error = task.exception()
    return FinishedItem(item, error=error) if error is not None else task.result()
