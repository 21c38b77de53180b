"""Every stored value, row by row: whether it is one that this package writes, and what its digests say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Column, Float, Integer, LargeBinary, Table

from chatledger.dialects.integrity import Unreadable
from chatledger.dialects.types import Document, Flag, Money, Timestamp, Word, to_moment
from chatledger.errors import CorruptDatabase
from chatledger.full_text.parts import OF_SESSIONS, search_columns, session_search_columns
from chatledger.models import Base
from chatledger.schemas.digest import message_digest
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages, sessions
from chatledger.services.snapshots.body import Body, lines
from chatledger.services.snapshots.statements import snapshots

Progress = Callable[[str, int, int], object]
"""Told the table, how many of its rows were read, and how many there are, about."""

TABLES = tuple(Base.metadata.sorted_tables)
"""In the order in which they are read."""
# Documents that are objects; of the others any JSON value will do.
_OBJECTS = {
    ("chatledger_annotations", "metadata"),
    ("chatledger_audit_log", "details"),
    ("chatledger_batch_jobs", "metadata"),
    ("chatledger_messages", "metadata"),
    ("chatledger_models", "metadata"),
    ("chatledger_performance_metrics", "metadata"),
    ("chatledger_projects", "metadata"),
    ("chatledger_sessions", "context"),
    ("chatledger_workflow_executions", "definition"),
    ("chatledger_workflows", "definition"),
}
_REPORT_EVERY = 1000
_LENGTH = len("2026-05-01 12:00:00.000000")


@dataclass(frozen=True)
class Defect:
    """An invalid value, by its place. The value itself is not kept."""

    kind: str
    table: str
    key: tuple[Any, ...]
    """The primary key of the row."""
    column: str

    def __str__(self) -> str:
        if self.table == "chatledger_messages":
            return f"{self.key[0]!r} #{self.key[1]}{f' {self.column}' if self.column else ''}"
        if self.table == "chatledger_session_snapshots" and self.kind == "snapshots":
            return f"{self.key[0]}:{self.key[1]}"
        return f"{self.table} {' '.join(map(repr, self.key))} {self.column}"


def scan(
    context: ServiceContext, tables: tuple[Table, ...] = TABLES, on_rows: Callable[[str, int], object] | None = None
) -> Iterator[Defect | Unreadable]:
    """Read every row of some tables; what is wrong with them."""
    for table in tables:
        look, number = _looks(table), 0
        for row in context.dialect.integrity.rows(context.connected(), table):
            if isinstance(row, Unreadable):
                yield row
                continue
            yield from look(row)
            number += 1
            if on_rows is not None and number % _REPORT_EVERY == 0:
                on_rows(table.name, number)
        if on_rows is not None and number % _REPORT_EVERY:
            on_rows(table.name, number)


def is_json(stored: Any, *, as_object: bool) -> bool:
    """Whether a stored text is JSON as this package writes it."""
    try:
        value = from_json(stored, allow_inf_nan=False)
    except (ValueError, TypeError):
        return False
    return isinstance(value, dict) if as_object else True


def moment_of(stored: Any) -> datetime | None:
    """The moment of a stored time, or None if it is invalid, or is not written as times are."""
    try:
        return to_moment(stored) if len(stored) == _LENGTH and stored[10] == " " else None
    except (ValueError, TypeError, AttributeError):
        return None


def wants_object(table: str, column: str) -> bool:
    """Whether a document must be an object."""
    return (table, column) in _OBJECTS


def matches(row: Mapping[str, Any]) -> bool:
    """Whether a message's digest is that of what is stored."""
    created_at = moment_of(row["created_at"])
    try:
        return created_at is not None and message_digest(row, created_at) == bytes(row["digest"])
    except (ValueError, TypeError):  # bytes that are no text
        return False


def _looks(table: Table) -> Callable[[Mapping[str, Any]], Iterator[Defect]]:
    """A function that looks at one row of a table."""
    keys = [column.name for column in table.primary_key.columns]
    checks = [(column.name, *_check_of(column), bool(column.nullable)) for column in table.c]
    more = {
        "chatledger_messages": _message, "chatledger_sessions": _session, "chatledger_session_snapshots": _snapshot,
    }.get(table.name)  # fmt: skip

    def look(row: Mapping[str, Any]) -> Iterator[Defect]:
        key = tuple(row[name] for name in keys)
        for name, kind, is_one, nullable in checks:
            value = row[name]
            if not (nullable if value is None else is_one(value)):
                yield Defect("values" if value is None else kind, table.name, key, name)
        if more is not None:
            yield from more(key, row)

    return look


def _check_of(column: Column[Any]) -> tuple[str, Callable[[Any], bool]]:
    kind = column.type
    if isinstance(kind, Document):
        as_object = wants_object(column.table.name, column.name)
        return "json", lambda value: is_json(value, as_object=as_object)
    if isinstance(kind, Word):
        return "words", frozenset(word.value for word in kind.words).__contains__
    if isinstance(kind, Timestamp):
        return "times", lambda value: moment_of(value) is not None
    if isinstance(kind, LargeBinary):
        return "values", lambda value: isinstance(value, bytes | memoryview)
    if column.name == "activity_hour":  # kept by the database, and compared with it elsewhere
        return "values", lambda value: value is not None
    if isinstance(kind, Float):
        return "values", lambda value: type(value) is float and isfinite(value)
    wanted = int if isinstance(kind, Integer | Money | Flag) else str
    return "values", lambda value: type(value) is wanted


def _message(key: tuple[Any, ...], row: Mapping[str, Any]) -> Iterator[Defect]:
    if row["digest"] is None:
        yield Defect("no_digest", messages.name, key, "")
    elif not matches(row):
        yield Defect("digest", messages.name, key, "")
    texts = (row["role"], row["content"], row["payload"], row["name"], row["outcome"])
    if isinstance(row["content"], str) and all(text is None or isinstance(text, str) for text in texts):
        wanted = search_columns(*texts)
        if (row["search_text"], row["search_extra"]) != wanted:
            yield Defect("full_text", messages.name, key, "search_text")


def _session(key: tuple[Any, ...], row: Mapping[str, Any]) -> Iterator[Defect]:
    texts = {name: row[name] for name in OF_SESSIONS}
    if all(text is None or isinstance(text, str) for text in texts.values()):
        wanted = session_search_columns(**texts)
        if any(row[name] != value for name, value in wanted.items()):
            yield Defect("full_text", sessions.name, key, "search_title")


def _snapshot(key: tuple[Any, ...], row: Mapping[str, Any]) -> Iterator[Defect]:
    try:
        for _ in lines("", Body(row["body"], row["size"], row["digest"]), row["encoding"]):
            pass
        return
    except (CorruptDatabase, TypeError):
        pass
    yield Defect("snapshots", snapshots.name, key, "body")
