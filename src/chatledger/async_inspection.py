"""Check and repair, awaited."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chatledger.async_housekeeping import AsyncHousekeeping
from chatledger.enums import Orphans
from chatledger.inspection import REPAIRER
from chatledger.schemas import IntegrityReport, RepairReport


class AsyncInspection(AsyncHousekeeping):
    """`Inspection`, awaited. A cancelled task ends it at the next page of rows; a repair is then taken back."""

    async def check(
        self, full: bool = True, progress: Callable[[str, int, int], object] | None = None
    ) -> IntegrityReport:
        """As `Ledger.check`. `progress` is synchronous and called in a worker thread."""
        return await self._between(progress, lambda told: self._threads.ledger().check(full, told))

    async def repair(
        self,
        *,
        dry_run: bool = False,
        orphans: Orphans | str = Orphans.KEEP,
        accept_changed: bool = False,
        backup: bool | str | Path = True,
        actor: str | None = REPAIRER,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> RepairReport:
        """As `Ledger.repair`. `progress` is synchronous and called in a worker thread."""
        how: dict[str, Any] = {
            "dry_run": dry_run, "orphans": orphans, "accept_changed": accept_changed, "backup": backup, "actor": actor,
        }  # fmt: skip
        return await self._between(progress, lambda told: self._threads.ledger().repair(**how, progress=told))
