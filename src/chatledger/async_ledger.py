"""AsyncLedger: the same ledger, awaited. Services run in worker threads, as many as the pool has connections."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from chatledger.async_unit_of_work import Answer, AsyncUnitOfWork, Room, answering, uncancelled
from chatledger.clock import Clock, utc_now
from chatledger.errors import Busy, LedgerClosed
from chatledger.ledger import Ledger, chosen_settings, owner_id
from chatledger.schemas import IntegrityReport
from chatledger.settings import Preset, Settings
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork
from chatledger.workers import Workers

R = TypeVar("R")


class AsyncTransactions:
    """Begins transactions, awaited: on a whole ledger, or on what one user sees of it."""

    def __init__(self, core: AsyncCore, user_id: str | None = None) -> None:
        self._core = core
        self._user_id = user_id

    @property
    def user_id(self) -> str | None:
        """The user that this view is limited to, or None for the whole ledger."""
        return self._user_id

    def begin(self) -> AbstractAsyncContextManager[AsyncUnitOfWork]:
        """One read-write transaction, as `Ledger.begin`.

        Leaving the block waits for the statement in flight, also when the task was cancelled, and then commits or rolls
        back: nothing is left half way.
        """
        return self._core.room(lambda: self._transactions().begin())

    def read(self) -> AbstractAsyncContextManager[AsyncUnitOfWork]:
        """One read-only snapshot, as `Ledger.read`."""
        return self._core.room(lambda: self._transactions().read())

    async def run(self, work: Callable[[UnitOfWork], R]) -> R:
        """As `Ledger.run`. `work` is synchronous and runs in a worker thread: one hop for the whole transaction."""
        return await self._core.call(lambda: self._transactions().run(work))

    def _transactions(self) -> Transactions:
        ledger = self._core.ledger()
        return ledger if self._user_id is None else ledger.for_user(self._user_id)


class AsyncCore:
    """The synchronous ledger, opened at first use, and the threads that use it."""

    def __init__(self, make: Callable[[], Ledger], settings: Settings) -> None:
        self.settings = settings
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

    def room(self, opening: Callable[[], AbstractContextManager[UnitOfWork]]) -> Room:
        """A transaction that is yet to be entered."""
        room = Room(opening, self.workers, self.settings.pool_timeout)
        self._rooms.add(room)
        return room

    def require_outside(self) -> None:
        """Raise Busy inside a block of this task, which would wait for itself."""
        if any(room.is_open_here() for room in list(self._rooms)):
            raise Busy("a unit of work of this task is still open: leave its block before you close the ledger")

    async def call(self, function: Callable[[], R]) -> R:
        """Run a function in a worker thread and wait for it, also when cancelled meanwhile."""
        answer: Answer[R] = asyncio.get_running_loop().create_future()
        self.workers.submit(lambda: answering(answer, function))
        outcome, error = await uncancelled(answer)
        if error is not None:
            raise error
        return outcome

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._ledger is not None:
                self._ledger.close()


class AsyncLedger(AsyncTransactions):
    """`Ledger`, awaited, with the same names and the same arguments.

        async with AsyncLedger("chat.db") as ledger:
            async with ledger.begin() as uow:
                await uow.messages.append(session_id, "user", "Hello")

    The database is looked at when it is first used, or at `async with`. Serves any number of tasks and event loops; an
    open transaction has a worker thread to itself, and there are as many as the pool has connections.
    """

    def __init__(
        self,
        url: str | Path | URL | None = None,
        *,
        engine: Engine | None = None,
        settings: Settings | None = None,
        preset: Preset | str | None = None,
        migrate: Literal["empty", "always", "never"] = "empty",
        durability: Literal["normal", "full"] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        chosen = chosen_settings(settings, preset, durability)

        def make() -> Ledger:
            return Ledger(url, engine=engine, settings=chosen, migrate=migrate, clock=clock)

        super().__init__(AsyncCore(make, chosen))

    def for_user(self, user_id: str) -> AsyncTransactions:
        """As `Ledger.for_user`."""
        return AsyncTransactions(self._core, owner_id(user_id))

    async def upgrade(self, revision: str = "head") -> None:
        """As `Ledger.upgrade`."""
        await self._core.call(lambda: self._core.ledger().upgrade(revision))

    async def downgrade(self, revision: str) -> None:
        """As `Ledger.downgrade`."""
        await self._core.call(lambda: self._core.ledger().downgrade(revision))

    async def current(self) -> str | None:
        """As `Ledger.current`."""
        return await self._core.call(lambda: self._core.ledger().current())

    async def check(self) -> IntegrityReport:
        """As `Ledger.check`."""
        return await self._core.call(lambda: self._core.ledger().check())

    async def info(self) -> dict[str, Any]:
        """As `Ledger.info`."""
        return await self._core.call(lambda: self._core.ledger().info())

    async def pool_status(self) -> dict[str, int]:
        """As `Ledger.pool_status`."""
        return await self._core.call(lambda: self._core.ledger().pool_status())

    async def close(self) -> None:
        """Wait for the transactions that are open, then close the pool. Closing twice is harmless.

        Raises:
            Busy: called inside a unit of work, which it would wait for.
        """
        self._core.require_outside()
        loop = asyncio.get_running_loop()
        # In a thread of its own: the workers are what is waited for.
        await loop.run_in_executor(None, self._core.workers.shutdown)
        self._core.close()

    async def __aenter__(self) -> Self:
        await self._core.call(self._core.ledger)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
