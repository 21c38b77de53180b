"""Checking and mending what a PostgreSQL server holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, text
from sqlalchemy import exc as sa
from sqlalchemy.engine import URL

from chatledger import errors
from chatledger.dialects.integrity import Definition, FileFaults, Integrity, Unreadable, attempted
from chatledger.dialects.types import Document, Timestamp, stamp

# Rows that are read at a time; of snapshots, which hold whole conversations, few.
_PAGE = 200
_PAGE_OF = {"chatledger_session_snapshots": 4}


class PostgreSQLIntegrity(Integrity):
    """The server keeps its files, its foreign keys and the full text itself; what can be asked of it is asked."""

    mendable = ("function", "view", "index", "trigger", "constraint")
    last = ("constraint",)

    def file_faults(self, connection: Connection, tables: Collection[str], *, quick: bool) -> FileFaults:
        invalid = connection.execute(text(_INVALID_INDEXES), {"tables": list(tables)}).scalars()
        failures = connection.execute(text(_CHECKSUM_FAILURES)).scalar() or 0
        pages = [f"the server counted {failures} pages of this database with a wrong checksum"] if failures else []
        return FileFaults([f"index {name} is not valid" for name in invalid], pages, [], [])

    def rows(self, connection: Connection, table: Table) -> Iterator[Mapping[str, Any] | Unreadable]:
        columns = ", ".join(_selected(column) for column in table.c)
        keys = [column.name for column in table.primary_key.columns]
        order = ", ".join(keys)
        size = _PAGE_OF.get(table.name, _PAGE)
        place: dict[str, Any] = {}
        while True:
            where = f"WHERE ({order}) > ({', '.join(f':{key}' for key in keys)})" if place else ""
            statement = text(f"SELECT {columns} FROM {table.name} {where} ORDER BY {order} LIMIT {size}")
            try:
                with connection.begin_nested():
                    page = connection.execute(statement, place).mappings().all()
            except sa.InternalError:  # XX001, XX002: the server cannot read a page
                yield Unreadable(1, (f"{table.name}: rows from some place on in the order of {order}",))
                return
            for row in page:
                yield _normal(table, row)
            if len(page) < size:
                return
            place = {key: page[-1][key] for key in keys}

    def row(self, connection: Connection, table: Table, key: Sequence[Any]) -> Mapping[str, Any] | None:
        columns = ", ".join(_selected(column) for column in table.c)
        names = [column.name for column in table.primary_key.columns]
        this = " AND ".join(f"{name} = :{name}" for name in names)
        statement = text(f"SELECT {columns} FROM {table.name} WHERE {this}")
        row = connection.execute(statement, dict(zip(names, key, strict=True))).mappings().one_or_none()
        return None if row is None else _normal(table, row)

    def lock(self, connection: Connection, tables: Collection[str]) -> None:
        # Messages first, as an append does.
        names = sorted(tables, key=lambda name: (name != "chatledger_messages", name))
        connection.execute(text(f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE"))

    def full_text_fault(self, connection: Connection) -> str | None:
        return None  # a generated column: the server makes it from the message, and nothing can write another

    def rebuild_full_text(self, connection: Connection) -> None:
        """The server keeps it."""

    def rebuild_indexes(self, connection: Connection, tables: Sequence[str]) -> list[str]:
        return [table for table in tables if attempted(connection, f"REINDEX TABLE {table}")]

    def definitions(self, scratch: Connection, tables: Collection[str]) -> dict[str, Definition]:
        schema = scratch.execute(text("SELECT current_schema()")).scalar_one()
        found = {}
        for query in _DEFINITIONS:
            for name, drop, create in scratch.execute(text(query), {"tables": list(tables)}):
                plain = re.sub(rf'"?\b{re.escape(schema)}\b"?\.', "", create)
                plain = re.sub(r"SET search_path TO [^\n]*", "SET search_path FROM CURRENT", plain)
                found[name] = Definition(drop, plain)
        return found

    def keep_copy(self, url: URL, place: Path | None, now: datetime) -> Path | None:
        if place is not None:
            raise errors.InvalidInput("backup", "is for a SQLite file: back this database up with pg_dump first")
        return None


def _selected(column: Any) -> str:
    cast = "::text" if isinstance(column.type, Document | Timestamp) else ""
    return f'"{column.name}"{cast} AS "{column.name}"'


def _normal(table: Table, row: RowMapping) -> dict[str, Any]:
    times = {column.name: _time(row[column.name]) for column in table.c if isinstance(column.type, Timestamp)}
    return {**{column.name: row[column.name] for column in table.c}, **times}


def _time(stored: str | None) -> str | None:
    """A time as SQLite has it; infinity, and years that Python has not, as they are."""
    try:
        return None if stored is None else stamp(datetime.fromisoformat(stored))
    except (ValueError, OverflowError):
        return stored


_INVALID_INDEXES = """
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.relnamespace = current_schema()::regnamespace AND t.relname = ANY(:tables) AND NOT i.indisvalid"""
_CHECKSUM_FAILURES = "SELECT checksum_failures FROM pg_stat_database WHERE datname = current_database()"

# Name in the fingerprint, how it is dropped, how it is made.
_DEFINITIONS = (
    """SELECT 'function ' || proname, '', pg_get_functiondef(oid)
    FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'chatledger\\_%'""",
    """SELECT 'index ' || indexname, 'DROP INDEX IF EXISTS ' || indexname, indexdef FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename = ANY(:tables)
        AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE connamespace = current_schema()::regnamespace)""",
    """SELECT 'trigger ' || t.tgname, 'DROP TRIGGER IF EXISTS ' || t.tgname || ' ON ' || c.relname,
        pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal AND c.relname = ANY(:tables)""",
    """SELECT 'view ' || c.relname, 'DROP VIEW IF EXISTS ' || c.relname,
        'CREATE VIEW ' || c.relname || coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', '') || ' AS '
            || pg_get_viewdef(c.oid)
    FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'v' AND c.relname = ANY(:tables)""",
    """SELECT 'constraint ' || c.relname || '.' || k.conname,
        'ALTER TABLE ' || c.relname || ' DROP CONSTRAINT IF EXISTS ' || k.conname,
        'ALTER TABLE ' || c.relname || ' ADD CONSTRAINT ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND k.contype <> 'n' AND c.relname = ANY(:tables)""",
)
