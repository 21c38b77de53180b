"""The data of a report, read in one snapshot."""

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

# Rows in the tables of the busiest sessions and of the fullest context windows.
_TOP = 15
# Series of a plot with a name of their own. The rest are "others".
_NAMED = 7
# Periods of up to 120 days are shown by day, up to 800 days by week, longer ones by month.
_DAYS, _WEEKS = 120, 800


@dataclass(frozen=True)
class Series:
    """One line or layer of a plot, a value for each period."""

    name: str
    costs: list[Decimal]
    tokens: list[int]


@dataclass(frozen=True)
class ReportData:
    """Everything that the page shows."""

    filters: PeriodFilterArguments
    zone: str
    period: str
    """day, week or month."""
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

    @property
    def busiest_hour(self) -> int:
        """The most messages in an hour of the week."""
        return max((one.messages for one in self.activity), default=0)

    @property
    def unpriced_models(self) -> list[str]:
        """Models of which no price is known."""
        return [usage.key for usage, _ in self.models if usage.key is not None and not usage.cost_known]


def read_report_data(
    uow: UnitOfWork, filters: PeriodFilterArguments, tz: str | tzinfo, period: str | None
) -> ReportData:
    """Read the data of a report.

    Raises:
        InvalidInput: an unknown period or time zone, or an invalid filter.
        SessionNotFound: the session does not exist.
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
    busiest = statistics.by_session(order="cost", limit=_TOP, **filters)
    if not any(one.cost for one in busiest):
        busiest = statistics.by_session(order="total_tokens", limit=_TOP, **filters)
    since, until = filters.get("since"), filters.get("until")
    overview = statistics.overview(**filters)
    everything = statistics.overview(**cast("PeriodFilterArguments", {**filters, "include_copies": True}))
    whose = {name: value for name, value in filters.items() if name not in ("since", "until")}
    return ReportData(
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
        fullest=statistics.context_use(limit=_TOP, **filters),
    )


def _fitting(months: Iterable[UsagePeriod]) -> str:
    """Return the shortest period that leaves room for all bars."""
    every = list(months)
    length = every[-1].end - every[0].start if every else timedelta()
    return "day" if length <= timedelta(days=_DAYS) else "week" if length <= timedelta(days=_WEEKS) else "month"


def _series(periods: list[UsagePeriod], starts: list[datetime]) -> list[Series]:
    """Return the models with the highest cost (or most tokens, if nothing has a cost), and all others as one series."""
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
    if len(every) <= _NAMED + 1:
        return every
    rest = every[_NAMED:]
    others = Series(
        name=f"{len(rest)} others",
        costs=[sum(values, Decimal(0)) for values in zip(*(one.costs for one in rest), strict=True)],
        tokens=[sum(values) for values in zip(*(one.tokens for one in rest), strict=True)],
    )
    return [*every[:_NAMED], others]
