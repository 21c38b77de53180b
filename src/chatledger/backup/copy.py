"""A whole ledger from one database into another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL

from chatledger import migrate as migrations
from chatledger.backup.progress import Progress, or_silent
from chatledger.backup.row_copy import TABLES, copy_rows, first_rows
from chatledger.clock import utc_now
from chatledger.database import Database
from chatledger.errors import Conflict, InvalidInput, Unavailable
from chatledger.schemas import CopyReport
from chatledger.settings import Settings


def copy_ledger(source: str | Path | URL, target: str | Path | URL, *, progress: Progress | None = None) -> CopyReport:
    """Copy a whole ledger into an empty database, between SQLite and PostgreSQL in either direction.

    What is copied is one moment of the source, while others write to it: every row of every table, with the same ids,
    sequence numbers, times, counters, money, JSON texts and digests, and the numbers that come next. Both sides are then
    read and compared. All of it is one transaction of the target: a copy that fails or is killed leaves the target empty,
    and can be started again. Memory does not grow with the ledger.

    The target is made or migrated when it is empty. `progress` is told what is copied, how many rows are done, and of how
    many (None where that is not known).

    Raises:
        Conflict: the target holds rows already, or a row of the source breaks a rule.
        InvalidInput: both are the same database.
        SchemaBehind, SchemaAhead, NotALedger: one of the two is not a ledger of this release.
        CorruptDatabase: a value of the source cannot be read, or came out otherwise than it went in.
        Busy, Unavailable: as `Ledger.begin`.
    """
    on_progress = or_silent(progress)
    with existing(source) as database:
        return copy_to(database, target, on_progress)


@contextmanager
def existing(url: str | Path | URL) -> Iterator[Database]:
    """A ledger that must be there already, at whatever revision."""
    database = Database(url, None, Settings.preset("cli"), utc_now)
    try:
        path = database.dialect.file(database.url)
        if path is not None and not path.exists():
            raise Unavailable(f"no ledger at {str(path)!r}")
        database.open("never")
        yield database
    finally:
        database.close()


def copy_to(database: Database, target: str | Path | URL, on_progress: Progress) -> CopyReport:
    """`copy_ledger` from a ledger that is open."""
    began = time.perf_counter()
    with database.transaction("read") as connection, database.translated():
        migrations.require_head(database.dialect.state(connection))
    other = Database(target, None, Settings.preset("cli"), database.clock)
    try:
        _require_another(database, other)
        other.open("empty")
        with database.transaction("read") as source, other.transaction("write") as connection, other.translated():
            if database.dialect.maintenance.identity(source) == other.dialect.maintenance.identity(connection):
                raise InvalidInput("target", "is the same database as the source")
            other.dialect.maintenance.lock_tables(connection, TABLES)
            require_no_rows(first_rows(connection), "give an empty database")
            rows = copy_rows(source, database.dialect, connection, other.dialect, on_progress)
        with other.translated():
            other.dialect.maintenance.checkpoint_writes(other.engine, other.settings.busy_timeout)
    finally:
        other.close()
    return CopyReport(
        source=database.url.render_as_string(hide_password=True),
        target=other.url.render_as_string(hide_password=True),
        revision=migrations.HEAD,
        rows=rows,
        seconds=time.perf_counter() - began,
    )


def _require_another(database: Database, other: Database) -> None:
    """Before anything is made: a file must not be copied into itself."""
    here, there = database.dialect.file(database.url), other.dialect.file(other.url)
    if here is not None and there is not None and there.exists() and here.samefile(there):
        raise InvalidInput("target", "is the same database as the source")


def require_no_rows(taken: list[str], remedy: str) -> None:
    """Raise Conflict when any table holds a row."""
    if taken:
        raise Conflict(f"the target holds rows already ({', '.join(taken)}): {remedy}")
