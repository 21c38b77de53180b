"""Comparisons, awaited."""

from __future__ import annotations

from chatledger.services.lifted import Lifted


class AsyncComparisons(Lifted):
    """`Comparisons`, awaited."""
