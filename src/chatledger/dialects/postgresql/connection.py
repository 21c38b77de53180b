"""What happens on each connection to a server: its settings, how it is tested, and how its transactions begin."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy import exc as sa
from sqlalchemy.pool import ConnectionPoolEntry

from chatledger.dialects.base import Mode
from chatledger.settings import Durability, Settings

# A connection that was not used for longer is tested before it is handed out. A busy pool is not slowed; one that slept
# through a restart of the server is not poisoned.
_PING_AFTER = 1.0

# The values of psycopg's IsolationLevel, which is imported with the driver. (SQLAlchemy's options of a connection do the
# same for an application's driver, and take longer.)
_READ_COMMITTED, _REPEATABLE_READ = 2, 3

_NO_JIT = text("SELECT set_config('jit', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)")
_NO_SCANS = text("SELECT set_config('enable_seqscan', 'off', true)")
_SCANS = text("SELECT set_config('enable_seqscan', 'on', true)")

# Of the transaction alone, so that a pooler hands nothing on. `remote_apply` is as durable as `on`, and waits for more.
_SYNCHRONOUS_COMMIT: dict[Durability, str] = {
    "normal": "SET LOCAL synchronous_commit TO DEFAULT",
    "full": "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
    "WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)",
}

_OURS = "chatledger_connection"
_RESTED_SINCE = "chatledger_rested_since"


class Configure:
    """Settings of every connection, whatever the server, the database or the role sets.

    Set by statement, because a pooler refuses them as startup options. The first ones a pooler keeps apart for each of
    its clients; the others are left out for a pooler in transaction mode, where they would stay behind for another one.
    """

    def __init__(self, settings: Settings) -> None:
        # In another zone the driver cannot read the first and the last day of the calendar, and in another style no
        # time at all. (The encoding is set when the connection is made, before the driver reads anything.)
        self._statement = "SET TIME ZONE 'UTC'; SET DateStyle = 'ISO'; SET standard_conforming_strings = on"
        if settings.prepared_statements:
            self._statement += "; SET extra_float_digits = 1; SET IntervalStyle = 'postgres'"
            # Compiling a plan takes longer than a search.
            self._statement += "; SET jit = off"
            # Zero would mean to wait for ever.
            self._statement += f"; SET lock_timeout = {max(1, round(settings.busy_timeout * 1000))}"
            if settings.durability == "full":
                self._statement += "; SET synchronous_commit = on"

    def __call__(self, connection: Any, record: ConnectionPoolEntry) -> None:
        connection.execute(self._statement)
        connection.commit()
        record.info[_OURS] = True


def note_time(connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[_RESTED_SINCE] = time.monotonic()


def ping_after_rest(connection: Any, record: ConnectionPoolEntry, proxy: Any) -> None:
    rested = record.info.get(_RESTED_SINCE)
    if rested is None or time.monotonic() - rested < _PING_AFTER:
        return
    try:
        # Without a transaction, because the driver forgets its prepared statements at a rollback.
        connection.autocommit = True
        connection.execute("SELECT 1")
        connection.autocommit = False
    except Exception:  # noqa: BLE001 - whatever it is, this connection is of no use
        raise sa.DisconnectionError from None


def begin(connection: Connection, mode: Mode, wait: float) -> None:
    """Begin on our own connection, or on an application's.

    A reader sees the same moment in every statement (REPEATABLE READ) and is refused writes. A writer does not say that
    it writes (READ WRITE), so that a server that is set to read only stays so.
    """
    driver: Any = connection.connection.dbapi_connection
    if _OURS in connection.info:
        if mode == "read":
            driver.isolation_level, driver.read_only = _REPEATABLE_READ, True
    elif mode == "read":
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    elif getattr(driver, "autocommit", False):
        # An application's engine in AUTOCOMMIT: a unit of work is a transaction all the same.
        connection.execution_options(isolation_level="READ COMMITTED")
    connection.begin()
    if mode == "migrate":
        connection.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": f"{round(wait * 1000)}ms"})


def set_durability(connection: Connection, durability: Durability) -> None:
    """Set how long the commit of the transaction that has begun waits."""
    connection.exec_driver_sql(_SYNCHRONOUS_COMMIT[durability])


def ask(connection: Connection, sql: str) -> Any:
    """Return the single value of a statement, which is sent outside of any transaction. `sql` holds no values."""
    if _OURS not in connection.info:
        found = connection.execute(text(sql)).scalar()
        connection.rollback()
        return found
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.autocommit = True
        row = driver.execute(sql).fetchone()
        driver.autocommit = False
    except BaseException as error:
        if driver.closed or not isinstance(error, Exception):
            connection.invalidate()
        else:
            driver.autocommit = False
        raise
    return row[0]


@contextmanager
def planned(connection: Connection, *, by_index: bool) -> Iterator[None]:
    """Statements that are planned for their values, each time, and are not compiled. With `by_index`, no table is read
    whole.
    """
    driver: Any = connection.connection.dbapi_connection
    if by_index:
        connection.execute(_NO_SCANS)
        with planned(connection, by_index=False):
            yield
        # After an error the transaction is of no use anyway.
        connection.execute(_SCANS)
        return
    if _OURS not in connection.info or driver.prepare_threshold is None:
        connection.execute(_NO_JIT)
    threshold = getattr(driver, "prepare_threshold", None)
    if threshold is None:
        yield
        return
    driver.prepare_threshold = None
    try:
        yield
    finally:
        driver.prepare_threshold = threshold


def end(connection: Connection) -> None:
    """After the transaction: leave our connection as others expect it."""
    driver: Any = connection.connection.dbapi_connection
    if _OURS in connection.info and driver.read_only is not None:
        driver.isolation_level, driver.read_only = _READ_COMMITTED, None
