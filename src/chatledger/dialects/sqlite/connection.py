"""What happens on each connection to SQLite: its pragmas, and how a transaction begins and waits."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from chatledger.dialects import borrowed_connection
from chatledger.dialects.base import Mode
from chatledger.dialects.borrowed_connection import BorrowedConnection
from chatledger.errors import Busy
from chatledger.settings import MIB, Durability, Settings

WAL_RESET_FIXED = (3, 51, 3)
"""The first release without the WAL-reset defect, which memory-mapping makes worse."""

# Ceilings of the random pauses between attempts to get the lock of the file, in seconds. An append holds it for some 60
# microseconds, so most attempts are soon repeated: then one process prepares its next message while another writes. The
# longer pause leaves the file to fewer processes at a time, or each would find its cache stale at every turn. The
# library's own busy handler backs off for so long that one process can starve.
_SHORT_PAUSE, LONG_PAUSE = 0.0001, 0.004
_IN_A_ROW = 11
# After so many attempts somebody holds the lock for long, and is to have the processor.
_SHORT_ATTEMPTS = 150

# Levels of PRAGMA synchronous; EXTRA is above.
_NORMAL, _FULL = 1, 2

_TOUCH = "SELECT 1 FROM sqlite_master LIMIT 1"
_BEFORE = "chatledger_before"


class LedgerConnection(sqlite3.Connection):
    """A connection of ours, which remembers how its next transaction is to begin."""

    mode: Mode | None = None
    wait: float = 0.0
    journal_is_due = False
    """Whether the file's journal has yet to be looked at. Switching it to WAL writes to the file, so it waits for the
    first write: by then the file has been found to be a ledger.
    """
    durability: Durability = "normal"
    """That of the ledger."""
    _reading = False
    _migrating = False
    _durability_changed = False

    def begin(self) -> None:
        """Begin, waiting for a lock as long as the settings allow.

        A writer takes the lock at once (BEGIN IMMEDIATE): one that read first and wrote later could find its snapshot
        stale, which no waiting cures. A reader is refused writes by the database itself. A transaction that somebody
        begins on the engine without us is the library's plain one.
        """
        mode, self.mode = self.mode, None
        deadline = time.monotonic() + self.wait
        reading = mode == "read"
        if self._reading is not reading:
            self.execute(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
            self._reading = reading
        if mode == "migrate":
            self.execute("PRAGMA foreign_keys=OFF")  # without effect inside a transaction, so before it
            self._migrating = True
        if self.journal_is_due and mode in ("write", "migrate"):
            wait_for(self, "PRAGMA journal_mode=WAL", deadline)
            self.journal_is_due = False
        if mode is None or reading:
            self.execute("BEGIN")
        else:
            wait_for(self, "BEGIN IMMEDIATE", deadline)
        if reading:
            # The snapshot is taken by the first read: take it now, so that it is the moment of the call.
            wait_for(self, _TOUCH, deadline)

    def set_durability(self, durability: Durability) -> None:
        """For the next transaction, until `restore`. SQLite refuses to change it inside a transaction."""
        if durability != self.durability:
            self._durability_changed = True
            self.execute(f"PRAGMA synchronous={durability.upper()}")

    def fetch_alone(self, sql: str, parameters: Any, *, writing: bool, on_begin: Callable[[], None]) -> Any:
        """Run one statement that begins and ends its own transaction, waiting for a lock as `begin` does.

        A statement that writes takes the lock first, before it reads: its snapshot is never stale.
        """
        if writing:
            if self.journal_is_due:
                return None
            if self._reading:
                self.execute("PRAGMA query_only=OFF")
                self._reading = False
        deadline, attempts = time.monotonic() + self.wait, 0
        while True:
            on_begin()
            try:
                cursor = self.execute(sql, parameters)
                try:
                    return cursor.fetchall()  # the last row commits
                finally:
                    cursor.close()
            except sqlite3.OperationalError as error:
                if not _is_locked(error) or time.monotonic() >= deadline:
                    raise
            _pause(attempts := attempts + 1)

    def journal_mode(self) -> str:
        """The journal that the file has now, such as `wal`, or `memory` where there is no file."""
        return str(self.execute("PRAGMA journal_mode").fetchone()[0])

    def restore(self) -> None:
        """After a transaction: put back what a migration, or a durability of its own, needed otherwise."""
        if self._durability_changed:
            self.execute(f"PRAGMA synchronous={self.durability.upper()}")
            self._durability_changed = False
        if self._migrating:
            self.execute("PRAGMA foreign_keys=ON")
            self._migrating = False


class LedgerDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's own dialect, but for how a transaction begins.

    The usual place for this is an event on the engine; one listener makes every use of a connection look for listeners,
    which an append would feel.
    """

    supports_statement_cache = True

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        arguments, options = super().create_connect_args(url)
        if url.database not in (None, "", ":memory:"):
            # Never made here: a file that vanished under an open ledger must not be replaced by an empty one.
            arguments = [f"file:{quote(str(url.database))}?mode=rw"]
            options["uri"] = True
        return list(arguments), dict(options)

    def do_begin(self, dbapi_connection: Any) -> None:
        driver_of(dbapi_connection).begin()


class BorrowedFile(BorrowedConnection):
    """A connection to a file."""

    __slots__ = ()

    def _is_in_transaction(self) -> bool:
        return bool(self.dbapi_connection.in_transaction)


