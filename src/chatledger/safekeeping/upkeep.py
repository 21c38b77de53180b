"""Keeping a ledger quick and small."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

from chatledger import migrate as migrations
from chatledger.core import Core
from chatledger.dialects.custody import Wanted
from chatledger.errors import InvalidInput
from chatledger.schemas import MaintenanceReport, UpkeepStep
from chatledger.services.transfer import TABLES

Vacuum = Literal["auto"] | bool


def maintain(core: Core, *, analyze: bool, vacuum: Vacuum, checkpoint: bool, full_text: bool) -> MaintenanceReport:
    """`Ledger.maintain`."""
    if vacuum != "auto" and not isinstance(vacuum, bool):
        raise InvalidInput("vacuum", "is not one of 'auto', True, False")
    began = time.perf_counter()
    with core.transaction("read") as connection, core.translated():
        migrations.require_head(core.dialect.state(connection))
    before = _bytes(core)
    wanted = Wanted(analyze, None if vacuum == "auto" else bool(vacuum), checkpoint, full_text)
    # Writers of this process wait at the gate meanwhile, in their order, and not at the file's lock.
    with core.gate, core.translated():
        done = core.dialect.custody.upkeep(core.engine, TABLES, wanted, core.settings.busy_timeout)
    return MaintenanceReport(
        steps=tuple(UpkeepStep(name=step.name, done=step.done, why=step.why) for step in done),
        bytes_before=before,
        bytes_after=_bytes(core),
        seconds=time.perf_counter() - began,
    )


def sizes(core: Core) -> dict[str, Any]:
    """`Ledger.sizes`."""
    with core.transaction("read") as connection, core.translated():
        return core.dialect.custody.sizes(connection, TABLES)


def _bytes(core: Core) -> int | None:
    path = core.dialect.file(core.url)
    if path is None:
        return None
    beside = (path, path.with_name(f"{path.name}-wal"))
    return sum(found.stat().st_size for found in map(Path, beside) if found.exists())
