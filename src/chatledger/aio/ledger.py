"""AsyncLedger: the same ledger, awaited. Services run in worker threads, as many as the pool has connections."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, Unpack

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from chatledger.aio.bridge import call_in_thread, result_of
from chatledger.aio.ledger_threads import LedgerThreads
from chatledger.aio.method import interruptible_method, ledger_method
from chatledger.aio.user_ledger import AsyncUserLedger
from chatledger.backup import health
from chatledger.backup.progress import Progress
from chatledger.callbacks import callback
from chatledger.clock import Clock, utc_now
from chatledger.errors import ChatledgerError, InvalidInput
from chatledger.ledger.ledger import READER_WAIT, Ledger, chosen_settings, owner_id
from chatledger.ledger.shared import LedgerOptions, Migrate, SharedLedgers
from chatledger.schemas import Health, RestoreReport
from chatledger.settings import Preset, Settings


class AsyncLedger(AsyncUserLedger):
    """`Ledger`, awaited, with the same names and the same arguments.

        async with AsyncLedger("chat.db") as ledger:
            async with ledger.begin() as uow:
                await uow.messages.append(session_id, "user", "Hello")

    The database is looked at when it is first used, or at `async with`. Serves any number of tasks and event loops; an
    open transaction has a worker thread to itself, and there are as many as the pool has connections.

    `ledger=` uses the pool of a `Ledger`, for a program that is partly sync and partly async. It stays open when this
    one is closed.
    """

    def __init__(
        self,
        url: str | Path | URL | None = None,
        *,
        ledger: Ledger | None = None,
        engine: Engine | None = None,
        settings: Settings | None = None,
        preset: Preset | str | None = None,
        migrate: Migrate = "empty",
        create: bool = True,
        check: Literal["quick", "full"] | None = None,
        durability: Literal["normal", "full"] | None = None,
        prepared_statements: bool | None = None,
        reader: str | URL | None = None,
        reader_wait: float = READER_WAIT,
        clock: Clock = utc_now,
    ) -> None:
        if ledger is not None:
            others = (url, engine, settings, preset, check, durability, prepared_statements, reader)
            if any(other is not None for other in others):
                raise InvalidInput("ledger", "cannot be combined with a URL, an engine or settings: it has its own")
            super().__init__(_threads_of(ledger), user_id=None)
            return
        chosen = chosen_settings(settings, preset, durability, prepared_statements)

        def make() -> Ledger:
            return Ledger(
                url, engine=engine, settings=chosen, migrate=migrate, create=create, check=check, reader=reader,
                reader_wait=reader_wait, clock=clock,
            )  # fmt: skip

        super().__init__(LedgerThreads(make, chosen, clock), user_id=None)

    @staticmethod
    def shared(url: str | Path | URL | None = None, **options: Unpack[LedgerOptions]) -> AsyncLedger:
        """As `Ledger.shared`, and with the same pool. It is opened when it is first used."""
        return _shared.take(url, dict(options), lambda: _sharing(url, options))

    def for_user(self, user_id: str) -> AsyncUserLedger:
        """As `Ledger.for_user`."""
        return AsyncUserLedger(self._threads, owner_id(user_id))

    async def synchronous(self) -> Ledger:
        """The ledger behind this one, opened, for functions that take a `Ledger`. What blocks belongs in a thread."""
        return await self._threads.call(self._threads.ledger)

    observe = ledger_method(Ledger.observe)
    upgrade = ledger_method(Ledger.upgrade)
    downgrade = ledger_method(Ledger.downgrade)
    current = ledger_method(Ledger.current)
    info = ledger_method(Ledger.info)
    sizes = ledger_method(Ledger.sizes)
    pool_status = ledger_method(Ledger.pool_status)
    secure = ledger_method(Ledger.secure)
    unsecure = ledger_method(Ledger.unsecure)
    maintain = ledger_method(Ledger.maintain)
    check = interruptible_method(Ledger.check)
    repair = interruptible_method(Ledger.repair)
    backup = interruptible_method(Ledger.backup)
    copy_to = interruptible_method(Ledger.copy_to)

    @staticmethod
    async def restore(
        path: str | Path, url: str | Path | URL, *, overwrite: bool = False, progress: Progress | None = None
    ) -> RestoreReport:
        """As `Ledger.restore`. `progress` is synchronous and called in another thread."""
        progress = callback(progress, "progress")
        stopped = threading.Event()

        def told(*figures: Any) -> None:
            if stopped.is_set():
                raise asyncio.CancelledError
            if progress is not None:
                progress(*figures)

        return await result_of(
            call_in_thread(lambda: Ledger.restore(path, url, overwrite=overwrite, progress=told)), stopped.set
        )

    async def health(
        self,
        *,
        timeout: float = health.TIMEOUT,
        pool_share: float = health.POOL_SHARE,
        wal_bytes: int = health.WAL_BYTES,
        disk_free_bytes: int = health.DISK_FREE_BYTES,
        sweep_lag: float = health.SWEEP_LAG,
    ) -> Health:
        """As `Ledger.health`. A ledger that is yet to be opened is opened by it, which may take longer."""
        how: dict[str, Any] = {
            "timeout": timeout, "pool_share": pool_share, "wal_bytes": wal_bytes, "disk_free_bytes": disk_free_bytes,
            "sweep_lag": sweep_lag,
        }  # fmt: skip

        def ask() -> Health:
            try:
                ledger = self._threads.ledger()
            except ChatledgerError as error:
                return health.unopened(error)
            return ledger.health(**how)

        # Not one of the ledger's own threads: when all of them are busy, that is what is to be told.
        return await result_of(call_in_thread(ask))

    async def close(self) -> None:
        """Wait for the transactions that are open, then close the pool. Closing twice is harmless.

        A `shared` ledger is closed once it has been closed as many times as it was asked for.

        Raises:
            Busy: called inside a unit of work, which it would wait for.
        """
        self._threads.require_outside()
        if not _shared.give_back(self):
            return
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


_shared: SharedLedgers[AsyncLedger] = SharedLedgers()


def _sharing(url: str | Path | URL | None, options: LedgerOptions) -> AsyncLedger:
    """An AsyncLedger on the ledger that `Ledger.shared` opens."""
    chosen = chosen_settings(
        options.get("settings"), options.get("preset"), options.get("durability"), options.get("prepared_statements")
    )
    ledger = AsyncLedger.__new__(AsyncLedger)
    threads = LedgerThreads(lambda: Ledger.shared(url, **options), chosen, options.get("clock", utc_now))
    AsyncUserLedger.__init__(ledger, threads, user_id=None)
    return ledger


def _threads_of(ledger: Ledger) -> LedgerThreads:
    """Threads that use a ledger and leave it open."""
    if not isinstance(ledger, Ledger):
        raise InvalidInput("ledger", f"must be a Ledger, not {type(ledger).__name__}")
    database = ledger._database
    return LedgerThreads(lambda: ledger, database.settings, database.clock, keep_open=True)
