"""What a responder is called with and how it fails."""

from __future__ import annotations

from collections.abc import Callable

from chatledger.enums import Outcome
from chatledger.schemas import Message, NewMessage

Show = Callable[[str], None]
"""Shows a piece of the answer as it comes."""
Responder = Callable[[list[Message], Show], NewMessage]
"""Answers a conversation."""


class ResponderFailed(Exception):
    """There is no answer, or only the part of it that was shown. The text says why.

    `kind` is what errors are counted by, and `outcome` that of the part.
    """

    def __init__(self, reason: str, *, kind: str = "CommandFailed", outcome: Outcome = Outcome.ERROR) -> None:
        super().__init__(reason)
        self.kind = kind
        self.outcome = outcome
