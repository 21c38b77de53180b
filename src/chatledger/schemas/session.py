"""Sessions as users hand them in and hold them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

from chatledger.enums import OPEN, Status
from chatledger.schemas.fields import Amount, Duration, Identifier, Input, Moment, Name, Record, Text
from chatledger.schemas.message_parts import ToolCall


class NewSession(Input):
    """A session to create. Without an id it is given a UUIDv7."""

    session_id: Identifier | None = None
    user_id: Identifier | None = None
    project_id: Identifier | None = None
    model_id: Identifier | None = None
    title: Text | None = None
    system_prompt: Text | None = None
    context: dict[Name, Any] | None = None
    metadata: dict[Identifier, Any] | None = None
    idle_timeout: Duration | None = None
    archive_timeout: Duration | None = None
    hard_timeout: Duration | None = None
    name: Identifier | None = None
    parent_id: Identifier | None = None
    created_at: Moment | None = None


class Keep(Enum):
    """What stands for an argument that was not given, where None means to clear."""

    KEEP = "keep"

    def __repr__(self) -> str:
        return self.name


KEEP = Keep.KEEP


class SessionChanges(Input):
    """What `update` may change. What is not given stays; None clears."""

    user_id: Identifier | None = None
    project_id: Identifier | None = None
    model_id: Identifier | None = None
    title: Text | None = None
    system_prompt: Text | None = None
    context: dict[Name, Any] | None = None
    name: Identifier | None = None
    parent_id: Identifier | None = None


class Session(Record):
    """One conversation, as it stood when it was read."""

    session_id: str
    user_id: str | None
    project_id: str | None
    model_id: str | None
    title: str | None
    system_prompt: str | None
    status: Status
    context: dict[str, Any]
    """JSON carried forward from turn to turn."""
    metadata: dict[str, Any]
    """The entries of `uow.metadata`."""
    message_count: int
    total_tokens: int
    total_duration_ms: int
    total_cost: Amount
    """Dollars of the messages whose cost is known, exact. `uow.statistics` says how many have none."""
    last_sequence: int
    """The number of the newest message there ever was; the next one gets the number after it."""
    created_at: datetime
    updated_at: datetime
    """When a field of the session itself changed last."""
    last_activity: datetime
    """When the newest message came, or the session began, or was resumed or reopened."""
    expired_at: datetime | None
    archived_at: datetime | None
    held_at: datetime | None
    """Since when it is held: nothing automatic touches it."""
    forked_from: str | None
    """The session that this one was copied from, and the last message that was copied."""
    forked_at: int | None
    name: str | None
    """Unique within the user and the project."""
    parent_id: str | None
    """The session that this one belongs to, and is deleted with."""

    @property
    def is_open(self) -> bool:
        """Whether it takes messages."""
        return self.status in OPEN


class ForkedSession(Session):
    """A session that `fork` has just made. It equals the `Session` that is read later."""

    open_calls: tuple[ToolCall, ...]
    """The tool calls of its newest turn that have no result: most models refuse such a history."""

    def __eq__(self, other: object) -> bool:
        if type(other) is Session:
            return all(getattr(self, name) == getattr(other, name) for name in Session.model_fields)
        return super().__eq__(other)
