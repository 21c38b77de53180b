"""Definitions of steps that hang on one another, and their executions."""

from __future__ import annotations

from chatledger.services.work import Service


class Workflows(Service):
    """Definitions of steps that hang on one another, and their executions."""

    __slots__ = ()
