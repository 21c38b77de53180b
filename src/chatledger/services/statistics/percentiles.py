"""Percentiles by nearest rank over every duration: exact, and so the same answer on both databases.

A server sorts: durations are counted first, then the counts are run through in their order. Where the database is a
library of this process, `durations` sorts them, in the shorter time.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, select

from chatledger.dialects.constructs import quarter_of
from chatledger.dialects.types import Whole
from chatledger.schemas.statistics import mean_ms
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages
from chatledger.services.statistics.calendar import Folding
from chatledger.services.statistics.durations import sorted_here
from chatledger.services.statistics.filters import By, Chosen, key_of, times_of

#: In percent.
RANKS = (50, 90, 95, 99)


def ranked(
    context: ServiceContext, chosen: Chosen, *, by: By | None = None, fold: Folding | None = None
) -> Sequence[Any]:
    """A row for each `key` and `number`, as of `adding_up.added`, that has durations."""
    if context.dialect.near:
        return sorted_here(context, chosen, by, fold)
    names: list[ColumnElement[Any]] = [] if by is None else [key_of(messages, by).label("key")]
    if fold is not None:
        names.append(fold(quarter_of(messages.c.created_at), messages.c.created_at).label("number"))
    each = (
        select(*names, messages.c.duration_ms.label("took"))
        .select_from(chosen.source(context, by, messages, sessions_first=False))
        .where(messages.c.duration_ms.is_not(None), *times_of(chosen, messages), *chosen.conditions(context, messages))
        .subquery()
    )
    keys = [each.c[name.name] for name in names]
    # In a short time hardly two durations are the same: there counting them first is a second sort for nothing.
    if fold is None:
        counted = select(*keys, each.c.took, func.count().label("n")).group_by(*keys, each.c.took).subquery()
    else:
        counted = select(*keys, each.c.took, literal(1, Whole).label("n")).subquery()
    keys = [counted.c[key.name] for key in keys]
    # One order for both windows, so that there is one sort.
    window: dict[str, Any] = {"partition_by": keys or None, "order_by": counted.c.took}
    running = select(
        *keys,
        counted.c.took,
        counted.c.n,
        func.sum(counted.c.n).over(**window, rows=(None, 0)).label("reached"),
        func.sum(counted.c.n).over(**window, rows=(None, None)).label("every"),
    ).subquery()
    keys = [running.c[key.name] for key in keys]
    statement = select(
        *keys,
        func.sum(running.c.n).label("messages"),
        func.sum(running.c.n * running.c.took).label("total"),
        func.min(running.c.took).label("least"),
        func.max(running.c.took).label("most"),
        *(
            func.min(case((running.c.reached * 100 >= running.c.every * rank, running.c.took))).label(f"p{rank}")
            for rank in RANKS
        ),
    ).group_by(*keys)
    return context.execute(statement).all()


def figures(row: Any) -> dict[str, Any]:
    """Such a row as the fields of a `Latency`."""
    number = int(row.messages or 0)
    if not number:
        return NOTHING
    return {
        "messages": number,
        "average_ms": mean_ms(Decimal(int(row.total)), number),
        "min_ms": int(row.least),
        "max_ms": int(row.most),
        **{f"p{rank}_ms": int(getattr(row, f"p{rank}")) for rank in RANKS},
    }


#: The fields of a `Latency` of nothing.
NOTHING: dict[str, Any] = {
    "messages": 0, "average_ms": None, "min_ms": None, "max_ms": None, **{f"p{rank}_ms": None for rank in RANKS},
}  # fmt: skip
