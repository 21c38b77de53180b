"""One statement that commits by itself, on a connection of our own pool: a single round trip, and little else.

The driver's cursor looks at the type of each value, chooses how it is written and looks the statement up, at every call.
A statement that a connection has met a few times is prepared under a name of ours instead. Its values travel as text, and
libpq is asked by the driver's own functions, which wait as a cursor does: other threads go on, an interrupt cancels.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Engine
from sqlalchemy import exc as sa

from chatledger.dialects import borrowed_connection
from chatledger.dialects.borrowed_connection import BorrowedConnection
from chatledger.dialects.postgresql.connection import ping_after_rest
from chatledger.dialects.types import stamp

_STATEMENTS = "chatledger_statements"
# As many as the driver remembers.
_MOST_STATEMENTS = 100
# The server does not know the name any more (a rollback of the driver's forgets all names), or the tables have changed.
# Nothing was executed.
_FORGOTTEN = ("26000", "0A000")
_BYTEA = 17
_TEXT, _BINARY = 0, 1


class TestedConnection(BorrowedConnection):
    """One that is tested after a rest, as the pool's own event does it."""

    __slots__ = ()

    def _connected(self) -> Any:
        record = self._record
        connection = record.get_connection()
        try:
            ping_after_rest(connection, record, None)
        except sa.DisconnectionError as error:
            record.invalidate(error)
            connection = record.get_connection()
        return connection

    def _is_in_transaction(self) -> bool:
        return bool(self.dbapi_connection.pgconn.transaction_status)


def borrowed(engine: Engine) -> Any:
    """A connection for `fetch_alone`."""
    return borrowed_connection.borrowed(engine, TestedConnection, ours=1)


def fetch_alone(
    connection: Any, sql: str, parameters: Any, *, writing: bool, on_begin: Callable[[], None]
) -> Sequence[Sequence[Any]] | None:
    """Run one statement in autocommit: one round trip. None if the connection has something to say before it is asked,
    which is usually that the server has ended it.

    An INSERT that was sent on a connection without a server may have been carried out or not, for all that we know.
    """
    driver: Any = connection.dbapi_connection
    if _is_readable(driver):
        return None
    try:
        on_begin()
        rows: Sequence[Sequence[Any]] | None = None
        if driver.prepare_threshold is not None:
            rows = _statements(driver, connection.info).fetch(sql, parameters)
            if rows is not None:
                return rows
        driver.autocommit = True
        with _raw_cursor()(driver) as cursor:
            cursor.execute(sql, parameters)
            rows = cursor.fetchall()
        driver.autocommit = False
        return rows
    except BaseException as error:
        refused = writing and getattr(error, "sqlstate", None) == "25006"
        if refused:
            error.chatledger_standby = True  # type: ignore[attr-defined]
        if refused or driver.closed or not isinstance(error, Exception):
            connection.invalidate()
        else:
            driver.autocommit = False
        raise


class _Statement:
    """A statement that is prepared on one connection."""

    __slots__ = ("formats", "loader", "name")

    def __init__(self, name: bytes, formats: list[int], loader: Any) -> None:
        self.name, self.formats, self.loader = name, formats, loader


class _Statements:
    """The statements that one connection has met: how often, or as what they are prepared."""

    def __init__(self, driver: Any) -> None:
        from psycopg import errors, generators  # noqa: PLC0415 - an extra, imported with the engine
        from psycopg.adapt import Transformer  # noqa: PLC0415 - as above

        self._driver = driver
        self._error_of, self._execute, self._transformer = errors.error_from_result, generators.execute, Transformer
        self._met: dict[str, int] = {}
        self._prepared: dict[str, _Statement] = {}
        self._names = 0

    def fetch(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]] | None:
        """The rows of a statement that is prepared, or None if a cursor has to run it."""
        statement = self._prepared.get(sql)
        if statement is None and not self._is_due(sql):
            return None
        written: list[bytes | None] = []
        formats: list[int] = []
        for value in values:
            if value is None:
                written.append(None)
                formats.append(_TEXT)
                continue
            write = _WRITERS.get(type(value))
            if write is None:
                return None
            one = write(value)
            is_binary = one is value
            if not is_binary and 0 in one:  # libpq would cut it there; a cursor refuses it
                return None
            written.append(one)
            formats.append(_BINARY if is_binary else _TEXT)
        if statement is None:
            statement = self._prepare(sql, formats)
        elif formats != statement.formats:
            return None
        driver = self._driver
        driver.pgconn.send_query_prepared(statement.name, written, formats)
        result = self._answer()
        if result.status != _tuples_ok():
            error = self._error_of(result, encoding="utf-8")
            if error.sqlstate not in _FORGOTTEN:
                raise error
            self._prepared.clear()
            return None
        loader = statement.loader
        loader.set_pgresult(result)
        try:
            rows: Sequence[Sequence[Any]] = loader.load_rows(0, result.ntuples, tuple)
            return rows
        finally:
            loader.set_pgresult(None)  # rows of a long history are not kept

    def _is_due(self, sql: str) -> bool:
        met = self._met.get(sql, 0)
        if met >= self._driver.prepare_threshold:
            return len(self._prepared) < _MOST_STATEMENTS
        if met or len(self._met) < _MOST_STATEMENTS:
            self._met[sql] = met + 1
        return False

    def _prepare(self, sql: str, formats: list[int]) -> _Statement:
        name = b"chatledger_%d" % self._names
        self._names += 1
        types = [_BYTEA if one else 0 for one in formats]
        self._driver.pgconn.send_prepare(name, sql.encode(), param_types=types)
        result = self._answer()
        if result.status != _command_ok():
            raise self._error_of(result, encoding="utf-8")
        found = self._prepared[sql] = _Statement(name, formats, self._transformer(self._driver))
        return found

    def _answer(self) -> Any:
        driver = self._driver
        return driver.wait(self._execute(driver.pgconn))[-1]


def _statements(driver: Any, info: dict[Any, Any]) -> _Statements:
    found: _Statements | None = info.get(_STATEMENTS)
    if found is None or found._driver is not driver:
        found = info[_STATEMENTS] = _Statements(driver)
    return found


def _moment(value: datetime) -> bytes:
    return b"%b+00" % stamp(value).encode()


def _number(value: int) -> bytes:
    return b"%d" % value


_WRITERS: dict[type, Callable[[Any], bytes]] = {
    str: str.encode, int: _number, bytes: lambda value: value, datetime: _moment,
}  # fmt: skip
"""How values are written as the server reads them as text; bytes as they are. Others are left to the driver."""


@cache
def _tuples_ok() -> Any:
    from psycopg.pq import ExecStatus  # noqa: PLC0415 - an extra, imported with the engine

    return ExecStatus.TUPLES_OK


@cache
def _command_ok() -> Any:
    from psycopg.pq import ExecStatus  # noqa: PLC0415 - as above

    return ExecStatus.COMMAND_OK


@cache
def _raw_cursor() -> Any:
    from psycopg import RawCursor  # noqa: PLC0415 - as above

    return RawCursor


def _is_readable(driver: Any) -> bool:
    """Whether the server has sent something that nobody has read."""
    try:
        number = driver.fileno()
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(number, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([number], [], [], 0)[0])  # Windows
    except Exception:  # noqa: BLE001 - whatever it is, the driver will say so
        return True
