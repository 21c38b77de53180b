"""Statements whose SQL is made once and then handed to the driver: half the cost of a way through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler

_Processor = Callable[[Any], Any]


class Prepared:
    """A Core statement with, for each driver that it has met, its SQL and the way its values travel."""

    def __init__(self, statement: Any) -> None:
        self.statement: Executable = statement
        self._spellings: dict[tuple[str, str, str], _Spelling] = {}

    def spelled(self, dialect: Dialect, parameters: dict[str, Any]) -> tuple[str, Any]:
        """The SQL and the values, as the driver takes them."""
        key = (dialect.name, dialect.driver, dialect.paramstyle)
        spelling = self._spellings.get(key)
        if spelling is None:
            spelling = self._spellings[key] = _Spelling(self.statement, dialect)
        return spelling.sql, spelling.values(parameters)


class _Spelling:
    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        self.sql = str(compiled)
        self._arrange = itemgetter(*compiled.positiontup) if compiled.positiontup else None
        # Values that the statement itself holds, such as the 1 of last_sequence + 1.
        given = {name for name, bind in compiled.binds.items() if bind.required}
        self._fixed = {name: value for name, value in compiled.params.items() if name not in given}
        processors = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()
        }
        self._processors: dict[str, _Processor] = {
            name: processor for name, processor in processors.items() if processor is not None
        }

    def values(self, parameters: dict[str, Any]) -> Any:
        values = {**self._fixed, **parameters}
        for name, processor in self._processors.items():
            values[name] = processor(values[name])
        return values if self._arrange is None else self._arrange(values)
