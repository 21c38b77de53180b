"""Keeping a ledger fast and small."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

from chatledger import migrate as migrations
from chatledger.backup.row_copy import TABLES
from chatledger.database import Database
from chatledger.dialects.maintenance import Steps
from chatledger.errors import InvalidInput
from chatledger.schemas import MaintenanceReport, UpkeepStep

Vacuum = Literal["auto"] | bool


def maintain(
    database: Database,
    *,
    analyze: bool,
    vacuum: Vacuum,
    checkpoint: bool,
    full_text: bool,
    rebuild_full_text: bool = False,
) -> MaintenanceReport:
    """`Ledger.maintain`."""
    if vacuum != "auto" and not isinstance(vacuum, bool):
        raise InvalidInput("vacuum", "is not one of 'auto', True, False")
    began = time.perf_counter()
    with database.transaction("read") as connection, database.translated():
        migrations.require_head(database.dialect.state(connection))
    before = _bytes(database)
    steps = Steps(analyze, None if vacuum == "auto" else bool(vacuum), checkpoint, full_text, rebuild_full_text)
    # Writers of this process wait in their queue meanwhile, in order, and not at the lock of the file.
    with database.writer_queue, database.translated():
        done = database.dialect.maintenance.maintain(database.engine, TABLES, steps, database.settings.busy_timeout)
    return MaintenanceReport(
        steps=tuple(UpkeepStep(name=step.name, done=step.done, why=step.why) for step in done),
        bytes_before=before,
        bytes_after=_bytes(database),
        seconds=time.perf_counter() - began,
    )


def sizes(database: Database) -> dict[str, Any]:
    """`Ledger.sizes`."""
    with database.transaction("read") as connection, database.translated():
        return database.dialect.maintenance.sizes(connection, TABLES)


def _bytes(database: Database) -> int | None:
    path = database.dialect.file(database.url)
    if path is None:
        return None
    beside = (path, path.with_name(f"{path.name}-wal"))
    return sum(found.stat().st_size for found in map(Path, beside) if found.exists())
