"""The thread that holds a transaction, and the calls that travel to it."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar

from chatledger.aio.bridge import Answer, set_answer, uncancelled
from chatledger.aio.threads import Workers
from chatledger.aio.unit_of_work import AsyncUnitOfWork
from chatledger.errors import PoolExhausted, UnitOfWorkEnded
from chatledger.unit_of_work import UnitOfWork

R = TypeVar("R")

_Call = tuple[Answer[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class TransactionThread:
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
        self._opened: Answer[UnitOfWork] = Answer(loop=loop)
        self._closed: Answer[None] = Answer(loop=loop)
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
        return AsyncUnitOfWork._of(outcome, self.call)

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

    def is_open_in_this_task(self) -> bool:
        """Whether the task that asks is inside this block."""
        return not self._left and self._task is not None and self._task is asyncio.current_task()

    async def call(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        """Run a function in the thread. A cancelled caller does not wait for it; leaving the block does."""
        if self._left:
            raise UnitOfWorkEnded
        answer: Answer[R] = Answer(loop=asyncio.get_running_loop())
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
                set_answer(self._opened, uow, None)
                while isinstance(call := self._calls.get(), tuple):
                    answer, function, args, kwargs = call
                    self._busy = True
                    try:
                        outcome = function(*args, **kwargs)
                    except BaseException as error:  # noqa: BLE001 - raised where the call was awaited
                        set_answer(answer, None, error)
                    else:
                        set_answer(answer, outcome, None)
                    finally:
                        self._busy = False
                if call is not None:
                    raise call  # rolls back
        except BaseException as error:  # noqa: BLE001 - raised where the block was entered or left
            set_answer(self._closed if opened else self._opened, None, error)
        else:
            set_answer(self._closed, None, None)
