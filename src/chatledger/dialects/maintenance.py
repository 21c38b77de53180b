"""What differs between databases when a ledger is copied, maintained, and asked for its health."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table
from sqlalchemy.engine import URL

PageProgress = Callable[[int, int], object]
"""Called with the number of pages that are copied, and the number of all pages."""


@dataclass
class Diagnostics:
    """What a database reports about itself. None: it cannot be asked, or does not apply."""

    unwritable: str | None = None
    """Why it cannot be written, as the end of a sentence; None when it can."""
    wal_bytes: int | None = None
    disk_free_bytes: int | None = None
    notes: list[str] = field(default_factory=list)
    """What is worth knowing and no problem by itself."""


@dataclass(frozen=True)
class StepResult:
    """The outcome of one step of the maintenance, and why it was left out if it was."""

    name: str
    done: bool
    why: str | None = None


@dataclass(frozen=True)
class Steps:
    """Which steps of the maintenance to do. `vacuum` None: if it helps."""

    analyze: bool
    vacuum: bool | None
    checkpoint: bool
    full_text: bool
    rebuild_full_text: bool = False


class Maintenance(ABC):
    """How a database is maintained: one object for each, an attribute of its dialect."""

    @abstractmethod
    def identity(self, connection: Connection) -> tuple[Any, ...]:
        """Return a value that is equal for two connections if they are to the same ledger, whatever their URLs say."""

    @abstractmethod
    def lasting_identity(self, connection: Connection) -> tuple[Any, ...]:
        """As `identity`, and the same after a restart. A restored or copied database is another one."""

    @abstractmethod
    def arrival_order(self, table: Table) -> Sequence[ColumnElement[Any]]:
        """Return the order in which messages arrived, as far as the database knows it without sorting them."""

    @abstractmethod
    def copy_pages(self, connection: Connection, target: Path, progress: PageProgress) -> bool:
        """Copy the whole database as the connection's transaction sees it, while others write. False: it has no pages
        that could be copied.
        """

    @abstractmethod
    def lock_tables(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Keep other writers out of the tables until the transaction ends."""

    @abstractmethod
    def clear(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Delete every row, as part of the transaction. The triggers are disabled."""

    @abstractmethod
    def triggers_disabled(self, connection: Connection, tables: Sequence[Table]) -> AbstractContextManager[None]:
        """A block in which no trigger runs, so that rows stay as loaded. After it, full text is complete again."""

    @abstractmethod
    def load(self, connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows, however many, in constant memory: text (times, too), whole numbers, bytes and None."""

    @abstractmethod
    def last_number(self, connection: Connection, table: Table, column: str) -> int:
        """The highest number that the database has handed out for a column that it numbers; 0 for none."""

    @abstractmethod
    def continue_numbering(self, connection: Connection, table: Table, column: str, last: int) -> None:
        """Make the database continue after a number."""

    @abstractmethod
    def maintain(self, engine: Engine, tables: Sequence[Table], steps: Steps, wait: float) -> list[StepResult]:
        """Do the steps that keep the database fast and small, outside of any transaction."""

    @abstractmethod
    def remove_deleted_content(self, engine: Engine, wait: float) -> bool:
        """Rewrite what is stored so that deleted text is gone, as far as the database can. Return whether it is done.

        Outside of any transaction. False if a reader used an older state for longer than `wait` seconds, or if the role
        lacks the right.
        """

    @abstractmethod
    def checkpoint_writes(self, engine: Engine, wait: float) -> None:
        """After many writes: move them from the log into the file, as far as no reader prevents it."""

    @abstractmethod
    def sizes(self, connection: Connection, tables: Sequence[Table]) -> dict[str, Any]:
        """Bytes of each table and index, and what is free."""

    @abstractmethod
    def diagnostics(self, connection: Connection, url: URL) -> Diagnostics:
        """Return the state of the database. The connection is not in a transaction."""
