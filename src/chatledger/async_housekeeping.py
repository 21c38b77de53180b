"""The sweep, the purge and the erasure of a user, awaited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from chatledger.async_batching import AsyncBatching
from chatledger.callbacks import callback
from chatledger.enums import Status
from chatledger.housekeeping import SWEEPER
from chatledger.schemas import Due, ErasureReceipt, PurgeReport, RepriceReport, SweepReport
from chatledger.sweeper import Sweeper

R = TypeVar("R")


class AsyncHousekeeping(AsyncBatching):
    """`Housekeeping`, awaited. A cancelled task waits for the transaction under way; the rest is left undone."""

    async def sweep(
        self,
        *,
        now: datetime | None = None,
        dry_run: bool = False,
        send: Callable[[Due], object] | None = None,
        actor: str | None = SWEEPER,
        progress: Callable[[SweepReport], object] | None = None,
        stopping: Callable[[], bool] | None = None,
    ) -> SweepReport:
        """As `Ledger.sweep`. `send`, `progress` and `stopping` are synchronous and called in a worker thread."""
        stopping = callback(stopping, "stopping")
        cancelled = threading.Event()

        def ends() -> bool:
            return cancelled.is_set() or (stopping is not None and stopping())

        how: dict[str, Any] = {"now": now, "dry_run": dry_run, "send": send, "actor": actor, "progress": progress}
        return await self._threads.call(
            lambda: self._transactions().sweep(**how, stopping=ends), cancelled=cancelled.set
        )

    def sweeper(
        self,
        interval: timedelta | float = 60.0,
        *,
        send: Callable[[Due], object] | None = None,
        heard: Callable[[SweepReport], object] | None = None,
        actor: str | None = SWEEPER,
    ) -> AsyncSweeper:
        """As `Ledger.sweeper`. It sweeps in a thread of its own, where `send` and `heard` are called."""
        send = callback(send, "send")
        made: list[Sweeper] = []

        def sweep() -> SweepReport:
            return self._transactions().sweep(send=send, actor=actor, stopping=made[0].stopping)

        made.append(Sweeper(sweep, interval, heard=heard, clock=self._threads.clock))
        return AsyncSweeper(made[0])

    async def purge(
        self,
        *,
        older_than: timedelta | datetime | float,
        status: Status | str | Iterable[Status | str] = Status.ARCHIVED,
        dry_run: bool = False,
        now: datetime | None = None,
        actor: str | None = None,
        reason: str | None = None,
        progress: Callable[[PurgeReport], object] | None = None,
    ) -> PurgeReport:
        """As `Ledger.purge`. `progress` is synchronous and called in a worker thread."""
        how: dict[str, Any] = {
            "older_than": older_than, "status": status, "dry_run": dry_run, "now": now, "actor": actor, "reason": reason,
        }  # fmt: skip
        return await self._between(progress, lambda told: self._transactions().purge(**how, progress=told))

    async def reprice(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        model_id: str | None = None,
        project_id: str | None = None,
        session_id: str | None = None,
        overwrite_given: bool = False,
        dry_run: bool = False,
        actor: str | None = None,
        reason: str | None = None,
        progress: Callable[[RepriceReport], object] | None = None,
    ) -> RepriceReport:
        """As `Ledger.reprice`. `progress` is synchronous and called in a worker thread."""
        how: dict[str, Any] = {
            "since": since, "until": until, "model_id": model_id, "project_id": project_id, "session_id": session_id,
            "overwrite_given": overwrite_given, "dry_run": dry_run, "actor": actor, "reason": reason,
        }  # fmt: skip
        return await self._between(progress, lambda told: self._transactions().reprice(**how, progress=told))

    async def erase_user(
        self,
        user_id: str,
        *,
        keep_totals: bool = False,
        include_held: bool = False,
        dry_run: bool = False,
        scrub: bool = True,
        actor: str | None = None,
        reason: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> ErasureReceipt:
        """As `Ledger.erase_user`. `progress` is synchronous and called in a worker thread."""
        how: dict[str, Any] = {
            "keep_totals": keep_totals, "include_held": include_held, "dry_run": dry_run, "scrub": scrub,
            "actor": actor, "reason": reason,
        }  # fmt: skip
        return await self._between(
            progress, lambda told: self._transactions().erase_user(user_id, **how, progress=told)
        )

    async def _between(self, progress: Callable[..., object] | None, act: Callable[[Callable[..., object]], R]) -> R:
        """Run something that tells its progress between its transactions, where it ends when the task was cancelled."""
        progress = callback(progress, "progress")
        stopped = threading.Event()

        def told(*figures: Any) -> None:
            if stopped.is_set():
                raise asyncio.CancelledError
            if progress is not None:
                progress(*figures)

        return await self._threads.call(lambda: act(told), cancelled=stopped.set)


class AsyncSweeper:
    """`Sweeper`, awaited.

    async with ledger.sweeper(interval=60):
        await serve()
    """

    def __init__(self, sweeper: Sweeper) -> None:
        self._sweeper = sweeper

    @property
    def running(self) -> bool:
        """As `Sweeper.running`."""
        return self._sweeper.running

    @property
    def last_report(self) -> SweepReport | None:
        """As `Sweeper.last_report`."""
        return self._sweeper.last_report

    async def start(self) -> Self:
        """As `Sweeper.start`."""
        self._sweeper.start()
        return self

    async def stop(self, timeout: float | None = None) -> bool:
        """As `Sweeper.stop`. The event loop is not blocked meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(None, self._sweeper.stop, timeout)

    async def once(self) -> SweepReport | None:
        """As `Sweeper.once`."""
        return await asyncio.get_running_loop().run_in_executor(None, self._sweeper.once)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
