"""One object per database answers every question about it. Nobody else asks which database it is."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from sqlalchemy import Connection, Engine, LargeBinary, Table, select, text
from sqlalchemy import Dialect as SQLAlchemyDialect
from sqlalchemy import exc as sa
from sqlalchemy.engine import URL
from sqlalchemy.pool import PoolProxiedConnection

from chatledger import errors
from chatledger.dialects.types import wire
from chatledger.dialects.writer_queue import ConnectionSlots, NoQueue
from chatledger.settings import Durability, Settings

if TYPE_CHECKING:
    from chatledger.dialects.full_text import FullText
    from chatledger.dialects.integrity import Integrity
    from chatledger.dialects.maintenance import Maintenance

Mode = Literal["read", "write", "migrate"]
"""How our transactions begin. `migrate` is a writer that may change tables."""

TABLE_PREFIX = "chatledger_"
"""How the names of all our tables and views begin."""
VERSION_TABLE = "chatledger_version"


@dataclass(frozen=True)
class State:
    """What stands in a database: our revision, if any, and whether there is anything at all."""

    revision: str | None
    empty: bool
    tables: frozenset[str]
    """The names of all tables."""
    ours: bool
    """True where our mark (SQLite's application_id) or our version table shows that it is a ledger."""

    @property
    def is_unreleased(self) -> bool:
        """Whether a version of chatledger that was never released made the tables, which had no prefix then."""
        tables = self.tables
        return self.revision is not None and "chatledger_sessions" not in tables and {"sessions", "messages"} <= tables


class DurationRanking(Protocol):
    """Two ways to rank durations, which return the same rows."""

    def in_database(self) -> Sequence[Any]: ...

    def in_python(self) -> Sequence[Any]: ...


class Dialect(ABC):
    """What differs between databases."""

    name: ClassVar[str]
    title: ClassVar[str]
    """The name as people write it."""
    driver: ClassVar[str]
    """The driver's package."""
    undeclared: ClassVar[frozenset[str]] = frozenset()
    """Tables, columns and indexes of the migrations that the models do not declare, or not as this database has them.
    """

    # Each is imported when it is first asked for: a program that appends needs none of them.

    @property
    @abstractmethod
    def full_text(self) -> FullText: ...

    @property
    @abstractmethod
    def integrity(self) -> Integrity: ...

    @property
    @abstractmethod
    def maintenance(self) -> Maintenance: ...

    @abstractmethod
    def create_engine(self, url: URL, settings: Settings) -> Engine:
        """A pooled engine with our settings. Connects to nothing yet."""

    @abstractmethod
    def begin(self, connection: Connection, mode: Mode, wait: float, durability: Durability | None = None) -> None:
        """Begin a transaction on our own or an application's connection, waiting that many seconds for a lock.

        `durability` is that of this transaction; None leaves it to the connection.
        """

    def is_limited(self, connection: Connection | None) -> bool | None:
        """Whether row-level security limits the role of this connection. None: that cannot be told without one."""
        return False

    @abstractmethod
    def set_user(self, connection: Connection, user_id: str) -> None:
        """Name the user of this transaction, whose rows row-level security shows."""

    def secure(self, connection: Connection, role: str, *, leakproof_search: bool) -> None:
        """Limit a role to the rows of the user that its transactions name.

        Raises:
            InvalidInput: the role cannot be limited, or this database has no roles.
        """
        raise errors.InvalidInput("role", f"{self.title} has no roles: row-level security needs PostgreSQL")

    def unsecure(self, connection: Connection, role: str) -> None:
        """Undo `secure`. Raises InvalidInput as it does."""
        raise errors.InvalidInput("role", f"{self.title} has no roles: row-level security needs PostgreSQL")

    @abstractmethod
    def interrupt(self, connection: Connection) -> None:
        """From another thread: end the statement that is running, if any. The transaction can then only roll back."""

    def end_read(self, connection: Connection) -> None:
        """End a reading transaction that succeeded. Without this it is rolled back."""
        return

    def end(self, connection: Connection) -> None:
        """After the transaction: leave the connection as it was."""
        return

    def reader_url(self, url: URL) -> URL:
        """The URL of a replica that a ledger reads from.

        Raises:
            InvalidInput: this kind of database has no replicas.
        """
        raise errors.InvalidInput("reader", f"is for PostgreSQL: in {self.title}, reading does not wait for writers")

    def position(self, connect: Callable[[], AbstractContextManager[Connection]]) -> str | None:
        """The position of the server's log, at or after every commit so far. None for a file. Begins no transaction."""
        return None

    def has_replayed(self, connection: Connection, position: str) -> bool:
        """Whether all commits up to a position can be read. Begins no transaction."""
        return True

    def file(self, url: URL) -> Path | None:
        """The file that a database lies in, or None for one in memory or on a server."""
        return None

    def restore_target(self, url: URL) -> Path | None:
        """Return the file that a restore replaces, or None if it writes rows into a database on a server.

        Raises:
            InvalidInput: the database is in memory.
        """
        return self.file(url)

    @abstractmethod
    def prepare(self, url: URL) -> None:
        """Make what must be there before the first connection. Raises what `errors` calls it when it cannot be."""

    def writer_queue(self, url: URL, wait: float) -> NoQueue:
        """Return the queue in which the writers of this process wait for their turn, each for up to `wait` seconds."""
        return NoQueue()

    def connection_slots(self, settings: Settings) -> ConnectionSlots:
        """Return the slots in which the threads of this process wait for a connection of the pool, in order."""
        return ConnectionSlots(settings.pool_size + settings.max_overflow)

    def catch_up_index(self, connect: Callable[[], AbstractContextManager[Connection]]) -> None:
        """Bring the full-text index up to date if it follows behind the appends, without waiting for a lock."""
        return

    @abstractmethod
    def state(self, connection: Connection) -> State:
        """What stands in the database."""

    @abstractmethod
    def lock_schema(self, connection: Connection) -> None:
        """Keep other migrations out until this transaction ends."""

    def own_schema(self, connection: Connection) -> AbstractContextManager[Any]:
        """While the block runs, names mean things in the ledger's schema only, and not in others of a search path.

        When the block ends with an error, the transaction or savepoint around it must be rolled back.
        """
        return nullcontext()

    @abstractmethod
    def mark(self, connection: Connection, *, alone: bool) -> None:
        """Mark the database as a ledger, when nobody else lives in it."""

    @abstractmethod
    def verify_migration(self, connection: Connection) -> None:
        """Look at the tables once more before a migration commits."""

    @abstractmethod
    def fingerprint(self, connection: Connection, tables: Collection[str]) -> dict[str, str]:
        """What makes up our tables, by kind and name, with its normalised text: columns, constraints, indexes,
        triggers, and the functions, views and full text that go with them.
        """

    @abstractmethod
    def scratch(self, connection: Connection) -> AbstractContextManager[Connection]:
        """An empty place beside the ledger in which to migrate from nothing, gone afterwards."""

    def delete_dependents(self, connection: Connection, tables: Iterable[Table], session_ids: Sequence[str]) -> None:
        """Delete the rows of sessions in these tables, unless foreign keys do so when the sessions are deleted."""
        return

    def fetch_all(self, connection: Connection, sql: str, parameters: Any) -> Sequence[Sequence[Any]]:
        """Run SQL in the driver's own notation and return its rows as the driver gives them, as fast as the database
        can.

        On a server it goes through SQLAlchemy, which then knows when a connection is lost.
        """
        return connection.exec_driver_sql(sql, parameters).all()

    def connection_alone(self, engine: Engine) -> PoolProxiedConnection:
        """A connection of our own engine for `fetch_alone`."""
        return engine.raw_connection()

    @abstractmethod
    def fetch_alone(
        self,
        connection: PoolProxiedConnection,
        sql: str,
        parameters: Any,
        *,
        writing: bool,
        on_begin: Callable[[], None],
    ) -> Sequence[Sequence[Any]] | None:
        """Run one statement as a transaction of its own and return its rows, or None if that is not possible now.

        On one of our own connections, outside of a transaction. `sql` is in the notation of `spelling_alone`. `on_begin`
        is called before each attempt to get the lock that the statement needs.
        """

    def spelling_alone(self, dialect: SQLAlchemyDialect) -> SQLAlchemyDialect:
        """SQLAlchemy's dialect that writes SQL for `fetch_alone`."""
        return dialect

    def fetch_planned(
        self, connection: Connection, sql: str, parameters: Any, *, by_index: bool
    ) -> Sequence[Sequence[Any]]:
        """The same for a statement whose best plan depends on its values. With `by_index`, tables are not read whole."""
        return self.fetch_all(connection, sql, parameters)

    def rank_durations(self, ranking: DurationRanking) -> Sequence[Any]:
        """Rank durations where that is fastest: on a server, because reading many values over a network is slow."""
        return ranking.in_database()

    @abstractmethod
    def insert(self, table: Table) -> Any:
        """An INSERT that knows ON CONFLICT, which the two databases spell alike and SQLAlchemy has twice."""

    @abstractmethod
    def insert_rows(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert many rows in one round trip. Every row has the same columns; values are in stored form."""

    def lock_row(self, connection: Connection, table: Table, condition: Any, columns: Sequence[Any]) -> Any:
        """Read the one row that meets a condition, or None, and lock it until the transaction ends, even if the
        transaction did not begin as a writer's. Foreign keys to the row are not hindered.
        """
        return connection.execute(select(*columns).where(condition).with_for_update(key_share=True)).one_or_none()

    @abstractmethod
    def facts(self, connection: Connection) -> dict[str, Any]:
        """Version, settings in force and sizes, for `chatledger db info`."""

    @abstractmethod
    def classify(self, error: BaseException) -> tuple[type[errors.ChatledgerError], str, str | None]:
        """The chatledger error for a driver's error, a sentence without any value in it, and the database's code."""

    def translate(self, error: BaseException) -> errors.ChatledgerError:
        """The one place where a driver's error becomes a chatledger error."""
        if isinstance(error, sa.TimeoutError):
            return errors.PoolExhausted()
        kind, message, code = self.classify(error)
        translated = kind.__new__(kind)
        translated.args = (message,)
        translated.code = code
        if isinstance(translated, errors.InvalidInput):
            # A message begins with the name of the argument, where that is known.
            field, separator, reason = message.partition(": ")
            translated.field, translated.reason = (field, reason) if separator else ("value", message)
        return translated

    def recognises(self, error: BaseException) -> bool:
        """Whether an error comes from SQLAlchemy or the driver."""
        return isinstance(error, sa.SQLAlchemyError) or type(error).__module__.split(".")[0] == self.driver

    def is_ours(self, name: str | None) -> bool:
        """False for what the models do not declare, so that autogenerate leaves it alone."""
        return name not in self.undeclared


_statements = logging.getLogger("sqlalchemy.engine.Engine")


def has_listeners(target: Connection | Engine) -> bool:
    """Return whether an event on the cursor or the log of statements has to see each statement."""
    events = target.dispatch
    listened = events.before_cursor_execute or events.after_cursor_execute
    return bool(listened) or _statements.isEnabledFor(logging.INFO)


def bound_columns(
    dialect: SQLAlchemyDialect, table: Table, names: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> Iterator[Sequence[Any]]:
    """The values of rows in stored form, column by column, as a driver takes them. All rows have these names."""
    take = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    for name, column in zip(names, zip(*map(take, rows), strict=True), strict=True):
        process = _bind_processor(dialect, table, name)
        if process is None:
            yield column
        else:
            nothing = process(None)
            yield [nothing if value is None else process(value) for value in column]


@lru_cache(maxsize=1024)  # SQLAlchemy adapts a type to the dialect again, which takes as long as some messages
def _bind_processor(dialect: SQLAlchemyDialect, table: Table, name: str) -> Callable[[Any], Any] | None:
    kind = wire(table.c[name].type).dialect_impl(dialect)
    # Bytes are bytes, without the driver's wrapper.
    return None if isinstance(kind, LargeBinary) else kind.bind_processor(dialect)


def original(error: BaseException) -> BaseException:
    """The driver's own error inside SQLAlchemy's."""
    return error.orig if isinstance(error, sa.DBAPIError) and error.orig is not None else error


def scalars(connection: Connection, statement: str, **parameters: Any) -> Iterable[Any]:
    return connection.execute(text(statement), parameters).scalars().all()
