"""Tables beside sessions and messages: their rows are kept with a session, or with the rows that belong to none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from chatledger.adoption.findings import Notes
from chatledger.adoption.layouts import Layout
from chatledger.adoption.reading import plain
from chatledger.adoption.records import OldMessage, OldSession
from chatledger.adoption.source import Row, Source
from chatledger.vocabulary import Status

#: What the rows of one table may add to a session's metadata, which is read with the session. More goes the other way.
_LARGEST = 1 << 16
#: Columns that stay as they are while a program goes on: they tell one source from another.
_LASTING = ("id", "name", "key", "created_at", "applied_at", "datetime_utc", "app_name", "session_id")


@dataclass(frozen=True)
class Aside:
    """A table whose rows hang on a session, or on a message, by an expression over their columns (`t`)."""

    table: str
    key: str
    #: The name that they have in the metadata.
    name: str
    where: str = "1"
    #: What it is called when they hang on something that is not there.
    dangling: str = "orphan_rows"

    def ready(self, source: Source) -> None:
        if self.table in source.tables:
            source.index(self.table, self.key, where=self.where)

    def rows(self, source: Source, value: Any) -> list[Row]:
        """The rows that hang on something, unless they are too large to be kept with it."""
        if self.table not in source.tables or source.size_of(self.table, self.key, value) > _LARGEST:
            return []
        return list(source.found(self.table, self.key, value))

    def keep(self, source: Source, value: Any, owner: OldSession | OldMessage, *without: str) -> None:
        """Keep the rows that hang on a session or message in its metadata."""
        rows = self.rows(source, value)
        if rows:
            said = [{name: item for name, item in plain(row).items() if name not in without} for row in rows]
            owner.metadata.setdefault(self.name, []).extend(said)
            owner.kept.extend(rows)


def remaining(
    source: Source, layout: Layout, tables: Iterable[str], notes: Notes, dangling: dict[str, str], *, dropping: bool
) -> Iterator[OldSession]:
    """One session, open for more of them, with every row of these tables that no other session took: a message for each row.

    `dangling` says for a table which of its rows hang on something that is not there: they are left out when orphans
    are dropped.
    """
    taken = [table for table in tables if table in source.tables]
    if dropping:
        for table in taken:
            _leave_out(source, table, dangling.get(table))
    first = next((row for table in taken for row in source.unsettled(table)), None)
    if first is None:
        return
    yield OldSession(
        source_id=f"{layout.value} rows without a session",
        origin=f"{first.table} {[first[name] for name in _LASTING]}",
        session_id=f"{layout.value}-rows",
        fields={"title": f"{layout.value}: rows that belong to no session"},
        messages=_messages(source, taken),
        status=Status.PAUSED,
        recovered="rows that belong to no session",
    )


def _messages(source: Source, tables: list[str]) -> Iterator[OldMessage]:
    for table in tables:
        for row in source.unsettled(table):
            fields = {"role": "tool", "name": table, "payload": plain(row)}
            yield OldMessage(row, fields, kept=[row])


def _leave_out(source: Source, table: str, dangling: str | None) -> None:
    if dangling is not None:
        for row in source.rows(table, dangling):
            source.settle(row, "left_out")
