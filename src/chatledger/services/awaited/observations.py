"""Metrics and annotations, awaited."""

from __future__ import annotations

from chatledger.services.lifted import Lifted


class AsyncMetrics(Lifted):
    """`Metrics`, awaited."""


class AsyncAnnotations(Lifted):
    """`Annotations`, awaited."""
