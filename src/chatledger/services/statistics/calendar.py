"""Days, weeks, months and hours of a time zone, counted from quarters of an hour by arithmetic that every database has.

The offset of a zone from UTC changes a few times a year. It is looked up here and passed as a CASE; the database adds
it and divides. So both databases give the same periods, whatever they know of time zones. Since 1972 every offset is a
whole number of quarters; earlier offsets are rounded to the quarter.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, literal

from chatledger.dialects.types import Timestamp, Whole
from chatledger.errors import InvalidInput

MOST = 100_000
"""Periods that one answer may hold."""
# In quarters: more than any clock was ever set back.
_TWO_DAYS = 2 * 96

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER = timedelta(minutes=15)
# Quarters from the first day of the calendar, a Monday, to 1970.
_BASE = 719_162 * 96
# Days from the first of March of the year 0, on which the months of a calendar repeat evenly, to the first day.
_MARCH = 306
# Keeps the distance from UTC in the key of an hour, so that the hour that comes twice is two.
_SPREAD = 1024
_FIRST, _LAST = -_BASE, (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _QUARTER


class Kind(StrEnum):
    """How long a period is."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class UtcOffset(NamedTuple):
    """A range of quarters of an hour in which a time zone has one offset from UTC, also in quarters."""

    start: int
    end: int
    offset: int


class Bucket(NamedTuple):
    """One period, and the number by which the database groups its rows."""

    number: int
    start: datetime
    end: datetime


def zone(name: str | tzinfo) -> tzinfo:
    """A time zone by its name, such as Europe/Lisbon.

    Raises:
        InvalidInput: there is none of that name.
    """
    if isinstance(name, tzinfo):
        return name
    if name == "UTC":
        return UTC  # known everywhere, even where the system has no names of zones
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - for those who ask for a zone

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError, TypeError):
        pass
    raise InvalidInput("tz", "is not the name of a time zone, such as Europe/Lisbon")


def quarter(moment: datetime) -> int:
    """The quarter of an hour that a moment lies in, counted from 1970 in UTC."""
    return (moment - _EPOCH) // _QUARTER


def moment_of(number: int) -> datetime:
    """The first moment of a quarter."""
    try:
        return _EPOCH + number * _QUARTER
    except OverflowError:  # after the year 9999
        return datetime.max.replace(tzinfo=UTC)


def utc_offsets(where: tzinfo, first: int, last: int) -> list[UtcOffset]:
    """How far a zone lies from UTC, from one quarter to another, both included."""
    first, last = max(first, _FIRST), min(last, _LAST)
    # A day at a time; where that would take long, no zone is known to change for less than a week.
    step = 96 if last - first < 200 * 366 * 96 else 96 * 7
    found: list[UtcOffset] = []
    start, offset, at = first, _offset(where, first), first
    while at < last:
        following = min(at + step, last)
        if (then := _offset(where, following)) != offset:
            low, high = at, following
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(where, middle) == offset else (low, middle)
            found.append(UtcOffset(start, high, offset))
            start, offset, following = high, _offset(where, high), high
            if offset != then:  # it changed twice
                at = high
                continue
        at = following
    return [*found, UtcOffset(start, last + 1, offset)]


def numbers(
    quarters: ColumnElement[Any], kind: Kind, offsets: list[UtcOffset], moments: ColumnElement[Any] | None = None
) -> ColumnElement[Any]:
    """The number of the period that a quarter lies in. `moments`: where quarters are made from these, and not stored."""
    offset = _offsets(quarters, offsets, moments)
    found: ColumnElement[Any] = _number(kind, quarters + offset, offset)
    return found


@dataclass(frozen=True)
class Bucketing:
    """Maps a quarter of an hour to the number of its period, in the database or in Python."""

    kind: Kind
    offsets: list[UtcOffset]

    def __call__(
        self, quarters: ColumnElement[Any], /, moments: ColumnElement[Any] | None = None
    ) -> ColumnElement[Any]:
        return numbers(quarters, self.kind, self.offsets, moments)

    def in_order(self) -> bool:
        """Whether what begins and ends in a period lies in it: not where clocks went back from after midnight to
        before.

        Of hours it is always so: one that comes twice is two.
        """
        ends = [part.end for part in self.offsets[:-1]]
        return self.kind is Kind.HOUR or all(self.of(end - 1) <= self.of(end) for end in ends)

    def of(self, quarter: int) -> int:
        """The number of the period that this quarter lies in."""
        at = bisect_right(self.offsets, quarter, hi=len(self.offsets) - 1, key=lambda part: part.end)
        offset = self.offsets[at].offset
        return int(_number(self.kind, quarter + offset, offset))


def _number(kind: Kind, local: Any, offset: Any) -> Any:
    """By arithmetic that whole numbers and columns of a database have in common."""
    if kind is Kind.HOUR:
        return (local + _BASE) // 4 * _SPREAD + offset + _SPREAD // 2
    day = (local + _BASE) // 96
    if kind is Kind.DAY:
        return day
    if kind is Kind.WEEK:
        return day // 7
    return _month(day)


