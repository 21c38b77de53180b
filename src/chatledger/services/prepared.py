"""Statements of the hot paths: compiled once, then handed to the driver.

A Core statement is given a cache key, looked up and wrapped in a context at every call, which for an append costs as much
as half of the database's own work. Here the SQL, the order of its values and the way they travel are worked out at the
first call. Where somebody listens (an event on the cursor, the log of statements) the call goes through SQLAlchemy all
the same, so that nothing is hidden from instrumentation; on a server it always does, for SQLAlchemy then knows when a
connection is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler

_statements = logging.getLogger("sqlalchemy.engine.Engine")


class Prepared:
    """A Core statement with, for each driver that it has met, its SQL and the way its values travel."""

    def __init__(self, statement: Any) -> None:
        self.statement: Executable = statement
        self._spellings: dict[tuple[str, str, str], _Spelling] = {}

    def fetch(self, connection: Connection, parameters: dict[str, Any], *, direct: bool) -> Sequence[Sequence[Any]]:
        """Run the statement in the connection's transaction; its rows in stored form."""
        dialect = connection.dialect
        key = (dialect.name, dialect.driver, dialect.paramstyle)
        spelling = self._spellings.get(key)
        if spelling is None:
            spelling = self._spellings[key] = _Spelling(self.statement, dialect)
        values = spelling.values(parameters)
        # The driver alone would begin nothing: a transaction that is not open yet is SQLAlchemy's to open.
        if not direct or not connection.in_transaction() or _somebody_listens(connection):
            return connection.exec_driver_sql(spelling.sql, values).all()
        cursor = connection.connection.cursor()
        try:
            cursor.execute(spelling.sql, values)
            return cursor.fetchall()
        finally:
            cursor.close()


def _somebody_listens(connection: Connection) -> bool:
    events = connection.dispatch
    listened = events.before_cursor_execute or events.after_cursor_execute
    return bool(listened) or _statements.isEnabledFor(logging.INFO)


class _Spelling:
    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        self.sql = str(compiled)
        self._arrange: Callable[[Any], Any] | None = None
        if compiled.positiontup:
            names = compiled.positiontup
            # itemgetter gives a bare value, not a tuple, for one name.
            self._arrange = itemgetter(*names) if len(names) > 1 else lambda values: (values[names[0]],)
        # Values that the statement itself holds, such as the 1 of last_sequence + 1.
        given = {name for name, bind in compiled.binds.items() if bind.required}
        self._fixed = {name: value for name, value in compiled.params.items() if name not in given}
        types = {name: bind.type.dialect_impl(dialect) for name, bind in compiled.binds.items()}
        processors = {name: kind.bind_processor(dialect) for name, kind in types.items()}
        self._processors: dict[str, Callable[[Any], Any]] = {
            name: processor for name, processor in processors.items() if processor is not None
        }

    def values(self, parameters: dict[str, Any]) -> Any:
        values = {**self._fixed, **parameters}
        for name, processor in self._processors.items():
            values[name] = processor(values[name])
        return values if self._arrange is None else self._arrange(values)
