"""Copies, maintenance and diagnostics of a SQLite file."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, literal_column, text
from sqlalchemy.engine import URL

from chatledger.dialects.maintenance import Diagnostics, Maintenance, PageProgress, StepResult, Steps
from chatledger.dialects.sqlite import rebuild, vacuum
from chatledger.dialects.sqlite.connection import WAL_RESET_FIXED
from chatledger.dialects.sqlite.file import is_open_in_this_task

# Pages copied at a time: 8 MiB of the usual 4 KiB.
_PAGES = 2048
# A file is rewritten when more than this part of its pages is free ...
_FREE = 0.25
# ... and there are enough pages for it to matter.
_LEAST_PAGES = 256
# Where a system tells which files a process has open.
_DESCRIPTORS = Path("/dev/fd")
# Not every library is built with the table that knows how large tables are.
_KNOWS_SIZES = "SELECT 1 FROM pragma_module_list WHERE name = 'dbstat'"


class SQLiteMaintenance(Maintenance):
    """How a ledger in a file is kept."""

    def identity(self, connection: Connection) -> tuple[Any, ...]:
        path = self._path(connection)
        if path is None:
            return ("memory", id(_driver(connection)))
        found = path.stat()
        return (found.st_dev, found.st_ino)

    def lasting_identity(self, connection: Connection) -> tuple[Any, ...]:
        # Not the device, which a new mount changes; and not the path alone: many machines have a /data/chat.db.
        path = self._path(connection)
        return self.identity(connection) if path is None else (str(path.resolve()), path.stat().st_ino)

    def arrival_order(self, table: Table) -> Sequence[ColumnElement[Any]]:
        return [literal_column("message_id")]

    def copy_pages(self, connection: Connection, target: Path, progress: PageProgress) -> bool:
        # Page by page, and yet never started over: the connection's own transaction keeps the snapshot that is copied,
        # whoever writes meanwhile.
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            _driver(connection).backup(
                copy, pages=_PAGES, progress=lambda _, left, total: progress(total - left, total), sleep=0.01
            )
            # One file, complete in itself, that can be read from a medium which cannot be written.
            copy.execute("PRAGMA journal_mode=DELETE")
        return True

    def lock_tables(self, connection: Connection, tables: Sequence[Table]) -> None:
        """BEGIN IMMEDIATE has taken the only lock there is."""

    def clear(self, connection: Connection, tables: Sequence[Table]) -> None:
        for table in reversed(tables):
            connection.execute(table.delete())

    @contextmanager
    def triggers_disabled(self, connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
        names = {table.name for table in tables}
        statement = text("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid")
        triggers = [row for row in connection.execute(statement).all() if row.tbl_name in names]
        for trigger in triggers:
            connection.exec_driver_sql(f'DROP TRIGGER "{trigger.name}"')
        yield
        for rebuilding in rebuild.rebuild():
            connection.exec_driver_sql(rebuilding)
        for trigger in triggers:
            connection.exec_driver_sql(trigger.sql)

    def load(self, connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        columns = ", ".join(f'"{name}"' for name in names)
        statement = f'INSERT INTO "{table.name}" ({columns}) VALUES ({", ".join("?" * len(names))})'
        _driver(connection).executemany(statement, rows)

    def last_number(self, connection: Connection, table: Table, column: str) -> int:
        statement = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return int(connection.execute(statement, {"name": table.name}).scalar() or 0)

    def continue_numbering(self, connection: Connection, table: Table, column: str, last: int) -> None:
        given = {"name": table.name, "last": last}
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), given)
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), given)

    def maintain(self, engine: Engine, tables: Sequence[Table], steps: Steps, wait: float) -> list[StepResult]:
        done: list[StepResult] = []
        pooled = engine.raw_connection()
        try:
            driver: Any = pooled.driver_connection
            with vacuum.unhindered(driver):
                if steps.rebuild_full_text:
                    vacuum.rebuild_full_text(driver, time.monotonic() + wait)
                    done.append(StepResult("rebuild_full_text", True))
                if steps.full_text:
                    vacuum.merge_full_text(driver, time.monotonic() + wait)
                    done.append(StepResult("full_text", True))
                if steps.vacuum is not False:
                    done.append(_vacuum(driver, wait, asked=steps.vacuum is True))
                if steps.analyze:
                    vacuum.analyze(driver, time.monotonic() + wait)
                    done.append(StepResult("analyze", True))
                if steps.checkpoint:
                    cut = vacuum.cut_log(driver, time.monotonic() + wait)
                    done.append(StepResult("checkpoint", cut, None if cut else "somebody reads an older state"))
        finally:
            pooled.close()
        return done

    def remove_deleted_content(self, engine: Engine, wait: float) -> bool:
        pooled = engine.raw_connection()
        try:
            return vacuum.remove_deleted_content(pooled.driver_connection, time.monotonic() + wait)
        finally:
            pooled.close()

    def checkpoint_writes(self, engine: Engine, wait: float) -> None:
        pooled = engine.raw_connection()
        try:
            vacuum.cut_log(pooled.driver_connection, time.monotonic() + wait)
        finally:
            pooled.close()

    def sizes(self, connection: Connection, tables: Sequence[Table]) -> dict[str, Any]:
        size, pages, free = (
            int(connection.execute(text(f"PRAGMA {name}")).scalar_one())
            for name in ("page_size", "page_count", "freelist_count")
        )
        found: dict[str, Any] = {"file": {"unused": free * size, "total": pages * size}}
        if connection.execute(text(_KNOWS_SIZES)).scalar() is None:
            return found
        statement = (
            "SELECT m.type, s.name, sum(s.pgsize) FROM dbstat AS s JOIN sqlite_master AS m USING (name)"
            " WHERE m.type IN ('table', 'index') GROUP BY s.name ORDER BY 3 DESC, 2"
        )
        for kind, name, size in connection.execute(text(statement)):
            found.setdefault("tables" if kind == "table" else "indexes", {})[name] = int(size)
        return found

    def diagnostics(self, connection: Connection, url: URL) -> Diagnostics:
        driver = _driver(connection)
        diagnostics = Diagnostics(unwritable=_why_unwritable(driver))
        path = self._path(connection)
        if path is not None:
            diagnostics.wal_bytes = _size_of(path.with_name(f"{path.name}-wal"))
            diagnostics.disk_free_bytes = shutil.disk_usage(path.parent).free
            if _was_moved(path):
                diagnostics.unwritable = "the file was moved or replaced while it was open: open the ledger again"
        if sqlite3.sqlite_version_info < WAL_RESET_FIXED:
            diagnostics.notes.append(
                f"SQLite {sqlite3.sqlite_version} has the WAL-reset defect, which can rarely damage a file that several"
                f" connections write: {'.'.join(map(str, WAL_RESET_FIXED))} or newer is without it"
            )
        return diagnostics

    def _path(self, connection: Connection) -> Path | None:
        statement = "SELECT file FROM pragma_database_list WHERE name = 'main'"
        named = _driver(connection).execute(statement).fetchone()[0]
        return Path(named) if named else None


def _vacuum(driver: Any, wait: float, *, asked: bool) -> StepResult:
    pages, free = (driver.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
    if not asked and (pages < _LEAST_PAGES or free <= _FREE * pages):
        return StepResult("vacuum", False, f"{free} of {pages} pages are free: not worth it")
    vacuum.vacuum(driver, time.monotonic() + wait)
    vacuum.cut_log(driver, time.monotonic() + wait)  # the whole file has just gone through it
    return StepResult("vacuum", True)


def _why_unwritable(driver: Any) -> str | None:
    """Try to take the writer's lock, and give it back at once."""
    before = driver.execute("PRAGMA query_only").fetchone()[0]
    driver.execute("PRAGMA query_only=OFF")
    try:
        driver.execute("BEGIN IMMEDIATE")
        try:
            # On a medium that can only be read, to begin is allowed, and to write is not.
            driver.execute("DELETE FROM sqlite_sequence WHERE false")
        finally:
            if driver.in_transaction:  # a full disk has ended it already
                driver.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        # Somebody is writing; or it is no ledger, which is told elsewhere.
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_ERROR):
            return None
        return f"the file and its folder cannot be written ({error.sqlite_errorname})"
    finally:
        driver.execute(f"PRAGMA query_only={before}")
    return None


def _was_moved(path: Path) -> bool:
    """Whether the file under a ledger's name is another one than this process has open."""
    try:
        return _DESCRIPTORS.is_dir() and not is_open_in_this_task(path)
    except OSError:
        return True


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection
