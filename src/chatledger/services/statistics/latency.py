"""Latency: percentiles by nearest rank over every duration, exact and so the same on both databases.

The dialect chooses where durations are ranked (`Dialect.rank_durations`):

* A server ranks them itself. It counts equal durations first, then goes through the counts in order.
* A database that is a library of this process takes longer to sort half a million durations than Python takes to sort
  whole numbers. So it returns the durations of each session as one text, in the order of its index, and Python sorts.
  This holds eight bytes for each duration that is asked for, and the numbers of one key at a time.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, func, literal, null, select, type_coerce

from chatledger.dialects.constructs import json_list, minute_of, quarter_of
from chatledger.dialects.types import Identifier, Whole
from chatledger.schemas.statistics import mean_ms
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages, sessions
from chatledger.services.statistics.calendar import Bucketing, quarter
from chatledger.services.statistics.filters import By, MessageFilter, key_of, times_of
from chatledger.services.statistics.measures import usage

RANKS = (50, 90, 95, 99)
"""In percent."""


class Ranks(NamedTuple):
    """A row of percentiles: its key, the number of its period, and the durations in milliseconds."""

    key: str | None
    number: int | None
    messages: int
    total: int
    least: int
    most: int
    p50: int
    p90: int
    p95: int
    p99: int


def latency_rows(
    context: ServiceContext, message_filter: MessageFilter, *, by: By | None = None, bucketing: Bucketing | None = None
) -> Sequence[Any]:
    """Return a row for each `key` and `number`, as `usage_rows` does, that has durations. In no order."""
    return context.dialect.rank_durations(_Ranking(context, message_filter, by, bucketing))


@dataclass(frozen=True)
class _Ranking:
    """Two ways to the same rows."""

    context: ServiceContext
    message_filter: MessageFilter
    by: By | None
    bucketing: Bucketing | None

    def in_database(self) -> Sequence[Any]:
        context, message_filter, by, bucketing = self.context, self.message_filter, self.by, self.bucketing
        names: list[ColumnElement[Any]] = [] if by is None else [key_of(messages, by).label("key")]
        if bucketing is not None:
            names.append(bucketing(quarter_of(messages.c.created_at), messages.c.created_at).label("number"))
        each = (
            select(*names, messages.c.duration_ms.label("took"))
            .select_from(message_filter.source(context, by, messages, sessions_first=False))
            .where(
                messages.c.duration_ms.is_not(None),
                *times_of(message_filter, messages),
                *message_filter.conditions(context, messages),
            )
            .subquery()
        )
        keys = [each.c[name.name] for name in names]
        # In a short time hardly two durations are the same: there counting them first is a second sort for nothing.
        if bucketing is None:
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

    def in_python(self) -> Sequence[Ranks]:
        found: defaultdict[tuple[str | None, int | None], array[int]] = defaultdict(partial(array, "q"))
        for keys, numbers, durations in _read(self.context, self.message_filter, self.by, self.bucketing):
            if len(keys) == len(numbers) == 1:
                found[keys[0], numbers[0]].extend(durations)
                continue
            marks = zip(_each(keys, durations), _each(numbers, durations), strict=True)
            for mark, took in zip(marks, durations, strict=True):
                found[mark].append(took)
        return [_ranks(key, number, sorted(durations)) for (key, number), durations in found.items()]


def _ranks(key: str | None, number: int | None, durations: list[int]) -> Ranks:
    many = len(durations)
    # The smallest duration that at least this percentage does not exceed: rounded up, and counted from 0.
    p50, p90, p95, p99 = (durations[(many * rank + 99) // 100 - 1] for rank in RANKS)
    return Ranks(key, number, many, sum(durations), durations[0], durations[-1], p50, p90, p95, p99)


def _read(
    context: ServiceContext, message_filter: MessageFilter, by: By | None, bucketing: Bucketing | None
) -> Iterator[tuple[list[str | None], list[int | None], list[int]]]:
    """Durations, a session at a time, with the key and the number of each, or the one that all have."""
    source = message_filter.source(context, by, messages, sessions_first=True)
    together = messages.c.session_id if source is messages else sessions.c.session_id
    # What may change from message to message.
    owning = by is By.ROLE or (by is By.MODEL and _models_of_messages(context))
    statement = (
        select(
            _of_session(by).label("key"),
            json_list(messages.c.duration_ms).label("took"),
            *_marks(by if owning else None, bucketing),
        )
        .select_from(source)
        .where(
            messages.c.duration_ms.is_not(None),
            *times_of(message_filter, messages),
            *message_filter.conditions(context, messages),
        )
        .group_by(together)
    )
    number, in_order = _numbering(bucketing), bucketing is not None and bucketing.in_order()
    for row in context.execute(statement):
        keys: list[str | None] = [row.key]
        numbers: list[int | None] = [None]
        if owning:
            alike = row.own_least == row.own_most
            keys = [own or row.key for own in ([row.own_most] if alike else json.loads(row.owns))]
        if bucketing is not None:
            alike = in_order and row.first == row.last
            numbers = [row.first] if alike else [number(minute) for minute in json.loads(row.minutes)]
        yield keys, numbers, json.loads(row.took)


def _each(values: list[Any], durations: list[int]) -> list[Any]:
    """A value for each duration."""
    return values * len(durations) if len(values) == 1 else values


def _models_of_messages(context: ServiceContext) -> bool:
    """Whether any message has a model of its own. To list them takes longer than to ask."""
    return context.execute(select(usage.c.model_id).where(usage.c.model_id != "").limit(1)).first() is not None


def _of_session(by: By | None) -> ColumnElement[Any]:
    # Of the session, and so the same for all its rows; a group has to be told so.
    if by is None or by is By.ROLE:
        return type_coerce(null(), Identifier())
    column = {
        By.MODEL: sessions.c.model_id,
        By.PROJECT: sessions.c.project_id,
        By.USER: sessions.c.user_id,
        By.SESSION: messages.c.session_id,
    }[by]
    return func.min(column, type_=Identifier())


def _marks(by: By | None, bucketing: Bucketing | None) -> Iterator[ColumnElement[Any]]:
    if by is not None:
        own = messages.c.model_id if by is By.MODEL else messages.c.role
        value = func.coalesce(type_coerce(own, Identifier()), "")
        yield func.min(value).label("own_least")
        yield func.max(value).label("own_most")
        yield json_list(value).label("owns")
    if bucketing is not None:
        yield bucketing(quarter_of(func.min(messages.c.created_at))).label("first")
        yield bucketing(quarter_of(func.max(messages.c.created_at))).label("last")
        yield json_list(minute_of(messages.c.created_at)).label("minutes")


def _numbering(bucketing: Bucketing | None) -> Callable[[str], int | None]:
    """From a minute, as text, the number of its period. Each quarter of an hour is looked at once."""
    if bucketing is None:
        return lambda _minute: None

    @cache
    def of_quarter(hour: str, part: int) -> int:
        return bucketing.of(quarter(datetime.fromisoformat(f"{hour}{15 * part:02}").replace(tzinfo=UTC)))

    def number(minute: str) -> int:
        try:
            return of_quarter(minute[:14], int(minute[14:16]) // 15)
        except ValueError:
            return bucketing.of(0)  # an invalid time counts as 1970, as in `quarter_of`

    return number


def latency_fields(row: Any) -> dict[str, Any]:
    """Return such a row as the fields of a `Latency`."""
    number = int(row.messages or 0)
    if not number:
        return EMPTY_LATENCY
    return {
        "messages": number,
        "average_ms": mean_ms(Decimal(int(row.total)), number),
        "min_ms": int(row.least),
        "max_ms": int(row.most),
        **{f"p{rank}_ms": int(getattr(row, f"p{rank}")) for rank in RANKS},
    }


EMPTY_LATENCY: dict[str, Any] = {
    "messages": 0, "average_ms": None, "min_ms": None, "max_ms": None, **{f"p{rank}_ms": None for rank in RANKS},
}  # fmt: skip
"""The fields of a `Latency` of no messages."""
