"""Times as older programs wrote them, read as moments."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal, NamedTuple

Shape = Literal["sql", "iso", "odd", "aware", "epoch"]
"""`aware` says its offset, `epoch` counts from 1970; `naive` and `odd` (naive in another shape) say no zone."""

_SQL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?")
_NUMBER = re.compile(r"[0-9]{1,19}(\.[0-9]{1,9})?")
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# A count of seconds beyond this is one of milliseconds, and so on: the year 5138.
_SECONDS = 10**11


class Read(NamedTuple):
    """A moment, and how it was written."""

    moment: datetime
    shape: Shape
    ambiguous: bool = False
    """The zone has this time twice, or never."""

    @property
    def naive(self) -> bool:
        return self.shape in ("sql", "iso", "odd")


def read_time(value: Any, zone: tzinfo) -> Read | None:
    """A moment from what stands in a column of times, or None where it is none. Naive times are of the zone."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    try:
        if isinstance(value, int | float):
            return Read(_counted(value), "epoch")
        if not isinstance(value, str):
            return None
        text = value.strip()
        if _NUMBER.fullmatch(text):
            return Read(_counted(float(text) if "." in text else int(text)), "epoch")
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return Read(found.astimezone(UTC), "aware")
        shape: Shape = "sql" if _SQL.fullmatch(text) else "iso" if _ISO.fullmatch(text) else "odd"
        placed = found.replace(tzinfo=zone)
        ambiguous = zone is not UTC and placed.utcoffset() != placed.replace(fold=1).utcoffset()
        return Read(placed.astimezone(UTC), shape, ambiguous)
    except (ValueError, OverflowError):
        return None


def rank(value: Any, zone: tzinfo) -> int | None:
    """Microseconds since 1970, by which rows are put in order, or None for what is no time."""
    found = read_time(value, zone)
    return None if found is None else (found.moment - _FIRST) // _MICROSECOND


def _counted(count: float) -> datetime:
    """A moment from a count of seconds, milliseconds, microseconds or nanoseconds since 1970, as its size says."""
    divisor = 1
    while abs(count) / divisor >= _SECONDS and divisor < 10**9:
        divisor *= 1000
    if isinstance(count, int):
        return _FIRST + timedelta(microseconds=count * 1_000_000 // divisor)
    return _FIRST + timedelta(seconds=count / divisor)
