"""AsyncLedger: the same ledger, awaited. Services run in worker threads, as many as the pool has connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from chatledger.async_housekeeping import AsyncHousekeeping
from chatledger.async_inspection import AsyncInspection
from chatledger.async_safekeeping import AsyncSafekeeping
from chatledger.async_transactions import LedgerThreads
from chatledger.clock import Clock, utc_now
from chatledger.ledger import Ledger, chosen_settings, owner_id
from chatledger.observers import Observer
from chatledger.settings import Preset, Settings


class AsyncLedger(AsyncInspection, AsyncSafekeeping):
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

        super().__init__(LedgerThreads(make, chosen, clock))

    def for_user(self, user_id: str) -> AsyncHousekeeping:
        """As `Ledger.for_user`."""
        return AsyncHousekeeping(self._threads, owner_id(user_id))

    async def synchronous(self) -> Ledger:
        """The ledger behind this one, opened, for functions that take a `Ledger`. What blocks belongs in a thread."""
        return await self._threads.call(self._threads.ledger)

    async def observe(self, observer: Observer) -> Callable[[], None]:
        """As `Ledger.observe`. The observer is called in the threads of the ledger."""
        return await self._threads.call(lambda: self._threads.ledger().observe(observer))

    async def upgrade(self, revision: str = "head") -> None:
        """As `Ledger.upgrade`."""
        await self._threads.call(lambda: self._threads.ledger().upgrade(revision))

    async def downgrade(self, revision: str, *, drop_content: bool = False) -> None:
        """As `Ledger.downgrade`."""
        await self._threads.call(lambda: self._threads.ledger().downgrade(revision, drop_content=drop_content))

    async def current(self) -> str | None:
        """As `Ledger.current`."""
        return await self._threads.call(lambda: self._threads.ledger().current())

    async def info(self) -> dict[str, Any]:
        """As `Ledger.info`."""
        return await self._threads.call(lambda: self._threads.ledger().info())

    async def close(self) -> None:
        """Wait for the transactions that are open, then close the pool. Closing twice is harmless.

        Raises:
            Busy: called inside a unit of work, which it would wait for.
        """
        self._threads.require_outside()
        loop = asyncio.get_running_loop()
        # In a thread of its own: the workers are what is waited for.
        await loop.run_in_executor(None, self._threads.workers.shutdown)
        self._threads.close()

    async def __aenter__(self) -> Self:
        await self._threads.call(self._threads.ledger)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
