"""Statistics, awaited."""

from __future__ import annotations

from chatledger.services.lifted import Lifted


class AsyncStatistics(Lifted):
    """`Statistics`, awaited."""
