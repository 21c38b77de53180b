"""What appends are measured against: the driver, driven by hand, on a lean schema of its own.

It does for its user what an append of ours does: the next sequence number of the session, its counters by trigger, a
full-text index, one commit for each append, with the pragmas and the durability of a ledger. It keeps no digest, no
usage, no key and no price, validates nothing and returns a number. Both sides are handed the same dicts, and make their
rows of them while they are timed: JSON as text, and the time.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from benchmarks.conversation import Turn

COLUMNS = (
    "role", "content", "payload", "metadata", "name", "tool_call_id", "model_id", "input_tokens", "output_tokens",
    "duration_ms", "created_at",
)  # fmt: skip
"""Of a message, beside its session and number."""

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class Counted(NamedTuple):
    """What a session has, to tell after a run whether it has what was appended."""

    messages: int
    highest: int
    """The highest number, which is the number of messages where there is no gap."""
    counter: int
    """What the trigger counted."""
    found: int
    """Messages that full text finds for a word that is in most of them: none would mean no index."""


class Lean(ABC):
    """A connection to a lean database."""

    @abstractmethod
    def create(self, session_ids: Iterable[str]) -> None:
        """Make the tables, if there are none, and sessions."""

    @abstractmethod
    def append(self, session_id: str, turn: Turn) -> int:
        """One message in a transaction of its own; its number."""

    @abstractmethod
    def append_many(self, session_id: str, turns: Sequence[Turn]) -> None:
        """Many messages in one transaction, the quickest way that the driver has."""

    @abstractmethod
    def counted(self, session_id: str, word: str) -> Counted:
        """What there is. Not measured."""

    @abstractmethod
    def close(self) -> None: ...


def row(turn: Turn) -> tuple[Any, ...]:
    """The columns of `COLUMNS` but the time."""
    given = turn.given
    get = given.get
    payload = get("payload")
    return (
        given["role"],
        given["content"],
        None if payload is None else _dumps(payload),
        _dumps(given["metadata"]),
        get("name"),
        get("tool_call_id"),
        get("model_id"),
        get("input_tokens"),
        get("output_tokens"),
        get("duration_ms"),
    )


def now() -> datetime:
    """The time of a message."""
    return datetime.now(UTC)
