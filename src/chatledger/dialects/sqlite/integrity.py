"""Checking and mending a SQLite file."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Table, text
from sqlalchemy import exc as sa
from sqlalchemy.engine import URL

from chatledger import errors
from chatledger.dialects.integrity import Definition, FileFaults, Integrity, Unreadable, attempted
from chatledger.dialects.sqlite import rebuild
from chatledger.dialects.sqlite.file import database_path

# Lines of the library's own check that a new index mends.
_INDEX = re.compile(
    r"row \d+ missing from index|wrong # of entries in index|non-unique entry in index|row \d+ values differ from index"
    r"|rowid not at end-of-record for row \d+ of index|row \d+ is missing from index"
)
# Pages that belong to nothing: room that a VACUUM gives back.
_HARMLESS = re.compile(r"never used|Freelist: |free-list count in header")
_CONSTRAINT = re.compile(r"CHECK constraint failed in|(NULL|TEXT|NUMERIC|INT|REAL|BLOB|non-\w+) value in ")
_LINES = 100
_LAST_KEY = 2**63 - 1
# What a damaged place may span at most, in keys.
_FARTHEST = 2**62
_NAMED = 20


class SQLiteIntegrity(Integrity):
    """The library checks its own pages; rows are read past what is damaged."""

    mendable = ("table", "view", "index", "trigger")

    def file_faults(self, connection: Connection, tables: Collection[str], *, quick: bool) -> FileFaults:
        pragma = "quick_check" if quick else "integrity_check"
        driver: Any = connection.connection.dbapi_connection
        faults = FileFaults([], [], [], [])
        try:
            for (line,) in driver.execute(f"PRAGMA {pragma}({_LINES})"):
                _sort(line, faults)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            faults.pages.append(f"{pragma} could not read it to its end ({error.sqlite_errorname})")
        return faults

    def rows(self, connection: Connection, table: Table) -> Iterator[Mapping[str, Any] | Unreadable]:
        driver: Any = connection.connection.dbapi_connection
        if not _has_rowid(driver, table.name):
            yield from _rows_by_key(driver, table)
            return
        # Not `rowid > ?`: looking for what is larger than a key begins at the page of that key.
        statement = f"SELECT rowid, {_columns(table)} FROM {table.name} WHERE rowid >= ? ORDER BY rowid"
        start: int | None = -(2**63)
        gap: int | None = None
        single = False
        while start is not None:
            try:
                # The driver reads a row ahead: what comes before a damaged place is read once more, row by row.
                found = False
                for key, *row in _lenient(driver, f"{statement} LIMIT 1" if single else statement, (start,)):
                    if gap is not None:
                        yield _lost(driver, table.name, gap, key)
                    start, gap, found = key + 1, None, True
                    yield dict(zip(table.c.keys(), row, strict=True))
                    if key == _LAST_KEY:
                        return
                if not single or not found:
                    return
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                if single:
                    gap, start, single = max(start, 0), _next_readable(driver, table, start), False
                else:
                    single = True
        yield _lost(driver, table.name, gap or 0, None)

    def row(self, connection: Connection, table: Table, key: Sequence[Any]) -> Mapping[str, Any] | None:
        driver: Any = connection.connection.dbapi_connection
        this = " AND ".join(f"{column.name} = ?" for column in table.primary_key.columns)
        try:
            row = next(_lenient(driver, f"SELECT {_columns(table)} FROM {table.name} WHERE {this}", tuple(key)), None)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            return None
        return None if row is None else dict(zip(table.c.keys(), row, strict=True))

    def full_text_fault(self, connection: Connection) -> str | None:
        if connection.execute(text(rebuild.HAS_MARK)).first() is None:
            return "it is not known up to which message the index is complete"
        try:
            with connection.begin_nested():
                for statement in rebuild.compare():
                    connection.execute(text(statement))
        except sa.DatabaseError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            return "the index does not agree with the messages"
        if connection.execute(text(rebuild.UNNUMBERED)).first() is not None:
            return "titles of sessions are missing from the index"
        return None

    def rebuild_full_text(self, connection: Connection) -> None:
        for statement in rebuild.rebuild():
            connection.execute(text(statement))

    def rebuild_indexes(self, connection: Connection, tables: Sequence[str]) -> list[str]:
        return [table for table in tables if attempted(connection, f"REINDEX {table}")]

    def definitions(self, scratch: Connection, tables: Collection[str]) -> dict[str, Definition]:
        rows = scratch.execute(text("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
        return {
            # The tables of full text hold no rows of their own.
            f"{kind} {name}": Definition(
                None if kind == "table" and name not in rebuild.FULL_TEXT else f"DROP {kind.upper()} IF EXISTS {name}",
                sql,
            )
            for kind, name, sql in rows
        }

    def keep_copy(self, url: URL, place: Path | None, now: datetime) -> Path | None:
        from chatledger.dialects.backup_file import temporary  # noqa: PLC0415 - for a repair alone

        source = database_path(url.database)
        if source is None:
            if place is not None:
                raise errors.InvalidInput("backup", "is for a file: this ledger is in memory")
            return None
        moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        wanted = place or source.with_name(f"{source.stem}.before-repair-{moment}{source.suffix}")
        try:
            # Mode 0600, and under another name until it is whole.
            with temporary(wanted.parent, wanted.name) as new:
                _copy(source, new)
                return _named(new, wanted, exactly=place is not None)
        except errors.OutOfSpace:
            raise
        except (sqlite3.Error, OSError, errors.Unavailable, errors.ReadOnly):
            pass
        raise errors.Unavailable(f"the copy {str(wanted)!r} cannot be written: nothing was changed")


def _is_damage(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB)


def _sort(line: str, faults: FileFaults) -> None:
    if line == "ok" or any(table in line for table in rebuild.FULL_TEXT):  # full text is looked at by itself
        return
    for pattern, kind in ((_CONSTRAINT, faults.constraints), (_INDEX, faults.indexes), (_HARMLESS, faults.unused)):
        if pattern.search(line):
            kind.append(line)
            return
    faults.pages.extend(line.removeprefix("*** in database main ***\n").splitlines())


def _copy(source: Path, target: Path) -> None:
    # A connection of its own: the library refuses to copy through one that is writing.
    with (
        closing(sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
    _flush(target)


def _named(written: Path, wanted: Path, *, exactly: bool) -> Path:
    """Give a file a name that is free."""
    for number in range(1, 1000):
        target = wanted if number == 1 else wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        try:
            os.link(written, target)
        except FileExistsError:
            if exactly:
                break
        else:
            return target
    raise errors.InvalidInput("backup", f"{str(wanted)!r} is there already: name another file")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _columns(table: Table) -> str:
    return ", ".join(f'"{name}"' for name in table.c.keys())  # noqa: SIM118 - a collection of columns iterates over them


def _has_rowid(driver: Any, table: str) -> bool:
    sql = driver.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    return sql is None or "WITHOUT ROWID" not in sql[0].upper()


def _rows_by_key(driver: Any, table: Table) -> Iterator[Mapping[str, Any] | Unreadable]:
    """A table that is its own index: what lies behind a damaged page is read from the other end."""
    key = ", ".join(column.name for column in table.primary_key.columns)
    seen: list[Any] = []
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{column.name} {direction}" for column in table.primary_key.columns)
        count = 0
        try:
            for row in _lenient(driver, f"SELECT {_columns(table)} FROM {table.name} ORDER BY {order}", ()):
                values = dict(zip(table.c.keys(), row, strict=True))
                last = [values[column.name] for column in table.primary_key.columns]
                if direction == "DESC" and last == seen:
                    return
                count += 1
                if direction == "ASC":
                    seen = last
                yield values
            if direction == "ASC":
                return
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            if direction == "DESC":
                yield Unreadable(1, (f"{table.name}: rows somewhere in the order of {key}",))


def _lenient(driver: Any, statement: str, parameters: tuple[Any, ...]) -> Iterator[Sequence[Any]]:
    """Rows, one in memory at a time, whose text may be none: it is bytes then."""
    cursor = driver.cursor()
    try:
        before, driver.text_factory = driver.text_factory, _text
        try:
            cursor.execute(statement, parameters)
        finally:
            driver.text_factory = before
        while True:
            driver.text_factory = _text
            try:
                row = cursor.fetchone()
            finally:
                driver.text_factory = before
            if row is None:
                return
            yield row
    finally:
        cursor.close()


def _text(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


def _next_readable(driver: Any, table: Table, start: int) -> int | None:
    """The smallest key behind a damaged place from which on a row can be read; None where nothing can."""
    statement = f"SELECT rowid, {_columns(table)} FROM {table.name} WHERE rowid >= ? ORDER BY rowid LIMIT 1"

    def is_readable(key: int) -> bool:
        try:
            return next(_lenient(driver, statement, (key,)), None) is not None
        except sqlite3.DatabaseError:
            return False

    low, step = max(start, 0), 1
    while not is_readable(low + step):
        step *= 2
        if low + step > _FARTHEST:
            return None
    high = low + step
    low += step // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_readable(middle) else (middle, high)
    return high


def _lost(driver: Any, table: str, first: int, before: int | None) -> Unreadable:
    """What lay from one key up to another. An index of the messages may still say which they were."""
    if table == "chatledger_messages":
        statement = (
            "SELECT session_id, sequence_number FROM chatledger_messages"
            " INDEXED BY sqlite_autoindex_chatledger_messages_1 WHERE +message_id >= ? AND +message_id < ?"
        )
        try:
            rows = _lenient(driver, statement, (first, _LAST_KEY if before is None else before))
            names = [f"{key!r} #{number}" for key, number in rows]
            return Unreadable(len(names), tuple(names[:_NAMED]))
        except sqlite3.DatabaseError:
            pass
    where = f"rows from {first} on" if before is None else f"rows {first} to {before - 1}"
    return Unreadable(1 if before is None else before - first, (f"{table}: {where}",))
