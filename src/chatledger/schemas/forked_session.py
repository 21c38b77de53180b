"""What a fork returns."""

from __future__ import annotations

from chatledger.schemas.message_parts import ToolCall
from chatledger.schemas.session import Session


class ForkedSession(Session):
    """A session that `fork` has just made. It equals the `Session` that is read later."""

    open_calls: tuple[ToolCall, ...]
    """The tool calls of its newest turn that have no result: most models refuse such a history."""

    def __eq__(self, other: object) -> bool:
        if type(other) is Session:
            return all(getattr(self, name) == getattr(other, name) for name in Session.model_fields)
        return super().__eq__(other)
