"""Jobs of many items, each done once."""

from __future__ import annotations

from chatledger.services.work import Service


class Batches(Service):
    """Jobs of many items, each done once."""

    __slots__ = ()
