"""Times as they are typed: a date, a date and time with a zone, or a time that counts from now."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import typer

from chatledger.clock import Clock, utc_now

TIME_HELP = "2026-05-01 (its midnight in UTC), 2026-05-01T12:00Z, today, yesterday, or 2h, 7d, 2w ago."
"""For help texts."""

_AGO = re.compile(
    r"(?:(\d{1,10})w)?(?:(\d{1,10})d)?(?:(\d{1,10})h)?(?:(\d{1,10})m)?(?:(\d{1,10})s)?(?: ago)?", re.ASCII
)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
# Days before today.
_DAYS = {"today": 0, "yesterday": 1}
_REMEDY = "write 2026-05-01, 2026-05-01T12:00:00Z, yesterday, or 2h or 7d for so long ago"


def moment(typed: str | datetime, clock: Clock = utc_now) -> datetime:
    """A time as typed, in UTC unless it names its offset.

    - ISO 8601 with a zone: `2026-05-01T12:00Z`, `2026-05-01T12:00+02:00`.
    - A date, `today` or `yesterday`: its midnight in UTC.
    - `now`; `90s`, `5m`, `1h30m`, `7d` or `2w` (`ago` may follow): so long before now.
    """
    if isinstance(typed, datetime):
        return typed
    text = typed.strip()
    relative = _relative(text.lower(), clock())
    if relative is not None:
        return relative
    try:
        if len(text) <= len("2026-05-01"):
            return _midnight(date.fromisoformat(text))
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"is not a time: {_REMEDY}") from None
    if found.tzinfo is None:
        raise typer.BadParameter("has no time zone: add Z for UTC, or an offset such as +02:00")
    return found


def _relative(text: str, now: datetime) -> datetime | None:
    if text == "now":
        return now
    if text in _DAYS:
        return _midnight(now.date() - timedelta(days=_DAYS[text]))
    found = _AGO.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    try:
        return now - timedelta(**{unit: int(number or 0) for unit, number in zip(_UNITS, found.groups(), strict=True)})
    except OverflowError:
        raise typer.BadParameter("is before the year 1") from None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)
