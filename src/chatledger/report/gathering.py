"""What a report tells, read in one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import TypeVar, cast

from chatledger.errors import InvalidInput
from chatledger.schemas import Session
from chatledger.schemas.statistics import (
    Activity,
    ContextUse,
    Latency,
    LatencyOf,
    LatencyPeriod,
    Usage,
    UsageComparison,
    UsageOf,
    UsagePeriod,
)
from chatledger.services.statistics.filters import PeriodFilterArguments
from chatledger.unit_of_work import UnitOfWork

_P = TypeVar("_P", UsagePeriod, LatencyPeriod)

#: Rows of a table of the busiest, and of the fullest.
TOP = 15
#: Series of a plot that have a name; what is left is "others".
NAMED = 7
#: From so many days on a plot has weeks, and from so many months.
_DAYS, _WEEKS = 120, 800


@dataclass(frozen=True)
class Series:
    """One line or layer of a plot, a value for each period."""

    name: str
    costs: list[Decimal]
    tokens: list[int]


@dataclass(frozen=True)
class Report:
    """Everything on the page."""

    filters: PeriodFilterArguments
    zone: str
    #: day, week or month.
    period: str
    starts: list[datetime]
    overview: Usage
    copies: int
    """Messages that were left out because they are copies of others."""
    comparison: UsageComparison | None
    latency: Latency
    series: list[Series]
    latencies: list[LatencyPeriod]
    activity: list[Activity]
    models: list[tuple[UsageOf, LatencyOf | None]]
    projects: list[UsageOf]
    users: list[UsageOf]
    busiest: list[tuple[UsageOf, Session | None]]
    fullest: list[ContextUse]


def gather(uow: UnitOfWork, filters: PeriodFilterArguments, tz: str | tzinfo, period: str | None) -> Report:
    """Read it all.

    Raises:
        InvalidInput: an unknown period or zone, or a filter that is none.
        SessionNotFound: a session that is not there.
    """
    statistics = uow.statistics
    reading: dict[str, Callable[..., list[UsagePeriod]]] = {
        "day": statistics.by_day,
        "week": statistics.by_week,
        "month": statistics.by_month,
    }
    if period is not None and period not in reading:
        raise InvalidInput("period", f"is not one of {', '.join(map(repr, reading))}")
    chosen = period or _fitting(statistics.by_month(tz=tz, **filters))
    periods = reading[chosen](tz=tz, split="model", **filters)
    starts = sorted({one.start for one in periods})
    slow = {one.key: one for one in statistics.latency_by("model", **filters)}
    busiest = statistics.by_session(order="cost", limit=TOP, **filters)
    if not any(one.cost for one in busiest):
        busiest = statistics.by_session(order="total_tokens", limit=TOP, **filters)
    since, until = filters.get("since"), filters.get("until")
    overview = statistics.overview(**filters)
    everything = statistics.overview(**cast("PeriodFilterArguments", {**filters, "include_copies": True}))
    whose = {name: value for name, value in filters.items() if name not in ("since", "until")}
    return Report(
        filters=filters,
        zone=str(tz),
        period=chosen,
        starts=starts,
        overview=overview,
        copies=everything.messages - overview.messages,
        comparison=statistics.compare(since=since, until=until, **whose)  # type: ignore[arg-type] # the same names
        if since and until
        else None,
        latency=statistics.latency(**filters),
        series=_series(periods, starts),
        latencies=statistics.latency_by_day(tz=tz, period=chosen, **filters),
        activity=statistics.activity(tz=tz, **filters),
        models=[(one, slow.get(one.key)) for one in statistics.by_model(**filters)],
        projects=statistics.by_project(**filters),
        users=statistics.by_user(**filters),
        busiest=[(one, None if one.key is None else uow.sessions.find(one.key)) for one in busiest],
        fullest=statistics.context_use(limit=TOP, **filters),
    )


def _fitting(months: Iterable[UsagePeriod]) -> str:
    """Days while they can be told apart."""
    every = list(months)
    length = every[-1].end - every[0].start if every else timedelta()
    return "day" if length <= timedelta(days=_DAYS) else "week" if length <= timedelta(days=_WEEKS) else "month"


def _series(periods: list[UsagePeriod], starts: list[datetime]) -> list[Series]:
    """The dearest models (or those of most tokens, where nothing has a cost) by name, and the others together."""
    by_key: dict[str | None, dict[datetime, UsagePeriod]] = {}
    for one in periods:
        by_key.setdefault(one.key, {})[one.start] = one
    every = [
        Series(
            name="no model" if key is None else key,
            costs=[found[start].cost for start in starts],
            tokens=[found[start].total_tokens for start in starts],
        )
        for key, found in by_key.items()
    ]
    every.sort(key=lambda one: (-sum(one.costs), -sum(one.tokens), one.name))
    if len(every) <= NAMED + 1:
        return every
    rest = every[NAMED:]
    others = Series(
        name=f"{len(rest)} others",
        costs=[sum(values, Decimal(0)) for values in zip(*(one.costs for one in rest), strict=True)],
        tokens=[sum(values) for values in zip(*(one.tokens for one in rest), strict=True)],
    )
    return [*every[:NAMED], others]
