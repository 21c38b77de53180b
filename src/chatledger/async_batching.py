"""Running a batch, awaited: workers as tasks."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

from chatledger.async_transactions import AsyncTransactions
from chatledger.batch_course import Run
from chatledger.batch_steps import Begin, Drop, Ended, Step, Transact, Wait
from chatledger.batch_threads import asked, worked
from chatledger.batching import LEASE
from chatledger.callbacks import callback, is_async
from chatledger.schemas import BatchItem, BatchProgress


class AsyncBatching(AsyncTransactions):
    """`Batching`, awaited."""

    async def run_batch(
        self,
        job_id: str,
        worker: Callable[[BatchItem], Any] | Callable[[BatchItem], Awaitable[Any]],
        *,
        concurrency: int = 4,
        lease: timedelta | float = LEASE,
        name: str | None = None,
        grace: float = 10.0,
        progress: Callable[[BatchProgress], object] | None = None,
        stopping: Callable[[], bool] | None = None,
    ) -> BatchProgress:
        """As `Ledger.run_batch`, with a task for each item; a worker that is not async runs in threads.

        A task that takes longer than the job's time limit, or whose lease was lost, is cancelled. When the run itself is
        cancelled (as by Ctrl-C), so are its tasks, and their items are given back. `record` of a `BatchResult` is
        synchronous.
        """
        stopping = callback(stopping, "stopping")
        how = asked(
            job_id, worker, concurrency, lease, name, grace, progress, lambda: stopping is not None and stopping()
        )
        return await _Tasks(self, worker).run(Run(how))


class _Tasks:
    """Does what a run's course says, with a task for each item."""

    def __init__(self, ledger: AsyncTransactions, worker: Callable[..., Any]) -> None:
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
            return await self._ledger._threads.call(lambda: self._read(step))
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

    def _read(self, step: Transact) -> Any:
        with self._ledger._transactions().read() as uow:
            return step.act(uow)

    async def _work(self, item: BatchItem) -> Ended:
        if self._awaits:
            try:
                return Ended(item, await self._worker(item))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the item's failure; the latter would end the loop
                return Ended(item, error=error)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Ended] = loop.create_future()

        def work() -> None:
            ended = worked(self._worker, item)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_tell, answer, ended)

        # A thread for each, and none of a pool: one that hangs must not keep the next item from being begun.
        threading.Thread(target=work, name="chatledger batch", daemon=True).start()
        ended = await answer
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


def _tell(answer: asyncio.Future[Ended], ended: Ended) -> None:
    if not answer.done():
        answer.set_result(ended)


def _ended(item: BatchItem, task: asyncio.Task[Ended]) -> Ended:
    if task.cancelled():
        return Ended(item, error=asyncio.CancelledError("the worker's task was cancelled"))
    error = task.exception()
    return Ended(item, error=error) if error is not None else task.result()
