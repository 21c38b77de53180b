"""Begin, read and run, awaited: the work is done in threads."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TypeVar

from sqlalchemy.orm import Session as OrmSession

from chatledger.async_unit_of_work import Answer, AsyncUnitOfWork, Room, answering, uncancelled
from chatledger.callbacks import require_synchronous
from chatledger.clock import Clock
from chatledger.dialects.gate import Turn
from chatledger.errors import Busy, LedgerClosed, NestedWrite
from chatledger.housekeeping import Housekeeping
from chatledger.ledger import Ledger
from chatledger.settings import Settings
from chatledger.unit_of_work import UnitOfWork
from chatledger.workers import Workers

R = TypeVar("R")


class AsyncTransactions:
    """Begins transactions, awaited: on a whole ledger, or on what one user sees of it."""

    def __init__(self, threads: LedgerThreads, user_id: str | None = None) -> None:
        self._threads = threads
        self._user_id = user_id

    @property
    def user_id(self) -> str | None:
        """The user that this view is limited to, or None for the whole ledger."""
        return self._user_id

    def begin(self, *, actor: str | None = None) -> AbstractAsyncContextManager[AsyncUnitOfWork]:
        """One read-write transaction, as `Ledger.begin`.

        Leaving the block waits for the statement in flight, also when the task was cancelled, and then commits or rolls
        back: nothing is left half way.
        """
        return self._threads.room(lambda: self._transactions().begin(actor=actor), writing=True)

    def read(self) -> AbstractAsyncContextManager[AsyncUnitOfWork]:
        """One read-only snapshot, as `Ledger.read`."""
        return self._threads.room(lambda: self._transactions().read())

    async def run(self, work: Callable[[UnitOfWork], R], *, actor: str | None = None) -> R:
        """As `Ledger.run`. `work` is synchronous and runs in a worker thread: one hop for the whole transaction.

        Raises:
            InvalidInput: a coroutine function, which is for `async with ledger.begin()`; and as `Ledger.run`.
        """
        require_synchronous(work, "work")
        self._threads.require_no_writer()
        return await self._threads.call(lambda: self._transactions().run(work, actor=actor))

    async def orm(self, work: Callable[[OrmSession], R]) -> R:
        """Call `work` in a worker thread with a session of `Ledger.orm`, and commit.

        An error rolls back and is raised. The objects that `work` returns stay usable. To await each statement, use
        SQLAlchemy's `AsyncSession` on your own engine: the models can be written there in the same way.

        Raises:
            InvalidInput: `work` is a coroutine or generator function.
        """
        require_synchronous(work, "work")

        def write() -> R:
            with self._transactions().orm() as session, session.begin():
                return work(session)

        return await self._threads.call(write)

    def _transactions(self) -> Housekeeping:
        ledger = self._threads.ledger()
        return ledger if self._user_id is None else ledger.for_user(self._user_id)


class LedgerThreads:
    """The synchronous ledger, opened at first use, and the threads that use it."""

    def __init__(self, make: Callable[[], Ledger], settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.workers = Workers(settings.pool_size + settings.max_overflow)
        self._make = make
        self._lock = threading.Lock()
        self._ledger: Ledger | None = None
        self._closed = False
        self._rooms: weakref.WeakSet[Room] = weakref.WeakSet()

    def ledger(self) -> Ledger:
        """The ledger. Opens it, and so may block: called in a worker thread."""
        with self._lock:
            if self._closed:
                raise LedgerClosed
            if self._ledger is None:
                self._ledger = self._make()
            return self._ledger

    def room(self, opening: Callable[[], AbstractContextManager[UnitOfWork]], *, writing: bool = False) -> Room:
        """A transaction that is yet to be entered."""
        if writing:
            self.require_no_writer()
        room = Room(opening, self.workers, self.settings.pool_timeout, writing=writing)
        self._rooms.add(room)
        return room

    def require_outside(self) -> None:
        """Raise Busy inside a block of this task, which would wait for itself."""
        if any(room.is_open_here() for room in list(self._rooms)):
            raise Busy("a unit of work of this task is still open: leave its block before you close the ledger")

    def require_no_writer(self) -> None:
        """Raise NestedWrite inside a writing block of this task, where one writer at a time is all there can be."""
        ledger = self._ledger
        if ledger is None or not isinstance(ledger._database.gate, Turn):
            return
        if any(room.writing and room.is_open_here() for room in list(self._rooms)):
            raise NestedWrite

    async def call(self, function: Callable[[], R], *, cancelled: Callable[[], object] | None = None) -> R:
        """Run a function in a worker thread and wait for it, also when cancelled meanwhile, which `cancelled` is told."""
        answer: Answer[R] = asyncio.get_running_loop().create_future()
        self.workers.submit(lambda: answering(answer, function))
        outcome, error = await uncancelled(answer, cancelled)
        if error is not None:
            raise error
        return outcome

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._ledger is not None:
                self._ledger.close()
