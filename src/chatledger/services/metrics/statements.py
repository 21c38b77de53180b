"""The statements of metrics: filters, lists and figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal_column, or_, select

from chatledger.dialects.constructs import period_of
from chatledger.errors import InvalidInput
from chatledger.models import tables
from chatledger.schemas import Metric
from chatledger.schemas.fields import identifier, moment
from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions

metrics = tables.performance_metrics

_NAMES = ("name", "unit", "session_id", "model_id", "project_id")
# Averages are computed from these: PostgreSQL's own also adds up squares, which may overflow.
_FIGURES = (
    func.count().label("number"),
    func.sum(metrics.c.value).label("sum"),
    func.min(metrics.c.value).label("min"),
    func.max(metrics.c.value).label("max"),
)


def chosen(context: ServiceContext, filters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions of a query.

    Raises:
        InvalidInput: an invalid filter.
    """
    conditions: list[ColumnElement[bool]] = []
    for name in _NAMES:
        value = filters.get(name)
        conditions += [] if value is None else [metrics.c[name] == identifier(value, name)]
    if (user := filters.get("user_id")) is not None:
        conditions.append(_of(identifier(user, "user_id")))
    if context.owner is not None:
        conditions.append(_of(context.owner))
    if (since := filters.get("since")) is not None:
        conditions.append(metrics.c.at >= moment(since, "since"))
    if (until := filters.get("until")) is not None:
        conditions.append(metrics.c.at < moment(until, "until"))
    return conditions


def by_period(period: str, conditions: list[ColumnElement[bool]]) -> Select[Any]:
    """Return the statement for the figures of each period and unit, in their order.

    Raises:
        InvalidInput: an unknown period.
    """
    if period not in period_of.periods:
        raise InvalidInput("by", f"is not one of {', '.join(period_of.periods)}")
    start = period_of(metrics.c.at, literal_column(period))
    keys = (start, metrics.c.unit)
    return select(start.label("start"), metrics.c.unit, *_FIGURES).where(*conditions).group_by(*keys).order_by(*keys)


@cache
def start_of(written: str) -> datetime:
    """Return the beginning of a period from its text."""
    filled = {13: ":00", 10: " 00:00", 7: "-01 00:00"}[len(written)]
    return datetime.fromisoformat(f"{written}{filled}+00:00")


def by_unit(conditions: list[ColumnElement[bool]]) -> Select[Any]:
    """Return the statement for the figures of each name and unit, with the first and the last time."""
    keys = (metrics.c.name, metrics.c.unit)
    times = (func.min(metrics.c.at).label("first_at"), func.max(metrics.c.at).label("last_at"))
    return select(*keys, *_FIGURES, *times).where(*conditions).group_by(*keys).order_by(*keys)


def figures(row: Any) -> dict[str, Any]:
    """Return the figures of a row."""
    facts = {"count": row.number, "sum": row.sum, "min": row.min, "max": row.max}
    return {**facts, "avg": row.sum / row.number}


def to_metric(row: Any) -> Metric:
    values = dict(row._mapping)
    return Metric(**{**values, "metadata": values["metadata"] or {}})


def _of(user: str) -> ColumnElement[bool]:
    """Return the condition for the metrics of a user: those of the user's sessions, and those with this `user_id`."""
    theirs = select(1).where(sessions.c.session_id == metrics.c.session_id, sessions.c.user_id == user)
    return or_(and_(metrics.c.session_id == literal_column("''"), metrics.c.user_id == user), exists(theirs))
