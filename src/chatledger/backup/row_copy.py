"""Rows from one ledger into another, as they are: nothing is recounted, restamped or renumbered.

Both sides are read row by row, and of each side the digests of all rows are added up: the sums are equal when the same
rows are on both, in whatever order each database finds it easiest to read them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Column, Connection, Table, func, select, type_coerce, update
from sqlalchemy.types import NullType

from chatledger.dialects.base import Dialect
from chatledger.dialects.constructs import hour_of, json_text
from chatledger.dialects.types import Document, Hour, Timestamp, stamp
from chatledger.errors import ChatledgerError, Conflict, CorruptDatabase
from chatledger.models import Base
from chatledger.services.rows import messages, sessions

TABLES: tuple[Table, ...] = tuple(Base.metadata.sorted_tables)
"""Every table, parents before their children."""

OnProgress = Callable[[str, int, int | None], object]
"""Told what is being done, how much of it is done, and of how much (None: not known)."""

# Rows that are held in memory at a time.
_BUFFER = 200
# Rows between two words about the progress.
_PACE = 5000


@dataclass
class Tally:
    """How many rows there are, and the sum of their digests."""

    rows: int = 0
    sum: int = 0

    def add(self, row: Sequence[Any]) -> None:
        self.rows += 1
        digest = blake2b(to_json(row, bytes_mode="base64"), digest_size=16).digest()
        self.sum += int.from_bytes(digest)


def columns_of(table: Table) -> list[Column[Any]]:
    """The columns of a table that are not made from others: the hour of activity, which databases store differently."""
    return [column for column in table.columns if not isinstance(column.type, Hour)]


def first_rows(connection: Connection) -> list[str]:
    """The tables that hold any row."""
    return [table.name for table in TABLES if connection.execute(select(1).select_from(table).limit(1)).first()]


def count_all(connection: Connection, tables: Collection[str]) -> dict[str, int]:
    """How many rows each table of ours has, of those that are there."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in TABLES
        if table.name in tables
    }


def rows_of(connection: Connection, dialect: Dialect, table: Table, tally: Tally) -> Iterator[list[Any]]:
    """The rows of a table in the form that is the same everywhere: text, whole numbers, bytes and None."""
    wanted = [
        (json_text(column) if isinstance(column.type, Document) else type_coerce(column, NullType())).label(column.name)
        for column in columns_of(table)
    ]
    order = dialect.maintenance.arrival_order(table) if table.name == messages.name else table.primary_key.columns
    statement = select(*wanted).order_by(*order)
    times = [place for place, column in enumerate(columns_of(table)) if isinstance(column.type, Timestamp)]
    try:
        for row in connection.execute(statement, execution_options={"stream_results": True, "yield_per": _BUFFER}):
            values = list(row)
            for place in times:
                if isinstance(values[place], datetime):
                    values[place] = stamp(values[place])
            tally.add(values)
            yield values
        return
    except Exception as error:
        if isinstance(error, ChatledgerError) or not dialect.recognises(error):
            raise
        failure = dialect.translate(error)
    raise failure


def copy_rows(
    source: Connection,
    source_dialect: Dialect,
    target: Connection,
    target_dialect: Dialect,
    on_progress: OnProgress,
    *,
    clear: bool = False,
) -> dict[str, int]:
    """Copy every row into empty tables, within the transactions that both connections are in; how many of each.

    `clear` deletes what is in the tables first.

    Raises:
        Conflict: a row breaks a rule of the target, such as a message without its session.
        CorruptDatabase: a value cannot be read, or came out otherwise than it went in.
    """
    maintenance = target_dialect.maintenance
    given = {table.name: Tally() for table in TABLES}
    with maintenance.triggers_disabled(target, TABLES):
        if clear:
            maintenance.clear(target, TABLES)
        for table in TABLES:
            names = [column.name for column in columns_of(table)]
            total = _expected(source) if table.name == messages.name else None
            rows = rows_of(source, source_dialect, table, given[table.name])
            try:
                maintenance.load(target, table, names, _reported(rows, table.name, total, on_progress))
                continue
            except Exception as error:
                if isinstance(error, ChatledgerError) or not target_dialect.recognises(error):
                    raise
                failure = target_dialect.translate(error)
            if isinstance(failure, Conflict):
                failure = Conflict(f"a row of {table.name} breaks a rule: run `chatledger db check` on the source")
            raise failure
        target.execute(update(sessions).values(activity_hour=hour_of(sessions.c.last_activity)))
        for table, column in _NUMBERED:
            last = source_dialect.maintenance.last_number(source, table, column)
            maintenance.continue_numbering(target, table, column, last)
    for table in TABLES:
        taken = Tally()
        for _ in _reported(rows_of(target, target_dialect, table, taken), "comparing", None, on_progress):
            pass
        if taken != given[table.name]:
            raise CorruptDatabase(
                f"rows of {table.name} came out otherwise than they went in: nothing was copied;"
                " run `chatledger db check` on the source"
            )
    return {name: tally.rows for name, tally in given.items()}


def _expected(source: Connection) -> int:
    return int(source.execute(select(func.sum(sessions.c.message_count))).scalar() or 0)


def _reported(rows: Iterator[list[Any]], what: str, total: int | None, on_progress: OnProgress) -> Iterator[list[Any]]:
    done = 0
    on_progress(what, 0, total)
    for row in rows:
        yield row
        done += 1
        if done % _PACE == 0:
            on_progress(what, done, total)
    on_progress(what, done, total)


_NUMBERED = [(table, column.name) for table in TABLES for column in table.columns if column.identity is not None]
