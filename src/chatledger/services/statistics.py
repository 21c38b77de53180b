"""What was said, by whom, for how much, how fast."""

from __future__ import annotations

from chatledger.services.work import Service


class Statistics(Service):
    """What was said, by whom, for how much, how fast."""

    __slots__ = ()
