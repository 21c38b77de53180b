"""Times as files write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any


def certain_time(value: Any) -> datetime | None:
    """Seconds since 1970 of this half century, or ISO 8601 with a zone. What is anything else says nothing certain."""
    if type(value) in (int, float) and 10**9 <= value < 3 * 10**9:
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:", value):
        try:
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else None
        except (ValueError, OverflowError):
            return None
    return None
