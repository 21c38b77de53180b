"""The registry of language models, and what they cost."""

from __future__ import annotations

from chatledger.services.work import Service


class Models(Service):
    """The registry of language models, and what they cost."""

    __slots__ = ()
