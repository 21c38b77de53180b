"""Statements of the hot paths: compiled once, then handed to the driver.

A Core statement is given a cache key, looked up and wrapped in a context at every call, which for an append costs half as
much as the database's own work. Here the SQL, the order of its values and their conversion are worked out at the first
call. `Dialect.fetch_all` then runs the SQL the shortest way. If an event on the cursor or the log of statements listens,
the call goes through SQLAlchemy, so that nothing is hidden from instrumentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Engine
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler

from chatledger.dialects.base import Dialect as LedgerDialect


class Prepared:
    """A Core statement with, for each driver that it has met, its SQL and the way its values travel."""

    def __init__(self, statement: Any) -> None:
        self.statement: Executable = statement
        self._spellings: dict[tuple[str, str, str], _Spelling] = {}

    def fetch(
        self, connection: Connection, database: LedgerDialect, parameters: dict[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Run the statement in the connection's transaction; its rows in stored form."""
        spelling = self._spelled(connection.dialect)
        return database.fetch_all(connection, spelling.sql, spelling.values(parameters))

    def fetch_planned(
        self, connection: Connection, database: LedgerDialect, parameters: Mapping[str, Any], *, by_index: bool
    ) -> Sequence[Sequence[Any]]:
        """The same with a plan that is made for these values."""
        spelling = self._spelled(connection.dialect)
        return database.fetch_planned(connection, spelling.sql, spelling.values(parameters), by_index=by_index)

    def spelled_alone(self, engine: Engine, database: LedgerDialect, parameters: dict[str, Any]) -> tuple[str, Any]:
        """SQL and values for `Dialect.fetch_alone`. Needs no connection."""
        spelling = self._spelled(database.spelling_alone(engine.dialect))
        return spelling.sql, spelling.values(parameters)

    def _spelled(self, dialect: Dialect) -> _Spelling:
        key = (dialect.name, dialect.driver, dialect.paramstyle)
        spelling = self._spellings.get(key)
        if spelling is None:
            spelling = self._spellings[key] = _Spelling(self.statement, dialect)
        return spelling


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
        given = {name for bind, name in compiled.bind_names.items() if bind.required}
        self._fixed = {name: value for name, value in compiled.params.items() if name not in given}
        types = {name: bind.type.dialect_impl(dialect) for bind, name in compiled.bind_names.items()}
        processors = {name: kind.bind_processor(dialect) for name, kind in types.items()}
        self._processors = [(name, processor) for name, processor in processors.items() if processor is not None]

    def values(self, parameters: Mapping[str, Any]) -> Any:
        values = {**self._fixed, **parameters}
        for name, processor in self._processors:
            values[name] = processor(values[name])
        return values if self._arrange is None else self._arrange(values)