def hours_of_week(
    quarters: ColumnElement[Any], offsets: list[UtcOffset], moments: ColumnElement[Any] | None = None
) -> ColumnElement[Any]:
    """The hour of the week on the clock of a zone, from Monday's first (0) to Sunday's last (167)."""
    return (quarters + _offsets(quarters, offsets, moments) + _BASE) // 4 % 168


def buckets(kind: Kind, where: tzinfo, first: int, last: int) -> Iterator[Bucket]:
    """Every period that has one of the quarters from one to another, both included.

    Raises:
        InvalidInput: a period begins before the calendar, or ends after it.
    """
    try:
        if kind is Kind.HOUR:
            yield from _hours(where, utc_offsets(where, first, last), first, last)
        else:
            yield from _dates(kind, where, first, last)
    except (OverflowError, ValueError):
        pass
    else:
        return
    raise InvalidInput("since", "makes a period that leaves the calendar of the years 1 to 9999: ask for fewer")


def _dates(kind: Kind, where: tzinfo, first: int, last: int) -> Iterator[Bucket]:
    # Where clocks went back over midnight, the first or the last moment need not lie in the first or the last day.
    ends = (
        *utc_offsets(where, first, min(first + _TWO_DAYS, last)),
        *utc_offsets(where, max(first, last - _TWO_DAYS), last),
    )
    changes = [at for part in ends for at in (part.start - 1, part.start) if first <= at <= last]
    there = [_number_at(kind, where, at) for at in (first, *changes, last)]
    number, end = min(there), max(there)
    start = _start(kind, where, number)
    while number <= end:
        number += 1
        following = _start(kind, where, number)
        yield Bucket(number - 1, start, following)
        start = following


def _hours(where: tzinfo, offsets: list[UtcOffset], first: int, last: int) -> Iterator[Bucket]:
    for at, part in enumerate(offsets):
        if part.end <= first or part.start > last:
            continue
        hour = (max(part.start, first) + part.offset + _BASE) // 4
        final = (min(part.end - 1, last) + part.offset + _BASE) // 4
        for number in range(hour, final + 1):
            start, end = number * 4 - _BASE - part.offset, number * 4 + 4 - _BASE - part.offset
            start = max(start, part.start) if at else start
            end = min(end, part.end) if at + 1 < len(offsets) else end
            key = number * _SPREAD + part.offset + _SPREAD // 2
            yield Bucket(key, moment_of(start).astimezone(where), moment_of(end).astimezone(where))


def _number_at(kind: Kind, where: tzinfo, number: int) -> int:
    day = moment_of(number).astimezone(where).date()
    if kind is Kind.MONTH:
        return day.year * 12 + day.month - 1
    return (day.toordinal() - 1) // (7 if kind is Kind.WEEK else 1)


def _start(kind: Kind, where: tzinfo, number: int) -> datetime:
    if kind is Kind.MONTH:
        day = date(number // 12, number % 12 + 1, 1)
    else:
        day = date.fromordinal(number * (7 if kind is Kind.WEEK else 1) + 1)
    # Through UTC and back: a midnight that the clocks leap over becomes the first moment of the day.
    return datetime.combine(day, datetime.min.time(), where).astimezone(UTC).astimezone(where)


def _offset(where: tzinfo, number: int) -> int:
    try:
        distance = moment_of(number).astimezone(where).utcoffset()
    except OverflowError:  # at the ends of the calendar
        return 0
    return round((distance or timedelta(0)) / _QUARTER)


def _offsets(
    quarters: ColumnElement[Any], offsets: list[UtcOffset], moments: ColumnElement[Any] | None = None
) -> ColumnElement[Any]:
    if len(offsets) == 1:
        return _whole(offsets[0].offset)
    if moments is None:
        return case(
            *((quarters < part.end, _whole(part.offset)) for part in offsets[:-1]), else_=_whole(offsets[-1].offset)
        )
    # A moment is compared as it is: made into its quarter once for each distance, a million of them take seconds.
    ends = ((moments < literal(moment_of(part.end), Timestamp()), _whole(part.offset)) for part in offsets[:-1])
    return case(*ends, else_=_whole(offsets[-1].offset))


def _month(day: Any) -> Any:
    """Twelve times the year and the month less one, by the calendar of 400 years, 146,097 days."""
    since = day + _MARCH
    within = since % 146_097
    year = (within - within // 1460 + within // 36_524 - within // 146_096) // 365
    of_year = within - (365 * year + year // 4 - year // 100)
    return (since // 146_097 * 400 + year) * 12 + (5 * of_year + 2) // 153 + 2


def _whole(value: int) -> ColumnElement[Any]:
    return literal(value, Whole)
