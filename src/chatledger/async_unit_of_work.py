"""One transaction, awaited: a thread holds it, and every call travels there."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from chatledger.callbacks import required_callback
from chatledger.errors import PoolExhausted, UnitOfWorkEnded
from chatledger.services.awaited import (
    AsyncAnnotations,
    AsyncAudit,
    AsyncBatches,
    AsyncComparisons,
    AsyncMessages,
    AsyncMetadata,
    AsyncMetrics,
    AsyncModels,
    AsyncProjects,
    AsyncSearch,
    AsyncSessions,
    AsyncSnapshots,
    AsyncStatistics,
    AsyncTimeouts,
    AsyncWorkflows,
)
from chatledger.services.lifted import Lifted
from chatledger.unit_of_work import UnitOfWork
from chatledger.workers import Workers

R = TypeVar("R")

#: What came of a call: its value, or the error that it raised. (A future refuses to hold a StopIteration.)
Answer = asyncio.Future[tuple[R, BaseException | None]]

_Call = tuple[Answer[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]


_SERVICES: dict[str, type[Lifted]] = {
    "sessions": AsyncSessions,
    "messages": AsyncMessages,
    "metadata": AsyncMetadata,
    "search": AsyncSearch,
    "timeouts": AsyncTimeouts,
    "snapshots": AsyncSnapshots,
    "audit": AsyncAudit,
    "projects": AsyncProjects,
    "models": AsyncModels,
    "statistics": AsyncStatistics,
    "metrics": AsyncMetrics,
    "annotations": AsyncAnnotations,
    "comparisons": AsyncComparisons,
    "batches": AsyncBatches,
    "workflows": AsyncWorkflows,
}


class AsyncUnitOfWork:
    """The services of one transaction, awaited. One task at a time: calls run in the order they were made."""

    sessions: AsyncSessions
    messages: AsyncMessages
    metadata: AsyncMetadata
    search: AsyncSearch
    timeouts: AsyncTimeouts
    snapshots: AsyncSnapshots
    audit: AsyncAudit
    projects: AsyncProjects
    models: AsyncModels
    statistics: AsyncStatistics
    metrics: AsyncMetrics
    annotations: AsyncAnnotations
    comparisons: AsyncComparisons
    batches: AsyncBatches
    workflows: AsyncWorkflows

    def __init__(self, room: Room) -> None:
        self._room = room

    if not TYPE_CHECKING:  # or a type checker would take any name for a service

        def __getattr__(self, name: str) -> Any:
            """The service of that name, awaited."""
            try:
                cls = _SERVICES[name]
            except KeyError:
                raise AttributeError(
                    f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
                ) from None
            service = cls(getattr(self._room.uow, name), self._room.call)
            self.__dict__[name] = service
            return service

    async def run(self, work: Callable[[UnitOfWork], R]) -> R:
        """Call a synchronous function with the synchronous unit of work of this transaction.

        Raises:
            InvalidInput: a coroutine or generator function, or one that returned something of the kind.
        """
        return await self._room.call(required_callback(work, "work"), self._room.uow)


class Room:
    """A thread that opens one transaction, serves calls to it, and closes it.

    Each open transaction has a thread to itself: were threads shared, those that wait for the lock could take them all,
    and the one that holds it would find none for its next statement.
    """

    uow: UnitOfWork

    def __init__(
        self,
        opening: Callable[[], AbstractContextManager[UnitOfWork]],
        workers: Workers,
        timeout: float,
        *,
        writing: bool = False,
    ) -> None:
        self._opening = opening
        self._workers = workers
        self._timeout = timeout
        self.writing = writing
        self._calls: queue.SimpleQueue[_Call | BaseException | None] = queue.SimpleQueue()
        self._left = False
        self._busy = False
        self._task: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> AsyncUnitOfWork:
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._opened: Answer[UnitOfWork] = loop.create_future()
        self._closed: Answer[None] = loop.create_future()
        job = self._workers.submit(self._serve)
        try:
            await asyncio.wait([self._opened], timeout=self._timeout)
            if not self._opened.done() and job.cancel():
                raise PoolExhausted
            outcome, error = await asyncio.shield(self._opened)
        except BaseException:
            # It may open after all: then it finds this at once and rolls back.
            job.cancel()
            self._left = True
            self._calls.put(asyncio.CancelledError())
            raise
        if error is not None:
            self._left = True
            raise error
        self.uow = outcome
        return AsyncUnitOfWork(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left = True
        self._calls.put(error)
        if isinstance(error, asyncio.CancelledError) and self._busy:
            self.uow.interrupt()
        _, failure = await uncancelled(self._closed)
        if failure is not None and failure is not error:
            raise failure

    def is_open_here(self) -> bool:
        """Whether the task that asks is inside this block."""
        return not self._left and self._task is not None and self._task is asyncio.current_task()

    async def call(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        """Run a function in the thread. A cancelled caller does not wait for it; leaving the block does."""
        if self._left:
            raise UnitOfWorkEnded
        answer: Answer[R] = asyncio.get_running_loop().create_future()
        self._calls.put((answer, function, args, kwargs))
        outcome, error = await answer
        if error is not None:
            raise error
        return outcome

    def _serve(self) -> None:
        opened = False
        try:
            with self._opening() as uow:
                opened = True
                _tell(self._opened, uow, None)
                while isinstance(call := self._calls.get(), tuple):
                    answer, function, args, kwargs = call
                    self._busy = True
                    try:
                        outcome = function(*args, **kwargs)
                    except BaseException as error:  # noqa: BLE001 - raised where the call was awaited
                        _tell(answer, None, error)
                    else:
                        _tell(answer, outcome, None)
                    finally:
                        self._busy = False
                if call is not None:
                    raise call  # rolls back
        except BaseException as error:  # noqa: BLE001 - raised where the block was entered or left
            _tell(self._closed if opened else self._opened, None, error)
        else:
            _tell(self._closed, None, None)


async def uncancelled(
    answer: Answer[R], cancelled: Callable[[], object] | None = None
) -> tuple[R, BaseException | None]:
    """Wait for an answer even when cancelled meanwhile; the cancellation is raised once it is there."""
    cancellation: asyncio.CancelledError | None = None
    while not answer.done():
        try:
            await asyncio.shield(answer)
        except asyncio.CancelledError as error:
            cancellation = error
            if cancelled is not None:
                cancelled()
    if cancellation is not None:
        raise cancellation
    return answer.result()


def _tell(answer: Answer[Any], outcome: Any, error: BaseException | None) -> None:
    """Answer a future from a thread, on whichever loop it belongs to, if anybody still waits."""

    def settle() -> None:
        if not answer.done():
            answer.set_result((outcome, error))

    with suppress(RuntimeError):  # the loop is closed: nobody waits
        answer.get_loop().call_soon_threadsafe(settle)


def answering(answer: Answer[R], function: Callable[[], R]) -> None:
    """In a thread: call a function and tell what came of it."""
    try:
        outcome = function()
    except BaseException as error:  # noqa: BLE001 - raised where it is awaited
        _tell(answer, None, error)
    else:
        _tell(answer, outcome, None)
