"""SQLite: one file, many readers, one writer at a time."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Connection, Engine, QueuePool, Table, create_engine, delete, event, text, update
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool, PoolProxiedConnection

from chatledger import errors
from chatledger.dialects.base import (
    VERSION_TABLE,
    Dialect,
    DurationRanking,
    Mode,
    State,
    bound_columns,
    has_listeners,
    original,
    scalars,
)
from chatledger.dialects.process_fork import survive_fork
from chatledger.dialects.sqlite import rebuild
from chatledger.dialects.sqlite.connection import (
    WAL_RESET_FIXED,
    Configure,
    LedgerConnection,
    begin_as_guest,
    borrowed,
    manual_transactions,
    restore,
)
from chatledger.dialects.sqlite.file import APPLICATION_ID, database_path, prepare_file
from chatledger.dialects.sqlite.rebuild import FULL_TEXT, MARK_TABLE
from chatledger.dialects.writer_queue import WriterQueue, writer_lock
from chatledger.settings import Durability, Settings

if TYPE_CHECKING:
    from chatledger.dialects.full_text import FullText
    from chatledger.dialects.integrity import Integrity
    from chatledger.dialects.maintenance import Maintenance

MINIMUM = (3, 37, 0)
"""Older libraries lack STRICT tables or RETURNING."""
_SQLITE_ERRORS: dict[int, tuple[type[errors.ChatledgerError], str]] = {
    sqlite3.SQLITE_BUSY: (errors.Busy, "the database is locked by another program: try again, or raise busy_timeout"),
    sqlite3.SQLITE_LOCKED: (errors.Busy, "a table is in use by another statement: try again"),
    # What the library cannot prepare again within a transaction; a new one can.
    sqlite3.SQLITE_SCHEMA: (errors.Busy, "another program has just changed the tables of the file: try again"),
    sqlite3.SQLITE_READONLY: (
        errors.ReadOnly,
        "the database may only be read here: write in ledger.begin(), and see that the file and its folder are writable",
    ),
    sqlite3.SQLITE_FULL: (errors.OutOfSpace, "the disk is full: nothing was written; make room and try again"),
    sqlite3.SQLITE_IOERR: (errors.Unavailable, "the disk failed to read or write the database"),
    sqlite3.SQLITE_CANTOPEN: (errors.Unavailable, "the database file cannot be opened: check the path and its rights"),
    sqlite3.SQLITE_CORRUPT: (errors.CorruptDatabase, "the database is damaged: stop writing and restore a backup"),
    sqlite3.SQLITE_NOTADB: (errors.NotALedger, "the file is not a SQLite database (or is encrypted)"),
    sqlite3.SQLITE_TOOBIG: (errors.InvalidInput, "a value is larger than the database can hold"),
    sqlite3.SQLITE_CONSTRAINT: (errors.Conflict, "a constraint of the database refused the row"),
    sqlite3.SQLITE_PERM: (errors.ReadOnly, "the database file may not be written"),
    sqlite3.SQLITE_AUTH: (errors.ReadOnly, "the database refuses this statement"),
}


# SQLite has no code of its own for these.
_MISSING = re.compile(r"no such (table|column): |table chatledger_\w+ has no (column) named ")

# What the numbers of pragmas mean.
_WORDS: dict[str, dict[Any, str]] = {
    "synchronous": {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"},
    "temp_store": {0: "DEFAULT", 1: "FILE", 2: "MEMORY"},
    "application_id": {APPLICATION_ID: "chlg"},
}


class SQLite(Dialect):
    """How a ledger lives in a SQLite file."""

    name: ClassVar[str] = "sqlite"
    title: ClassVar[str] = "SQLite"
    driver: ClassVar[str] = "sqlite3"
    undeclared: ClassVar[frozenset[str]] = frozenset(
        {
            "message_id",  # the integer key that full text needs; the mapper's key is the pair
            "uq_chatledger_messages_session_id_sequence_number",  # on other databases this pair is the primary key
            "ix_chatledger_audit_log_session_id",  # on other databases the primary keys begin with the session
            "ix_chatledger_performance_metrics_session_id",
            *(
                f"{table}{part}"
                for table in FULL_TEXT
                for part in ("", "_config", "_content", "_data", "_docsize", "_idx")
            ),
            "chatledger_session_numbers",  # the integer key of sessions, for their full text
            MARK_TABLE,  # up to which message full text is complete
        }
    )

    @cached_property
    def full_text(self) -> FullText:
        from chatledger.dialects.sqlite.full_text import SQLiteFullText  # noqa: PLC0415 - see `Dialect`

        return SQLiteFullText()

    @cached_property
    def integrity(self) -> Integrity:
        from chatledger.dialects.sqlite.integrity import SQLiteIntegrity  # noqa: PLC0415 - see `Dialect`

        return SQLiteIntegrity()

    @cached_property
    def maintenance(self) -> Maintenance:
        from chatledger.dialects.sqlite.maintenance import SQLiteMaintenance  # noqa: PLC0415 - see `Dialect`

        return SQLiteMaintenance()

    def create_engine(self, url: URL, settings: Settings) -> Engine:
        if sqlite3.sqlite_version_info < MINIMUM:
            raise errors.Unavailable(
                f"SQLite {sqlite3.sqlite_version} is too old: chatledger needs 3.37 or newer (a newer Python brings it)"
            )
        path = database_path(url.database)
        if path is not None:
            path = path.absolute()  # the program may change its folder before the next connection
        if url.query:
            raise errors.InvalidInput("url", "takes no options for a SQLite file: they are in Settings")
        pool: dict[str, Any] = {
            "pool_size": settings.pool_size,
            "max_overflow": settings.max_overflow,
            "pool_use_lifo": True,  # a warm page cache is worth more than an even spread
        }
        if path is None:
            # Each connection to :memory: is a database of its own, so there is one, and everybody waits for it.
            pool = {"pool_size": 1, "max_overflow": 0}
        engine = create_engine(
            url.set(drivername="sqlite+chatledger", database=str(path) if path else ":memory:"),
            poolclass=QueuePool,
            pool_timeout=settings.pool_timeout,
            connect_args={"check_same_thread": False, "timeout": 0, "factory": LedgerConnection},
            hide_parameters=True,
            **pool,
        )
        event.listen(engine, "connect", Configure(settings, file=path is not None))
        # A database in memory is copied with the process: the child goes on with its copy.
        return engine if path is None else survive_fork(engine, file=True)

    def begin(self, connection: Connection, mode: Mode, wait: float, durability: Durability | None = None) -> None:
        driver: Any = connection.connection.dbapi_connection
        if isinstance(driver, LedgerConnection):
            driver.mode = mode
            if durability is not None:
                driver.set_durability(durability)
            connection.begin()
        else:
            begin_as_guest(connection, mode, wait, durability)

    def set_user(self, connection: Connection, user_id: str) -> None:
        """No connection to a file is limited."""

    def interrupt(self, connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.interrupt()

    def end(self, connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        if isinstance(driver, LedgerConnection):
            driver.restore()
        else:
            restore(connection)

    def file(self, url: URL) -> Path | None:
        return database_path(url.database)

    def restore_target(self, url: URL) -> Path:
        path = self.file(url)
        if path is None:
            raise errors.InvalidInput("url", "names a ledger in memory: restore into a file or a server")
        return path

    def prepare(self, url: URL) -> None:
        path = self.file(url)
        if path is not None:
            prepare_file(path)

    def writer_queue(self, url: URL, wait: float) -> WriterQueue:
        path = self.file(url)
        return WriterQueue(writer_lock(None if path is None else str(path.resolve())), wait)

    def catch_up_index(self, connect: Callable[[], AbstractContextManager[Connection]]) -> None:
        with connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            # The journal of a file that is only read, such as a backup, is left as it is.
            if driver.execute(rebuild.IS_BEHIND).fetchone() is None or driver.journal_mode() not in ("wal", "memory"):
                return
            patience, driver.wait = driver.wait, 0.0
            try:
                self.begin(connection, "write", 0.0)
                for statement in rebuild.catch_up():
                    connection.exec_driver_sql(statement)
                connection.commit()
            finally:
                driver.wait = patience
                connection.rollback()

    def state(self, connection: Connection) -> State:
        tables = set(scalars(connection, "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"))
        marked = connection.execute(text("PRAGMA application_id")).scalar_one() == APPLICATION_ID
        revision = None
        if VERSION_TABLE in tables:
            revision = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()
        return State(
            revision=revision,
            empty=not tables - {VERSION_TABLE},
            tables=frozenset(tables),
            ours=marked or revision is not None,
        )

    def lock_schema(self, connection: Connection) -> None:
        # BEGIN IMMEDIATE takes the only lock there is. On an application's connection the driver may not have begun:
        # it does not before DDL.
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction and getattr(driver, "autocommit", None) is not True:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def mark(self, connection: Connection, *, alone: bool) -> None:
        if alone:
            connection.execute(text(f"PRAGMA application_id={APPLICATION_ID}"))

    def verify_migration(self, connection: Connection) -> None:
        # A migrating connection runs without foreign keys (rebuilding a table would delete its children).
        broken = connection.execute(text("PRAGMA foreign_key_check")).first()
        if broken is not None:
            raise errors.CorruptDatabase(
                f"table {broken[0]!r} has rows that refer to nothing: nothing was migrated; run `chatledger db check`"
            )

    def fingerprint(self, connection: Connection, tables: Collection[str]) -> dict[str, str]:
        # The tables that FTS5 makes beside the one that was asked for have other names.
        rows = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        of_ours = {
            *tables,
            *FULL_TEXT,
            "chatledger_messages_text",
            "chatledger_sessions_text",
            "chatledger_session_numbers",
            MARK_TABLE,
        }
        return {
            f"{kind} {name}": re.sub(r"\s+", " ", sql).strip() for kind, name, table, sql in rows if table in of_ours
        }

    @contextmanager
    def scratch(self, connection: Connection) -> Iterator[Connection]:
        engine = create_engine("sqlite://", poolclass=NullPool)
        event.listen(engine, "connect", manual_transactions)
        with engine.connect() as empty:
            yield empty
        engine.dispose()

    def delete_dependents(self, connection: Connection, tables: Iterable[Table], session_ids: Sequence[str]) -> None:
        driver: Any = connection.connection.dbapi_connection
        # An application's own connection enforces foreign keys only if it has been told to.
        if isinstance(driver, LedgerConnection) or driver.execute("PRAGMA foreign_keys").fetchone()[0]:
            return
        for table in tables:
            connection.execute(delete(table).where(table.c.session_id.in_(list(session_ids))))

    def fetch_all(self, connection: Connection, sql: str, parameters: Any) -> Sequence[Sequence[Any]]:
        # The driver alone would begin nothing: a transaction that is not open yet is SQLAlchemy's to open.
        if not connection.in_transaction() or has_listeners(connection):
            return super().fetch_all(connection, sql, parameters)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql, parameters)
            return cursor.fetchall()
        finally:
            cursor.close()

    def connection_alone(self, engine: Engine) -> PoolProxiedConnection:
        connection: PoolProxiedConnection = borrowed(engine)
        return connection

    def fetch_alone(
        self,
        connection: PoolProxiedConnection,
        sql: str,
        parameters: Any,
        *,
        writing: bool,
        on_begin: Callable[[], None],
    ) -> Sequence[Sequence[Any]] | None:
        driver: Any = connection.dbapi_connection
        found: Sequence[Any] | None = driver.fetch_alone(sql, parameters, writing=writing, on_begin=on_begin)
        return found

    def rank_durations(self, ranking: DurationRanking) -> Sequence[Any]:
        return ranking.in_python()

    def insert(self, table: Table) -> Insert:
        return insert(table)

    def insert_rows(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        names = tuple(rows[0])
        columns = bound_columns(connection.dialect, table, names, rows)
        statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        values = list(zip(*columns, strict=True))
        if table.name != "chatledger_messages" or len(values) <= rebuild.MOST:
            _execute_many(connection, statement, values)
            return
        connection.exec_driver_sql(rebuild.let_wait(len(values)))
        try:
            _execute_many(connection, statement, values)
        except BaseException:
            driver: Any = connection.connection.dbapi_connection
            if driver.in_transaction:
                driver.execute(rebuild.WAIT_NO_LONGER)
            raise
        for indexing in rebuild.stop_waiting():
            connection.exec_driver_sql(indexing)

    def lock_row(self, connection: Connection, table: Table, condition: Any, columns: Sequence[Any]) -> Any:
        # A write that changes nothing takes the lock of the file, and fails where the snapshot is not the newest.
        column = table.c.last_sequence
        statement = update(table).where(condition).values({column: column}).returning(*columns)
        return connection.execute(statement).one_or_none()

    def recognises(self, error: BaseException) -> bool:
        return super().recognises(error) or isinstance(error, UnicodeDecodeError)

    def facts(self, connection: Connection) -> dict[str, Any]:
        names = (
            "journal_mode", "synchronous", "foreign_keys", "cache_size", "temp_store", "mmap_size", "busy_timeout",
            "page_size", "page_count", "freelist_count", "application_id",
        )  # fmt: skip
        pragmas = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in names}
        for name, words in _WORDS.items():
            pragmas[name] = words.get(pragmas[name], pragmas[name])
        path = connection.execute(text("SELECT file FROM pragma_database_list WHERE name = 'main'")).scalar()
        sizes = {
            suffix or "main": Path(f"{path}{suffix}").stat().st_size
            for suffix in ("", "-wal", "-shm")
            if path and Path(f"{path}{suffix}").exists()
        }
        return {
            "database": self.title,
            "version": sqlite3.sqlite_version,
            "wal_reset_defect": sqlite3.sqlite_version_info < WAL_RESET_FIXED,
            "path": path or None,
            "bytes": sizes,
            "pragmas": pragmas,
        }

    def classify(self, error: BaseException) -> tuple[type[errors.ChatledgerError], str, str | None]:
        cause = original(error)
        number = getattr(cause, "sqlite_errorcode", None)
        name = getattr(cause, "sqlite_errorname", None)
        if number == sqlite3.SQLITE_BUSY_SNAPSHOT:
            return errors.Busy, "somebody wrote after this transaction had read: roll it back and begin it again", name
        if number is not None and number & 0xFF in _SQLITE_ERRORS:
            return *_SQLITE_ERRORS[number & 0xFF], name
        if isinstance(cause, UnicodeDecodeError) or (isinstance(cause, sqlite3.OperationalError) and number is None):
            # The driver's own complaint, without a code: stored bytes that are no text any more.
            return errors.CorruptDatabase, "the database holds bytes that are no text: run `chatledger db check`", name
        if isinstance(cause, OverflowError | sqlite3.DataError):
            return errors.InvalidInput, "a number is larger than the database can hold", name
        if number == sqlite3.SQLITE_ERROR and (missing := _MISSING.match(str(cause))):
            return (
                errors.NotALedger,
                f"a {missing[1] or missing[2]} of the ledger is missing: run `chatledger db upgrade`",
                name,
            )
        refused = f"the database refused the statement ({name or type(cause).__name__}): run `chatledger db check`"
        return errors.ChatledgerError, refused, name


def _execute_many(connection: Connection, statement: str, values: Sequence[Sequence[Any]]) -> None:
    # As `fetch_all`: SQLAlchemy would look at each row once more.
    if not connection.in_transaction() or has_listeners(connection):
        connection.exec_driver_sql(statement, values)
        return
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(statement, values)
    finally:
        cursor.close()
