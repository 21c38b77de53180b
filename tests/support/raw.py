"""Plain SQL beside the ledger, as any other program would run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import NullPool, create_engine, event, text

ROWS = Sequence[Any]


class Raw:
    """Each call is a connection and a transaction of its own; SQLite's foreign keys are on."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, poolclass=NullPool)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _foreign_keys)

    def __call__(self, statement: str, **parameters: Any) -> ROWS:
        """Run a statement and commit; its rows, if it has any."""
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), parameters)
            return result.all() if result.returns_rows else []

    def count(self, table: str) -> int:
        return int(self(f"SELECT count(*) FROM {table}")[0][0])


def _foreign_keys(connection: Any, record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
