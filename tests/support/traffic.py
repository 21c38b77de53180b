"""What a ledger sends to its database, seen below SQLAlchemy."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import event

from chatledger import Ledger
from chatledger.dialects.sqlite.connection import LedgerConnection


@contextmanager
def traffic(ledger: Ledger) -> Iterator[list[str]]:
    """Lend the list of what was sent by the end of the block, on whichever connection.

    On SQLite these are statements. On a server they are the answers that end a round trip, one for each.
    """
    seen: list[str] = []
    with _statements(seen) if ledger.engine.dialect.name == "sqlite" else _round_trips(ledger, seen):
        yield seen


@contextmanager
def _statements(seen: list[str]) -> Iterator[None]:
    def execute(connection: sqlite3.Connection, sql: str, *parameters: Any) -> Any:
        seen.append(sql)
        return sqlite3.Connection.execute(connection, sql, *parameters)

    def cursor(connection: sqlite3.Connection, *given: Any) -> Any:
        seen.append("a cursor, for one statement")
        return sqlite3.Connection.cursor(connection, *given)

    with patch.object(LedgerConnection, "execute", execute), patch.object(LedgerConnection, "cursor", cursor):
        yield


@contextmanager
def _round_trips(ledger: Ledger, seen: list[str]) -> Iterator[None]:
    with tempfile.TemporaryFile("w+") as file:
        traced: list[Any] = []

        def checkout(driver: Any, *_: object) -> None:
            if driver not in traced:
                driver.pgconn.trace(file.fileno())
                traced.append(driver)

        event.listen(ledger.engine, "checkout", checkout)
        try:
            yield
        finally:
            event.remove(ledger.engine, "checkout", checkout)
            for driver in traced:
                driver.pgconn.untrace()
        file.seek(0)
        seen += [line for line in file if "ReadyForQuery" in line]
