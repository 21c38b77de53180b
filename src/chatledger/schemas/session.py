"""Sessions as users hold them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

from chatledger.enums import OPEN, Status
from chatledger.schemas.fields import Amount, Record


class Keep(Enum):
    """What stands for an argument that was not given, where None means to clear."""

    KEEP = "keep"

    def __repr__(self) -> str:
        return self.name


KEEP = Keep.KEEP


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
