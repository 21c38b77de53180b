"""Models, prompts or parameters side by side."""

from __future__ import annotations

from chatledger.services.work import Service


class Comparisons(Service):
    """Models, prompts or parameters side by side."""

    __slots__ = ()
