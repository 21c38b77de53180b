"""Percentiles by nearest rank where the database is a library of this process: it reads the durations, Python sorts.

A library that groups by sorting rows takes longer to sort half a million of them than Python takes to sort whole numbers.
It hands over each session's durations as one text, in the order of its index, which nothing has to sort. Eight bytes are
held for each duration that is asked for, and the numbers of one key at a time.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, null, select, type_coerce

from chatledger.dialects.constructs import json_list, minute_of, quarter_of
from chatledger.dialects.types import Identifier
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages, sessions
from chatledger.services.statistics.calendar import Folding, quarter
from chatledger.services.statistics.filters import By, Chosen, times_of
from chatledger.services.statistics.measures import usage


class Ranks(NamedTuple):
    """What the statement of `percentiles` answers with, a row of it."""

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


def sorted_here(context: ServiceContext, chosen: Chosen, by: By | None, fold: Folding | None) -> list[Ranks]:
    """The same rows as of `percentiles.ranked`, in no order."""
    found: defaultdict[tuple[str | None, int | None], array[int]] = defaultdict(partial(array, "q"))
    for keys, numbers, durations in _read(context, chosen, by, fold):
        if len(keys) == len(numbers) == 1:
            found[keys[0], numbers[0]].extend(durations)
            continue
        marks = zip(_each(keys, durations), _each(numbers, durations), strict=True)
        for mark, took in zip(marks, durations, strict=True):
            found[mark].append(took)
    return [_ranks(key, number, sorted(durations)) for (key, number), durations in found.items()]


def _ranks(key: str | None, number: int | None, durations: list[int]) -> Ranks:
    many = len(durations)
    # The smallest one that is reached by so many percent: rounded up, and counted from 0.
    p50, p90, p95, p99 = (durations[(many * rank + 99) // 100 - 1] for rank in (50, 90, 95, 99))
    return Ranks(key, number, many, sum(durations), durations[0], durations[-1], p50, p90, p95, p99)


def _read(
    context: ServiceContext, chosen: Chosen, by: By | None, fold: Folding | None
) -> Iterator[tuple[list[str | None], list[int | None], list[int]]]:
    """Durations, a session at a time, with the key and the number of each, or the one that all have."""
    source = chosen.source(context, by, messages, sessions_first=True)
    together = messages.c.session_id if source is messages else sessions.c.session_id
    # What may change from message to message.
    owning = by is By.ROLE or (by is By.MODEL and _models_of_messages(context))
    statement = (
        select(
            _of_session(by).label("key"),
            json_list(messages.c.duration_ms).label("took"),
            *_marks(by if owning else None, fold),
        )
        .select_from(source)
        .where(messages.c.duration_ms.is_not(None), *times_of(chosen, messages), *chosen.conditions(context, messages))
        .group_by(together)
    )
    number, in_order = _numbering(fold), fold is not None and fold.in_order()
    for row in context.execute(statement):
        keys: list[str | None] = [row.key]
        numbers: list[int | None] = [None]
        if owning:
            alike = row.own_least == row.own_most
            keys = [own or row.key for own in ([row.own_most] if alike else json.loads(row.owns))]
        if fold is not None:
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


def _marks(by: By | None, fold: Folding | None) -> Iterator[ColumnElement[Any]]:
    if by is not None:
        own = messages.c.model_id if by is By.MODEL else messages.c.role
        value = func.coalesce(type_coerce(own, Identifier()), "")
        yield func.min(value).label("own_least")
        yield func.max(value).label("own_most")
        yield json_list(value).label("owns")
    if fold is not None:
        yield fold(quarter_of(func.min(messages.c.created_at))).label("first")
        yield fold(quarter_of(func.max(messages.c.created_at))).label("last")
        yield json_list(minute_of(messages.c.created_at)).label("minutes")


def _numbering(fold: Folding | None) -> Callable[[str], int | None]:
    """From a minute, as text, the number of its period. Each quarter of an hour is looked at once."""
    if fold is None:
        return lambda _minute: None

    @cache
    def of_quarter(hour: str, part: int) -> int:
        return fold.of(quarter(datetime.fromisoformat(f"{hour}{15 * part:02}").replace(tzinfo=UTC)))

    def number(minute: str) -> int:
        try:
            return of_quarter(minute[:14], int(minute[14:16]) // 15)
        except ValueError:
            return fold.of(0)  # a time that is none counts as 1970, as in `quarter_of`

    return number
