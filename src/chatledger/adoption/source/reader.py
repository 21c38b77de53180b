"""What every layout answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

from chatledger.adoption.findings import Notes
from chatledger.adoption.layouts import Layout
from chatledger.adoption.source.database import Row, Source
from chatledger.adoption.source.json_values import kept
from chatledger.adoption.source.records import OldRecord
from chatledger.adoption.source.row_reader import Reading
from chatledger.adoption.source.rows import OldMessage, OldName, OldSession
from chatledger.adoption.source.timestamps import read_time


class Reader(ABC):
    """Reads one layout. It is asked twice, in the same way: for the report, and for the copy."""

    layout: ClassVar[Layout]
    said: ClassVar[str]
    """What the layout is, for sentences."""

    def __init__(self, source: Source, *, dropping: bool) -> None:
        self.source, self.dropping = source, dropping
        self.notes = Notes(zone="UTC", dropping=dropping)

    @classmethod
    @abstractmethod
    def knows(cls, source: Source) -> bool:
        """Whether the tables and columns are those of the layout."""

    @abstractmethod
    def tables(self) -> tuple[str, ...]:
        """The tables of the layout, whether they are there or not."""

    def derived(self) -> tuple[str, ...]:
        """Those of them that only repeat others."""
        return ()

    def survey(self) -> None:
        """Note what is seen by looking at tables as a whole."""
        return

    def names(self) -> Iterator[OldName]:
        """Projects and models of which the source says more than their names. Rows with one name: the first counts."""
        yield from ()

    @abstractmethod
    def sessions(self) -> Iterator[OldSession]:
        """The sessions, each with its messages."""

    def records(self) -> Iterator[OldRecord]:
        """What else becomes rows of the ledger's own. Read after the sessions, which they belong to."""
        yield from ()

    def rest(self) -> Iterator[OldSession]:
        """A session for the rows that neither sessions nor records have taken."""
        yield from ()

    def present(self) -> list[str]:
        """The tables of the layout that are there."""
        return [table for table in self.tables() if table in self.source.tables]

    def read(self, row: Row, key: Any) -> Reading:
        return Reading(row, key, self.notes, self.source.zone)

    def began(self, row: Row, column: str) -> datetime | None:
        """A time of a row that is read again later, and noted then."""
        found = read_time(row[column], self.source.zone)
        return None if found is None else found.moment

    def note_rows(self, kind: str, table: str, where: str, *columns: str) -> None:
        """Note the rows (`t`) of a table, if it is there, by one column or several."""
        if table in self.source.tables:
            for row in self.source.rows(table, where):
                key = [kept(row[column]) for column in columns]
                self.notes.add(kind, table, key if len(key) > 1 else key[0])

    def drop(self, rows: Iterator[Row]) -> None:
        """Leave rows out, by the user's choice."""
        for row in rows:
            self.source.settle(row, "left_out")


def with_times(messages: Iterator[OldMessage], first: datetime | None = None) -> Iterator[OldMessage]:
    """A message without a readable time takes that of the one before it."""
    last = first
    for message in messages:
        if message.fields.get("created_at") is None:
            message.fields["created_at"] = last
        last = message.fields["created_at"]
        yield message


def name_of(value: Any, row: Row) -> str:
    """What the source calls a session; SQLite lets even the column of a text key be empty, or hold something else."""
    return value if isinstance(value, str) and value else f"{row.table} {value!r}"
