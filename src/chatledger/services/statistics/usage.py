"""Sums over `session_usage`, and over the messages of the quarter-hours that a time filter cuts in two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, null, select, type_coerce, union_all

from chatledger.dialects.constructs import quarter_of
from chatledger.dialects.types import Identifier, Whole, dollars
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages
from chatledger.services.statistics.calendar import moment_of, quarter
from chatledger.services.statistics.filters import By, MessageFilter, at, key_of
from chatledger.services.statistics.measures import MEASURES, measures_of_message, usage


class BucketNumber(Protocol):
    """From the quarter of a row, the number of what it is gathered under. `moments`: what quarters are made from."""

    def __call__(
        self, quarters: ColumnElement[Any], /, moments: ColumnElement[Any] | None = None
    ) -> ColumnElement[Any]: ...


def bounds(context: ServiceContext) -> tuple[int, int] | None:
    """The first and the last quarter that anything was written in, of the whole ledger."""
    # Each by itself, so that each is one look into the index.
    first = select(func.min(usage.c.quarter)).scalar_subquery()
    last = select(func.max(usage.c.quarter)).scalar_subquery()
    row = context.execute(select(first.label("first"), last.label("last"))).one()
    return None if row.first is None else (int(row.first), int(row.last))


def usage_rows(
    context: ServiceContext,
    message_filter: MessageFilter,
    *,
    by: By | None = None,
    bucketing: BucketNumber | None = None,
) -> Sequence[Any]:
    """Return a row of sums for each `key` (None without `by`) and `number` (None without `bucketing`) with messages."""
    cells = _cells(context, message_filter, by, bucketing)
    sums = [func.sum(cells.c[name]).label(name) for name in MEASURES]
    answers = func.sum(case((cells.c.role == "assistant", cells.c.messages), else_=cells.c.outcomes))
    grouped = [cells.c[name] for name, wanted in (("key", by), ("number", bucketing)) if wanted is not None]
    statement = select(
        *grouped, func.count(cells.c.session_id.distinct()).label("sessions"), *sums, answers.label("answers")
    )
    return context.execute(statement.group_by(*grouped) if grouped else statement).all()


def usage_fields(row: Any) -> dict[str, Any]:
    """Return a row of sums as the fields of a `Usage`. Sums of no rows are NULL, and sums of a server are not ints."""
    found: dict[str, Any] = {name: int(getattr(row, name) or 0) for name in (*MEASURES, "answers", "sessions")}
    del found["outcomes"]
    return {**found, "cost": dollars(found["cost"])}


EMPTY_USAGE: dict[str, Any] = {
    **{name: 0 for name in (*MEASURES, "answers", "sessions") if name != "outcomes"},
    "cost": dollars(0),
}
"""The fields of a `Usage` of no messages."""


def _cells(
    context: ServiceContext, message_filter: MessageFilter, by: By | None, bucketing: BucketNumber | None
) -> Any:
    """Rows of measures with session, role, `key` and `number`."""
    since, until = message_filter.since, message_filter.until
    first = None if since is None else quarter(since) + (moment_of(quarter(since)) != since)
    last = None if until is None else quarter(until)
    parts = []
    if first is None or last is None or first < last:
        inner = []
        if first is not None:
            inner.append(usage.c.quarter >= literal(first, Whole))
        if last is not None:
            inner.append(usage.c.quarter < literal(last, Whole))
        parts.append(_whole(context, message_filter, by, bucketing, inner))
    parts += [
        _partial_quarter(context, message_filter, by, bucketing, *edge) for edge in _partial_quarters(since, until)
    ]
    if not parts:  # an empty time
        parts.append(_whole(context, message_filter, by, bucketing, [literal(1, Whole) == literal(0, Whole)]))
    return (parts[0] if len(parts) == 1 else union_all(*parts)).subquery()


def _partial_quarters(since: datetime | None, until: datetime | None) -> list[tuple[datetime, datetime]]:
    """The times that are no whole quarters, at both ends."""
    found = []
    if since is not None and (start := moment_of(quarter(since))) != since:
        end = moment_of(quarter(start) + 1)
        if until is not None and until <= end:
            return [(since, until)]
        found.append((since, end))
    if until is not None and (start := moment_of(quarter(until))) != until and (since is None or since <= start):
        found.append((start, until))
    return found


def _whole(
    context: ServiceContext,
    message_filter: MessageFilter,
    by: By | None,
    bucketing: BucketNumber | None,
    inner: list[ColumnElement[bool]],
) -> Select[Any]:
    # A time may be one that few sessions have anything in: there its quarters are the way.
    if inner:
        source = message_filter.quarters_first(context, by, usage)
    else:
        source = message_filter.source(context, by, usage, sessions_first=True)
    return (
        select(
            usage.c.session_id,
            usage.c.role,
            *_names(usage, by),
            _number(usage.c.quarter, bucketing),
            *(type_coerce(usage.c[name], Whole).label(name) for name in MEASURES),
        )
        .select_from(source)
        .where(and_(True, *inner, *message_filter.conditions(context, usage)))
    )


def _partial_quarter(
    context: ServiceContext,
    message_filter: MessageFilter,
    by: By | None,
    bucketing: BucketNumber | None,
    since: datetime,
    until: datetime,
) -> Select[Any]:
    """The messages of one cut quarter, by way of the sessions that have any in it."""
    source = message_filter.source(context, by, messages, sessions_first=False)
    there = select(usage.c.session_id).where(usage.c.quarter == literal(quarter(since), Whole))
    return (
        select(
            messages.c.session_id,
            type_coerce(messages.c.role, Identifier).label("role"),
            *_names(messages, by),
            _number(quarter_of(messages.c.created_at), bucketing, messages.c.created_at),
            *(part.label(name) for name, part in measures_of_message().items()),
        )
        .select_from(source)
        .where(
            messages.c.session_id.in_(there),
            messages.c.created_at >= at(since),
            messages.c.created_at < at(until),
            *message_filter.conditions(context, messages),
        )
    )


def _names(table: Any, by: By | None) -> list[ColumnElement[Any]]:
    return [] if by is None else [key_of(table, by).label("key")]


def _number(
    quarters: ColumnElement[Any], bucketing: BucketNumber | None, moments: ColumnElement[Any] | None = None
) -> ColumnElement[Any]:
    return (type_coerce(null(), Whole) if bucketing is None else bucketing(quarters, moments)).label("number")
