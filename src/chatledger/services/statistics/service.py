"""Statistics of messages: counts, tokens, costs, errors and latency."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from typing import Any, Literal, TypeAlias, TypeVar, Unpack, get_args

from chatledger.errors import InvalidInput
from chatledger.schemas.fields import moment, whole
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
from chatledger.services.base import Service
from chatledger.services.statistics.calendar import (
    MOST,
    Bucket,
    Bucketing,
    Kind,
    buckets,
    hours_of_week,
    moment_of,
    quarter,
    utc_offsets,
    zone,
)
from chatledger.services.statistics.context_use import fullest
from chatledger.services.statistics.filters import (
    By,
    ByLike,
    FilterArguments,
    MessageFilter,
    PeriodFilterArguments,
    by_of,
)
from chatledger.services.statistics.latency import EMPTY_LATENCY, latency_fields, latency_rows
from chatledger.services.statistics.usage import EMPTY_USAGE, bounds, usage_fields, usage_rows

_P = TypeVar("_P", UsagePeriod, LatencyPeriod)
_TOO_MANY = f"makes more than {MOST:,} periods: ask for fewer, or longer ones"
Ranking: TypeAlias = Literal["cost", "messages", "total_tokens", "duration_ms", "errors"]
_ORDERS: tuple[str, ...] = get_args(Ranking)


class Statistics(Service):
    """Totals, averages, percentiles and rates. They are exact, and the same on both databases.

    Every method takes the same filters: `user_id`, `project_id`, `model_id` (a message's own, otherwise its session's),
    `session_id`, `role`, and the time of the messages from `since` up to but excluding `until`. Sums over models,
    projects, users, roles or periods add up to `overview` with the same filters, except for `sessions`. A ledger that
    is limited to a user counts only that user's messages.

    A message counts once. Forks, restored copies and imported branches hold copies of messages (`Message.copied_from`):
    these are left out, and a session that holds nothing else is not counted. `include_copies=True` counts them as well.

    Every method raises:
        InvalidInput: a time without a time zone, an unknown time zone or word, or too many periods.
        SessionNotFound: `session_id` names no session, or another user's.
    """

    __slots__ = ()

    def overview(self, **filters: Unpack[PeriodFilterArguments]) -> Usage:
        """Return the totals of all messages that the filters select."""
        (row,) = usage_rows(self._context, self._message_filter(filters))
        return Usage(**usage_fields(row))

    def by_model(self, **filters: Unpack[PeriodFilterArguments]) -> list[UsageOf]:
        """By model, highest cost first. A message's own model counts, otherwise that of its session."""
        return self._by(By.MODEL, filters)

    def by_project(self, **filters: Unpack[PeriodFilterArguments]) -> list[UsageOf]:
        """By project, highest cost first."""
        return self._by(By.PROJECT, filters)

    def by_user(self, **filters: Unpack[PeriodFilterArguments]) -> list[UsageOf]:
        """By user, highest cost first."""
        return self._by(By.USER, filters)

    def by_role(self, **filters: Unpack[PeriodFilterArguments]) -> list[UsageOf]:
        """By role, highest cost first."""
        return self._by(By.ROLE, filters)

    def by_session(
        self, *, order: Ranking = "messages", limit: int = 20, **filters: Unpack[PeriodFilterArguments]
    ) -> list[UsageOf]:
        """The sessions with the highest `messages`, `total_tokens`, `cost`, `duration_ms` or `errors`."""
        if order not in _ORDERS:
            raise InvalidInput("order", f"is not one of {', '.join(map(repr, _ORDERS))}")
        whole(limit, "limit", 1, MOST)
        rows = usage_rows(self._context, self._message_filter(filters), by=By.SESSION)
        best = sorted(rows, key=lambda row: (-int(getattr(row, order)), row.key))[:limit]
        return [UsageOf(key=row.key, **usage_fields(row)) for row in best]

    def by_hour(
        self, *, tz: str | tzinfo = "UTC", split: ByLike | None = None, **filters: Unpack[PeriodFilterArguments]
    ) -> list[UsagePeriod]:
        """By hour, as `by_day`. The hour that is repeated when clocks are set back counts as two."""
        return self._usage_by(Kind.HOUR, tz, split, filters)

    def by_day(
        self, *, tz: str | tzinfo = "UTC", split: ByLike | None = None, **filters: Unpack[PeriodFilterArguments]
    ) -> list[UsagePeriod]:
        """By day in a time zone, such as Europe/Lisbon. A day may have 23 or 25 hours.

        Covers the days from `since` (or the first message) to `until` (or the last message), empty days included; the
        first and the last day count only the messages that the filters select. `split` gives each model, project, user,
        session or role rows of its own, for every day. At most 100,000 periods.
        """
        return self._usage_by(Kind.DAY, tz, split, filters)

    def by_week(
        self, *, tz: str | tzinfo = "UTC", split: ByLike | None = None, **filters: Unpack[PeriodFilterArguments]
    ) -> list[UsagePeriod]:
        """By week, starting on Monday, as `by_day`."""
        return self._usage_by(Kind.WEEK, tz, split, filters)

    def by_month(
        self, *, tz: str | tzinfo = "UTC", split: ByLike | None = None, **filters: Unpack[PeriodFilterArguments]
    ) -> list[UsagePeriod]:
        """By calendar month, as `by_day`."""
        return self._usage_by(Kind.MONTH, tz, split, filters)

    def activity(self, *, tz: str | tzinfo = "UTC", **filters: Unpack[PeriodFilterArguments]) -> list[Activity]:
        """By hour of the week in a time zone: 168 hours, starting with Monday's first."""
        message_filter, where = self._message_filter(filters), zone(tz)
        quarters = self._quarters(message_filter)
        rows = {}
        if quarters is not None and (written := self._written(quarters)) is not None:
            offsets = utc_offsets(where, *written)
            rows = {
                int(row.number): row
                for row in usage_rows(
                    self._context,
                    message_filter,
                    bucketing=lambda at, moments=None: hours_of_week(at, offsets, moments),
                )
            }
        return [
            Activity(weekday=hour // 24 + 1, hour=hour % 24, **usage_fields(rows[hour]))
            if hour in rows
            else Activity(weekday=hour // 24 + 1, hour=hour % 24, **EMPTY_USAGE)
            for hour in range(168)
        ]

    def latency(self, **filters: Unpack[PeriodFilterArguments]) -> Latency:
        """How long messages took: the average, and exact percentiles by nearest rank, in milliseconds."""
        rows = latency_rows(self._context, self._message_filter(filters))
        return Latency(**(latency_fields(rows[0]) if rows else EMPTY_LATENCY))

    def latency_by(self, by: ByLike, **filters: Unpack[PeriodFilterArguments]) -> list[LatencyOf]:
        """Latency by `model`, `project`, `user`, `session` or `role`, slowest first. Groups without durations are left
        out.
        """
        rows = latency_rows(self._context, self._message_filter(filters), by=_required(by))
        found = [LatencyOf(key=row.key, **latency_fields(row)) for row in rows]
        return sorted(found, key=lambda one: (-(one.p50_ms or 0), one.key or ""))

    def latency_by_day(
        self,
        *,
        tz: str | tzinfo = "UTC",
        split: ByLike | None = None,
        period: Kind | str = Kind.DAY,
        **filters: Unpack[PeriodFilterArguments],
    ) -> list[LatencyPeriod]:
        """Latency by `day`, `hour`, `week` or `month`. Periods, time zone and `split` work as in `by_day`."""
        try:
            kind = Kind(period)
        except ValueError:
            raise InvalidInput("period", f"is not one of {', '.join(repr(str(word)) for word in Kind)}") from None

        def read(
            message_filter: MessageFilter, by: By | None, bucketing: Bucketing
        ) -> dict[tuple[str | None, int], dict[str, Any]]:
            rows = latency_rows(self._context, message_filter, by=by, bucketing=bucketing)
            return {(row.key if by else None, int(row.number)): latency_fields(row) for row in rows}

        return list(self._periods(LatencyPeriod, kind, tz, split, filters, read, EMPTY_LATENCY))

    def errors(self, *, by: ByLike = By.MODEL, **filters: Unpack[PeriodFilterArguments]) -> list[UsageOf]:
        """Where answers failed or were interrupted, by model (or `by`), highest failure rate first."""
        every = self._by(_required(by), filters)
        bad = [one for one in every if one.errors or one.interruptions]
        return sorted(bad, key=lambda one: (-(one.error_rate or 0), -(one.interruption_rate or 0), one.key or ""))

    def context_use(self, *, limit: int = 20, **filters: Unpack[PeriodFilterArguments]) -> list[ContextUse]:
        """The sessions whose newest request used most of their model's context window, fullest first.

        Counts input and output of the newest message that has an input count, against the context window of that
        message's model (`models.context_window`). Sessions for which either is unknown are left out. Time filters apply
        to that message.
        """
        return fullest(self._context, self._message_filter(filters), whole(limit, "limit", 1, MOST))

    def compare(
        self,
        *,
        since: datetime,
        until: datetime,
        previous_since: datetime | None = None,
        **filters: Unpack[FilterArguments],
    ) -> UsageComparison:
        """Compare a period with another of the same length: the one right before it, or the one from `previous_since`
        on.
        """
        since, until = moment(since, "since"), moment(until, "until")
        current = self.overview(since=since, until=until, **filters)
        try:
            before = since - (until - since) if previous_since is None else moment(previous_since, "previous_since")
            end = before + (until - since)
        except OverflowError:
            raise InvalidInput("since", "has no period before it in the calendar") from None
        previous = self.overview(since=before, until=end, **filters)
        return UsageComparison(since=since, until=until, previous_since=before, current=current, previous=previous)

    def _message_filter(self, filters: PeriodFilterArguments) -> MessageFilter:
        for name in filters:
            if name not in MessageFilter.__dataclass_fields__:
                raise InvalidInput(name, "is not a filter")
        return MessageFilter(**filters).checked(self._context)

    def _by(self, by: By, filters: PeriodFilterArguments) -> list[UsageOf]:
        rows = usage_rows(self._context, self._message_filter(filters), by=by)
        found = [UsageOf(key=row.key, **usage_fields(row)) for row in rows]
        return sorted(found, key=lambda one: (-one.cost, -one.messages, one.key or ""))

    def _usage_by(
        self, kind: Kind, tz: str | tzinfo, split: ByLike | None, filters: PeriodFilterArguments
    ) -> list[UsagePeriod]:
        def read(
            message_filter: MessageFilter, by: By | None, bucketing: Bucketing
        ) -> dict[tuple[str | None, int], dict[str, Any]]:
            rows = usage_rows(self._context, message_filter, by=by, bucketing=bucketing)
            return {(row.key if by else None, int(row.number)): usage_fields(row) for row in rows}

        return list(self._periods(UsagePeriod, kind, tz, split, filters, read, EMPTY_USAGE))

    def _periods(
        self,
        record: type[_P],
        kind: Kind,
        tz: str | tzinfo,
        split: ByLike | None,
        filters: PeriodFilterArguments,
        read: Callable[[MessageFilter, By | None, Bucketing], dict[tuple[str | None, int], dict[str, Any]]],
        empty: dict[str, Any],
    ) -> Iterator[_P]:
        """The periods in their order, with what was read of each, and of each key where there are several."""
        message_filter, where, by = self._message_filter(filters), zone(tz), by_of(split, "split")
        quarters = self._quarters(message_filter)
        if quarters is None:
            return
        if kind is Kind.HOUR and (quarters[1] - quarters[0]) // 4 > MOST:
            raise InvalidInput("since", _TOO_MANY)
        found: dict[tuple[str | None, int], dict[str, Any]] = {}
        if (written := self._written(quarters)) is not None:
            # A clock that changes twice a year makes a long CASE of centuries: no longer than there are messages.
            within = utc_offsets(where, *written)
            found = read(message_filter, by, Bucketing(kind, within))
        keys = sorted({key for key, _ in found}, key=lambda key: (key is None, key or "")) if by else [None]
        # Where nothing was asked for, from the first message that there is to the last.
        numbered = {number for _, number in found}
        shown: list[Bucket] = []
        for period in buckets(kind, where, *quarters):
            if len(shown) * max(len(keys), 1) > MOST:
                raise InvalidInput("since", _TOO_MANY)
            if shown or message_filter.since is not None or period.number in numbered:
                shown.append(period)
        while shown and message_filter.until is None and shown[-1].number not in numbered:
            shown.pop()
        for period in shown:
            for key in keys:
                fields = found.get((key, period.number), empty)
                yield record(start=period.start, end=period.end, key=key, **fields)

    def _quarters(self, message_filter: MessageFilter) -> tuple[int, int] | None:
        """The first and the last quarter that can be of interest."""
        there = bounds(self._context) if message_filter.since is None or message_filter.until is None else None
        if message_filter.since is not None and message_filter.until is not None:
            # `until` itself is not wanted.
            last = quarter(message_filter.until) - (moment_of(quarter(message_filter.until)) == message_filter.until)
            return (quarter(message_filter.since), last) if message_filter.since < message_filter.until else None
        if there is None:
            return None
        first = there[0] if message_filter.since is None else quarter(message_filter.since)
        last = there[1] if message_filter.until is None else quarter(message_filter.until)
        return (first, last) if first <= last else None

    def _written(self, quarters: tuple[int, int]) -> tuple[int, int] | None:
        """The part of a span from the first to the last quarter that anything was written in."""
        there = bounds(self._context)
        if there is None:
            return None
        first, last = max(quarters[0], there[0]), min(quarters[1], there[1])
        return (first, last) if first <= last else None


def _required(given: ByLike) -> By:
    by = by_of(given, "by")
    if by is None:
        raise InvalidInput("by", "must name what to group by")
    return by
