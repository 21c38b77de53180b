"""The costs of new messages that name none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, type_coerce

from chatledger.dialects.types import Whole
from chatledger.models.base import table_of
from chatledger.models.registry import ModelPrice
from chatledger.models.writing.locking import sessions
from chatledger.schemas.costs import KINDS, PriceList, by_model, is_countable

_prices = table_of(ModelPrice)
#: Names in one statement.
_CHUNK = 500


def costs_of(
    connection: Connection, rows: Sequence[tuple[str, dict[str, Any]]]
) -> list[tuple[Decimal | None, datetime | None]]:
    """For each session id and message in stored form, its cost and the time from which the price of it holds.

    A cost that is given is returned with no such time.
    """
    countable = [row for row in rows if is_countable(row[1])]
    if not countable:
        return [(row["cost"], None) for _, row in rows]
    ids = sorted({session_id for session_id, row in countable if row["model_id"] is None})
    own: dict[str, str] = {}
    for some in _chunks(ids):
        wanted = select(sessions.c.session_id, sessions.c.model_id).where(sessions.c.session_id.in_(some))
        own |= {found.session_id: found.model_id for found in connection.execute(wanted) if found.model_id is not None}
    names = sorted({row["model_id"] for _, row in countable if row["model_id"] is not None} | set(own.values()))
    found = [row for some in _chunks(names) for row in connection.execute(_READ.where(_prices.c.model_id.in_(some)))]
    known = PriceList(None, by_model(found))
    return [
        known.cost(row, row["model_id"] or own.get(session_id), row["created_at"])
        if is_countable(row)
        else (row["cost"], None)
        for session_id, row in rows
    ]


def _chunks(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]


def _nano(column: ColumnElement[Any]) -> ColumnElement[int]:
    return type_coerce(column, Whole)


_READ = select(_prices.c.model_id, _prices.c.effective_from, *(_nano(_prices.c[kind]).label(kind) for kind in KINDS))
