"""Any named number with its unit, over time."""

from __future__ import annotations

from chatledger.services.work import Service


class Metrics(Service):
    """Any named number with its unit, over time."""

    __slots__ = ()
