"""What people and judges say of sessions and messages."""

from __future__ import annotations

from chatledger.services.work import Service


class Annotations(Service):
    """What people and judges say of sessions and messages."""

    __slots__ = ()
