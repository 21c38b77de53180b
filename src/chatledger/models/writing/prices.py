"""The costs of new messages that name none."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from chatledger.models.price_rows import PRICE_ROWS, models
from chatledger.models.writing.locking import sessions
from chatledger.schemas.costs import Cost, PriceList, by_model, is_countable

# Names in one statement.
_CHUNK = 500


def costs_of(connection: Connection, rows: Sequence[tuple[str, dict[str, Any]]]) -> list[Cost]:
    """The cost of each session id and message in stored form, and the price it was calculated with.

    A cost that is given is returned without a price.
    """
    countable = [row for row in rows if is_countable(row[1])]
    if not countable:
        return [_given(row["cost"]) for _, row in rows]
    ids = sorted({session_id for session_id, row in countable if row["model_id"] is None})
    own: dict[str, str] = {}
    for some in _chunks(ids):
        wanted = select(sessions.c.session_id, sessions.c.model_id).where(sessions.c.session_id.in_(some))
        own |= {found.session_id: found.model_id for found in connection.execute(wanted) if found.model_id is not None}
    names = sorted({row["model_id"] for _, row in countable if row["model_id"] is not None} | set(own.values()))
    found = [
        row for some in _chunks(names) for row in connection.execute(PRICE_ROWS.where(models.c.model_id.in_(some)))
    ]
    known = PriceList(None, by_model(found))
    return [
        known.cost(row, row["model_id"] or own.get(session_id), row["created_at"])
        if is_countable(row)
        else _given(row["cost"])
        for session_id, row in rows
    ]


def _given(cost: Decimal | None) -> Cost:
    return Cost(cost, None, None)


def _chunks(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
