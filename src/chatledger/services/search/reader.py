"""How a search reads: prebuilt statements, each with a plan made for its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Engine, Executable

from chatledger.services.base import ServiceContext
from chatledger.services.prepared import Prepared


class SearchReader:
    """The transaction of a search."""

    __slots__ = ("_context",)

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    @property
    def engine(self) -> Engine:
        return self._context.engine

    def rows(
        self, statement: Executable, parameters: Mapping[str, Any], *, by_index: bool = False
    ) -> Sequence[Sequence[Any]]:
        """Run a statement, which is the same object each time. Rows are in stored form."""
        return self._context.planned_rows(_prepared(statement), parameters, by_index=by_index)

    def note_waiting(self) -> None:
        """Say that there are messages that the index does not hold yet."""
        self._context.is_index_behind = True


@cache
def _prepared(statement: Executable) -> Prepared:
    return Prepared(statement)
