"""What differs between databases when a ledger is copied, cared for, and asked how it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table
from sqlalchemy.engine import URL

#: Told how much is done, and of how much.
Step = Callable[[int, int], object]


@dataclass
class Vitals:
    """What a database says of itself in a moment. None: it cannot be asked, or does not apply."""

    #: Why it cannot be written, as the end of a sentence; None when it can.
    unwritable: str | None = None
    wal_bytes: int | None = None
    disk_free_bytes: int | None = None
    #: What is worth knowing and no problem by itself.
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Done:
    """One step of the upkeep. `why` it was left out, where it was."""

    name: str
    done: bool
    why: str | None = None


@dataclass(frozen=True)
class Wanted:
    """Which steps of the upkeep are wanted. `vacuum` None: where it helps."""

    analyze: bool
    vacuum: bool | None
    checkpoint: bool
    full_text: bool


class Custody(ABC):
    """One for each database, on its dialect."""

    @abstractmethod
    def place(self, connection: Connection) -> tuple[Any, ...]:
        """The same for two connections to the same ledger, whatever their URLs say."""

    @abstractmethod
    def lasting_place(self, connection: Connection) -> tuple[Any, ...]:
        """As `place`, and the same after a restart, too. A restored or copied database is another one."""

    @abstractmethod
    def arrival(self, table: Table) -> Sequence[ColumnElement[Any]]:
        """The order in which messages came, as well as the database knows and without sorting them first."""

    @abstractmethod
    def copy_pages(self, connection: Connection, target: Path, step: Step) -> bool:
        """Copy the whole database as the connection's transaction sees it, while others write. False: it has no pages
        that could be copied.
        """

    @abstractmethod
    def occupy(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Keep other writers out of the tables until the transaction ends."""

    @abstractmethod
    def clear(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Delete every row, as part of the transaction. The triggers are at rest."""

    @abstractmethod
    def at_rest(self, connection: Connection, tables: Sequence[Table]) -> AbstractContextManager[None]:
        """A block in which no trigger runs: what is loaded stays as it is. After it full text is complete again."""

    @abstractmethod
    def load(self, connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows, however many, in constant memory: text (times, too), whole numbers, bytes and None."""

    @abstractmethod
    def last_number(self, connection: Connection, table: Table, column: str) -> int:
        """The highest number that the database has handed out for a column that it numbers; 0 for none."""

    @abstractmethod
    def number_from(self, connection: Connection, table: Table, column: str, last: int) -> None:
        """Have the database go on after a number."""

    @abstractmethod
    def upkeep(self, engine: Engine, tables: Sequence[Table], wanted: Wanted, wait: float) -> list[Done]:
        """Do what keeps the database quick and small, outside of any transaction."""

    @abstractmethod
    def settle(self, engine: Engine, wait: float) -> None:
        """After much was written: bring it to its place, as far as nobody is in the way."""

    @abstractmethod
    def sizes(self, connection: Connection, tables: Sequence[Table]) -> dict[str, Any]:
        """Bytes of each table and index, and what is free."""

    @abstractmethod
    def vitals(self, connection: Connection, url: URL) -> Vitals:
        """How the database is, at once. The connection is in no transaction."""
