"""Batches, awaited."""

from __future__ import annotations

from chatledger.services.lifted import Lifted


class AsyncBatches(Lifted):
    """`Batches`, awaited."""
