"""Conditions within a query, such as `role:user` or `after:2026-05-01`, as filters of the search."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chatledger.enums import Role
from chatledger.full_text.query import Qualifier

_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"(\d{4})(?:[-/](\d{1,2}))?(?:[-/](\d{1,2}))?")


def filters_of(qualifiers: tuple[Qualifier, ...], now: datetime) -> dict[str, Any] | None:
    """The filters by name, or None where they contradict each other or name what cannot be.

    Of several times, the narrowest counts; `role`, `model` and `user` are different from each other only by mistake.
    """
    found: dict[str, Any] = {}
    for one in qualifiers:
        if one.field in ("after", "before"):
            moment = moment_of(one.value, now)
            if moment is None:
                return None
            since = (one.field == "after") is not one.excluded
            name = "typed_since" if since else "typed_until"
            found[name] = (max if since else min)(found.get(name, moment), moment)
            continue
        value: Any = one.value
        if one.field == "role":
            value = next((role.value for role in Role if role == one.value.lower()), None)
            if value is None:
                return None
        name = f"{'not' if one.excluded else 'typed'}_{one.field}"
        if one.excluded:
            found.setdefault(name, []).append(value)
        elif found.setdefault(name, value) != value:
            return None
    return found


def moment_of(text: str, now: datetime) -> datetime | None:
    """The moment of a date (2026, 2026-05, 2026-05-01), a time, or how long ago (7d); None if it is none of them."""
    lower = text.lower()
    try:
        if lower in ("today", "yesterday"):
            return _midnight(now) - timedelta(days=lower == "yesterday")
        if ago := _AGO.fullmatch(lower):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if date := _DATE.fullmatch(text):
            return datetime(int(date[1]), int(date[2] or 1), int(date[3] or 1), tzinfo=UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def names_of(filters: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of filters, in one order."""
    return tuple(sorted(filters))
