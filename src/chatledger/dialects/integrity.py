"""What a check asks of a database, and how what it finds is mended: the part that differs between databases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, text
from sqlalchemy import exc as sa
from sqlalchemy.engine import URL


class Unreadable(NamedTuple):
    """A part of a table that cannot be read."""

    rows: int
    """How many, or 1 where that cannot be told."""
    places: tuple[str, ...]
    """Where they lie: keys and numbers, no content."""


class FileFaults(NamedTuple):
    """What the database itself says of its files."""

    indexes: list[str]
    """Indexes that do not agree with their tables: they can be rebuilt."""
    pages: list[str]
    """Damaged pages. Writing on would make it worse."""
    unused: list[str]
    """Pages that belong to nothing: room that is lost, and no more."""
    constraints: list[str]
    """Rows that break a constraint of their table."""


class Definition(NamedTuple):
    """How a thing of the schema is taken away and made."""

    drop: str | None
    """None: what is there is never taken away, for it may hold rows. Empty: recreating it replaces it."""
    create: str


class Integrity(ABC):
    """One for each database, beside its dialect."""

    mendable: tuple[str, ...]
    """Things of the schema that can be recreated, in the order in which they are."""
    last: tuple[str, ...] = ()
    """Of those, what can only be made when the rows are in order."""

    @abstractmethod
    def file_faults(self, connection: Connection, tables: Collection[str], *, quick: bool) -> FileFaults:
        """Ask the database whether its files are whole."""

    @abstractmethod
    def rows(self, connection: Connection, table: Table) -> Iterator[Mapping[str, Any] | Unreadable]:
        """Every row of a table in stored form, a bounded number at a time, and the places that cannot be read.

        JSON is its text, a time its text of 26 characters (or whatever stands there), and invalid text is bytes.
        """

    @abstractmethod
    def row(self, connection: Connection, table: Table, key: Sequence[Any]) -> Mapping[str, Any] | None:
        """One row by its primary key, in the same form; None where it is not there or cannot be read."""

    def lock(self, connection: Connection, tables: Collection[str]) -> None:
        """Keep writers out until the transaction ends. A writing transaction may do that by itself."""
        return

    @abstractmethod
    def full_text_fault(self, connection: Connection) -> str | None:
        """What is wrong with the full-text index, or None. Takes the writers' lock where there is one."""

    @abstractmethod
    def rebuild_full_text(self, connection: Connection) -> None:
        """Reindex every message."""

    @abstractmethod
    def rebuild_indexes(self, connection: Connection, tables: Sequence[str]) -> list[str]:
        """Rebuild the indexes of tables. Return the tables for which that was possible."""

    @abstractmethod
    def definitions(self, scratch: Connection, tables: Collection[str]) -> dict[str, Definition]:
        """The statements behind a fingerprint, under the same names, for what can be recreated."""

    @abstractmethod
    def keep_copy(self, url: URL, place: Path | None, now: datetime) -> Path | None:
        """Copy the database as it is into a new file that only its owner can read; None where that is not ours to do.

        A file that cannot be written is `Unavailable`, one that is there already `InvalidInput`.
        """


def attempted(connection: Connection, statement: str) -> bool:
    """Run a statement that may fail without harm to the transaction; whether it did not."""
    try:
        with connection.begin_nested():
            connection.execute(text(statement))
    except sa.DBAPIError as error:
        if error.connection_invalidated:
            raise
        return False
    return True
