"""Tables beside sessions and messages: their rows are kept with a session, or with the rows that belong to none."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from chatledger.adoption.source.database import Row, Source
from chatledger.adoption.source.reader import Reader
from chatledger.adoption.source.row_reader import plain
from chatledger.adoption.source.rows import OldMessage, OldSession
from chatledger.enums import Status

# What the rows of one table may add to a session's metadata, which is read with the session. More goes the other way.
_LARGEST = 1 << 16
# Columns that stay as they are while a program goes on: they tell one source from another.
_LASTING = ("id", "name", "key", "created_at", "applied_at", "datetime_utc", "app_name", "session_id")


@dataclass(frozen=True)
class Aside:
    """A table whose rows hang on a session, or on a message, by an expression over their columns (`t`)."""

    table: str
    key: str
    name: str
    """The name that they have in the metadata."""

    def ready(self, source: Source) -> None:
        if self.table in source.tables:
            source.index(self.table, self.key)

    def rows(self, source: Source, value: Any) -> list[Row]:
        """The rows that hang on something, unless they are too large to be kept with it."""
        rows: list[Row] = []
        size = 0
        for row in source.found(self.table, self.key, value):
            size += sum(len(item) for item in row.values.values() if isinstance(item, str | bytes))
            if size > _LARGEST:
                return []
            rows.append(row)
        return rows

    def keep(self, source: Source, value: Any, owner: OldSession | OldMessage, *without: str) -> None:
        """Keep the rows that hang on a session or message in its metadata."""
        rows = self.rows(source, value)
        if rows:
            said = [{name: item for name, item in plain(row).items() if name not in without} for row in rows]
            owner.metadata.setdefault(self.name, []).extend(said)
            owner.kept.extend(rows)


def remaining(
    reader: Reader, tables: Iterable[str], dangling: dict[str, str], *, known_by: Container[str] = ()
) -> Iterator[OldSession]:
    """One session with every row of these tables that no other session took, a message for each. It stays open.

    `dangling` says for a table which of its rows hang on something that is not there: they are left out when orphans
    are dropped. The session is known again by the first of its rows; of the tables `known_by` by their first row,
    whether it is in the session or was taken into the registry, which may be otherwise in the next source.
    """
    source, layout = reader.source, reader.layout
    taken = [table for table in tables if table in source.tables]
    if reader.dropping:
        for table in taken:
            if table in dangling:
                reader.drop(source.rows(table, dangling[table]))
    if not any(True for table in taken for _ in source.unsettled(table)):
        return
    rows = (source.rows(table) if table in known_by else source.unsettled(table) for table in taken)
    first = next(row for found in rows for row in found)
    yield OldSession(
        source_id=f"{layout.value} rows without a session",
        origin=f"{first.table} {[first[name] for name in _LASTING]}",
        session_id=f"{layout.value}-rows",
        fields={"title": f"{layout.value}: rows that belong to no session"},
        messages=_messages(source, taken),
        status=Status.PAUSED,
        recovered="rows that belong to no session",
        of_rows=True,
    )


def _messages(source: Source, tables: list[str]) -> Iterator[OldMessage]:
    for table in tables:
        for row in source.unsettled(table):
            fields = {"role": "tool", "name": table, "payload": plain(row), "hidden": True}
            yield OldMessage(row, fields, kept=[row])
