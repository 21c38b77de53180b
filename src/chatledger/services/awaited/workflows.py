"""Workflows, awaited."""

from __future__ import annotations

from chatledger.services.lifted import Lifted


class AsyncWorkflows(Lifted):
    """`Workflows`, awaited."""
