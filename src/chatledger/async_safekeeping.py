"""Backups, copies, upkeep and health, awaited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine import URL

from chatledger.async_housekeeping import AsyncHousekeeping
from chatledger.async_unit_of_work import Answer, answering, uncancelled
from chatledger.callbacks import callback
from chatledger.errors import ChatledgerError
from chatledger.ledger import Ledger
from chatledger.safekeeping import health
from chatledger.safekeeping.progress import Progress
from chatledger.safekeeping.upkeep import Vacuum
from chatledger.schemas import BackupReport, CopyReport, Health, MaintenanceReport, RestoreReport

R = TypeVar("R")


class AsyncSafekeeping(AsyncHousekeeping):
    """`Safekeeping`, awaited. A cancelled task ends at the next word about the progress, and leaves nothing half done."""

    async def backup(
        self,
        path: str | Path,
        *,
        keep: int | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> BackupReport:
        """As `Ledger.backup`. `progress` is synchronous and called in a worker thread."""
        how: dict[str, Any] = {"keep": keep, "overwrite": overwrite}
        return await self._between(progress, lambda told: self._threads.ledger().backup(path, **how, progress=told))

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

        return await _in_a_thread(lambda: Ledger.restore(path, url, overwrite=overwrite, progress=told), stopped.set)

    async def copy_to(self, target: str | Path | URL, *, progress: Progress | None = None) -> CopyReport:
        """As `Ledger.copy_to`. `progress` is synchronous and called in a worker thread."""
        return await self._between(progress, lambda told: self._threads.ledger().copy_to(target, progress=told))

    async def maintain(
        self,
        *,
        analyze: bool = True,
        vacuum: Vacuum = "auto",
        checkpoint: bool = True,
        full_text: bool = True,
    ) -> MaintenanceReport:
        """As `Ledger.maintain`."""
        how: dict[str, Any] = {"analyze": analyze, "vacuum": vacuum, "checkpoint": checkpoint, "full_text": full_text}
        return await self._threads.call(lambda: self._threads.ledger().maintain(**how))

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
        return await _in_a_thread(ask, lambda: None)

    async def sizes(self) -> dict[str, Any]:
        """As `Ledger.sizes`."""
        return await self._threads.call(lambda: self._threads.ledger().sizes())

    async def pool_status(self) -> dict[str, int]:
        """As `Ledger.pool_status`."""
        return await self._threads.call(lambda: self._threads.ledger().pool_status())


async def _in_a_thread(function: Callable[[], R], cancelled: Callable[[], object]) -> R:
    """Run a function in a thread of its own and wait for it, also when cancelled meanwhile, which `cancelled` is told."""
    answer: Answer[R] = asyncio.get_running_loop().create_future()
    threading.Thread(target=lambda: answering(answer, function), name="chatledger", daemon=True).start()
    outcome, error = await uncancelled(answer, cancelled)
    if error is not None:
        raise error
    return outcome
