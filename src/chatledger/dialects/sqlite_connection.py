"""What happens on each connection to SQLite: its pragmas, and how a transaction begins and waits."""

from __future__ import annotations

import random
import sqlite3
import time
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from chatledger.dialects.base import MODE
from chatledger.settings import MIB, Settings

#: The first release without the WAL-reset defect, which memory-mapping makes worse.
WAL_RESET_FIXED = (3, 51, 3)

#: Ceiling of one random wait between attempts to get the lock of the file, in seconds. Short, so that processes take
#: turns about evenly; the library's own busy handler backs off for so long that one process can starve.
_JITTER = 0.008


class Configure:
    """The pragmas of every connection, grouped by what they touch."""

    def __init__(self, settings: Settings, *, file: bool) -> None:
        self._busy_timeout = settings.busy_timeout
        mmap = settings.mmap_size
        if mmap is None:
            mmap = 256 * MIB if sqlite3.sqlite_version_info >= WAL_RESET_FIXED else 0
        # trusted_schema stays on: without it FTS5 refuses to be written by a trigger ("unsafe use of virtual table").
        safety = ["foreign_keys=ON", "cell_size_check=ON"]
        # Waiting is ours (see _wait_for): the library's busy handler is unfair across processes.
        waiting = ["busy_timeout=0"]
        speed = [f"cache_size=-{settings.cache_size // 1024}", "temp_store=MEMORY", f"mmap_size={mmap}"]
        # NORMAL: a killed process loses nothing, a power cut may lose the last commits but never damages the file.
        durability = [f"synchronous={settings.durability.upper()}"]
        # First: switching to WAL needs a lock, and everything after it reads through it.
        journal = ["journal_mode=WAL"] if file else []
        self._pragmas = [*waiting, *journal, *durability, *safety, *speed]

    def __call__(self, connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        manual_transactions(connection, record)
        deadline = time.monotonic() + self._busy_timeout
        for pragma in self._pragmas:
            try:
                _wait_for(connection, f"PRAGMA {pragma}", deadline)
            except sqlite3.OperationalError as error:
                # A file that may only be read keeps the journal that it has.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                    raise


def manual_transactions(connection: Any, record: ConnectionPoolEntry) -> None:
    # The driver's own transactions begin late and end before DDL; ours begin with the word that the mode needs.
    connection.isolation_level = None


class Begin:
    """Begin a transaction in its mode, waiting for a lock as long as the settings allow.

    A writer takes the lock at once (BEGIN IMMEDIATE): one that read first and wrote later could find its snapshot stale,
    which no waiting cures. A reader is refused writes by the database itself.
    """

    def __init__(self, busy_timeout: float) -> None:
        self._busy_timeout = busy_timeout

    def __call__(self, connection: Connection) -> None:
        mode = connection.get_execution_options().get(MODE)
        driver: Any = connection.connection.dbapi_connection
        info = connection.info
        deadline = time.monotonic() + self._busy_timeout
        if mode == "migrate":
            driver.execute("PRAGMA foreign_keys=OFF")  # without effect inside a transaction, so before it
        reading = mode == "read"
        if info.get("chatledger_reading", False) != reading:
            driver.execute(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
            info["chatledger_reading"] = reading
        if mode in ("write", "migrate"):
            _wait_for(driver, "BEGIN IMMEDIATE", deadline)
        else:
            driver.execute("BEGIN")
            if reading:
                # The snapshot is taken by the first read: take it now, so that it is the moment of the call.
                _wait_for(driver, "SELECT 1 FROM sqlite_master LIMIT 1", deadline)


class BeginAsGuest:
    """Begin on an application's connection, whose settings are the application's own."""

    def __init__(self, busy_timeout: float) -> None:
        self._busy_timeout = busy_timeout

    def __call__(self, connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        if driver.in_transaction:  # a driver in autocommit=False mode has begun already
            return
        mode = connection.get_execution_options().get(MODE)
        # Without foreign keys a message could be stored for a session that does not exist.
        driver.execute(f"PRAGMA foreign_keys={'OFF' if mode == 'migrate' else 'ON'}")
        deadline = time.monotonic() + self._busy_timeout
        _wait_for(driver, "BEGIN" if mode == "read" else "BEGIN IMMEDIATE", deadline)


def _wait_for(connection: Any, statement: str, deadline: float) -> None:
    """Run a statement that needs a lock, trying again with a little jitter until the deadline."""
    while True:
        try:
            connection.execute(statement).fetchall()
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() >= deadline:
                raise
        time.sleep(random.random() * _JITTER)