def borrowed(engine: Engine) -> Any:
    """A connection for `fetch_alone`."""
    return borrowed_connection.borrowed(engine, BorrowedFile)


registry.register("sqlite.chatledger", __name__, "LedgerDialect")


def driver_of(connection: Any) -> Any:
    """The driver's connection inside the pool's."""
    return getattr(connection, "dbapi_connection", connection)


class Configure:
    """The pragmas of every connection, grouped by what they touch."""

    def __init__(self, settings: Settings, *, file: bool) -> None:
        self._busy_timeout = settings.busy_timeout
        mmap = settings.mmap_size
        if mmap is None:
            mmap = 256 * MIB if sqlite3.sqlite_version_info >= WAL_RESET_FIXED else 0
        # trusted_schema stays on: without it FTS5 refuses to be written by a trigger ("unsafe use of virtual table").
        # Recursive triggers: only so does INSERT OR REPLACE run the triggers of the row that it removes.
        safety = ["foreign_keys=ON", "cell_size_check=ON", "recursive_triggers=ON"]
        # Waiting is ours (see wait_for): the library's busy handler is unfair across processes.
        waiting = ["busy_timeout=0"]
        speed = [f"cache_size=-{settings.cache_size // 1024}", "temp_store=MEMORY", f"mmap_size={mmap}"]
        # A reader that stays long lets the log grow; afterwards the file is cut back to this.
        tidiness = [f"journal_size_limit={64 * MIB}"]
        # NORMAL: a killed process loses nothing, a power cut may lose the last commits but never damages the file.
        durability = [f"synchronous={settings.durability.upper()}"]
        self._durability = settings.durability
        self._pragmas = [*waiting, *durability, *safety, *speed, *tidiness]
        self._file = file

    def __call__(self, connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        manual_transactions(connection, record)
        assert isinstance(connection, LedgerConnection)
        connection.wait = self._busy_timeout
        connection.durability = self._durability
        connection.journal_is_due = self._file
        deadline = time.monotonic() + self._busy_timeout
        for pragma in self._pragmas:
            wait_for(connection, f"PRAGMA {pragma}", deadline)


def manual_transactions(connection: Any, record: ConnectionPoolEntry) -> None:
    # The driver's own transactions begin late and end before DDL; ours begin with the word that the mode needs.
    connection.isolation_level = None


def begin_as_guest(connection: Connection, mode: Mode, wait: float, durability: Durability | None = None) -> None:
    """Begin on an application's connection, whose settings and events are its own.

    Foreign keys are on (without them a message could be stored for a session that does not exist) and a reader cannot
    write, for the time of the transaction: `restore` puts both back, and the durability where one is given.
    """
    driver: Any = connection.connection.dbapi_connection
    if driver.in_transaction and getattr(driver, "autocommit", None) is not False:
        raise Busy(
            "the engine has handed out a connection that is in a transaction already (its pool has one for everybody): "
            "end that unit of work first, or give the engine a QueuePool"
        )
    wanted = {"foreign_keys": int(mode != "migrate"), "query_only": int(mode == "read")}
    if durability is not None:
        wanted["synchronous"] = _NORMAL if durability == "normal" else _FULL
    before = {name: driver.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted}
    connection.info[_BEFORE] = before
    for name, value in wanted.items():
        is_stricter = durability == "full" and name == "synchronous" and before[name] > value
        if before[name] != value and not is_stricter:
            _execute_outside(driver, f"PRAGMA {name}={value}")
    connection.begin()  # the application's own events may begin here
    deadline = time.monotonic() + wait
    if mode == "read":
        if not driver.in_transaction:
            driver.execute("BEGIN")
        wait_for(driver, _TOUCH, deadline)
    else:
        if driver.in_transaction:
            driver.execute("ROLLBACK")  # begun without the lock; nothing has been read or written in it
        wait_for(driver, "BEGIN IMMEDIATE", deadline)


def restore(connection: Connection) -> None:
    """Put back what `begin_as_guest` changed."""
    before = connection.info.pop(_BEFORE, None)
    if before is not None:
        driver: Any = connection.connection.dbapi_connection
        for name, value in before.items():
            _execute_outside(driver, f"PRAGMA {name}={value}")


def _execute_outside(driver: Any, statement: str) -> None:
    """Run a pragma that does nothing or is refused inside a transaction, where nothing has been read or written yet.

    A driver with `autocommit=False` always has a transaction open.
    """
    in_transaction = driver.in_transaction
    if in_transaction:
        driver.execute("ROLLBACK")
    driver.execute(statement)
    if in_transaction:
        driver.execute("BEGIN")


def wait_for(connection: Any, statement: str, deadline: float) -> None:
    """Run a statement that needs a lock, trying again with a little jitter until the deadline."""
    attempts = 0
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if not _is_locked(error) or time.monotonic() >= deadline:
                raise
        _pause(attempts := attempts + 1)


def _pause(attempts: int) -> None:
    """Wait a little, at random, after so many failed attempts to get the lock of the file."""
    is_short = attempts % _IN_A_ROW and attempts < _SHORT_ATTEMPTS
    time.sleep(random.random() * (_SHORT_PAUSE if is_short else LONG_PAUSE))


def _is_locked(error: sqlite3.OperationalError) -> bool:
    # What the driver itself complains about has no code.
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
