"""A clock that stands still until it is told to go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class StoppedClock:
    """Pass it as `clock=`; `now` may be set to any aware time."""

    def __init__(self, now: datetime = datetime(2026, 5, 17, 9, 30, 0, 123456, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **much: float) -> datetime:
        """Go on by a timedelta's arguments; the new time."""
        self.now += timedelta(**much)
        return self.now
