"""Renewing leases while the work that they protect goes on."""

from __future__ import annotations

import math
import time
from datetime import timedelta

# How often a lease is renewed before it would end: two renewals in a row may fail without losing it.
_RENEWALS = 3


class LeaseRenewal:
    """When a lease is to be renewed next: three times in its duration, or every `interval` seconds if that is shorter."""

    def __init__(self, duration: timedelta, interval: float = math.inf) -> None:
        self._interval = min(duration.total_seconds() / _RENEWALS, interval)
        self.renewed()

    def renewed(self) -> None:
        """Note that the lease was taken or renewed just now."""
        self.due_at = time.monotonic() + self._interval

    def is_due(self, now: float) -> bool:
        """Return whether it is time to renew the lease."""
        return now >= self.due_at
