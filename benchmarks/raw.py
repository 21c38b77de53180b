"""What reads are measured against: the driver, driven by hand, on the same tables and columns.

The tables were migrated by chatledger, and the connection has the same pragmas. Raw also fills them, the quick way, to
have something to read. It reads into dataclasses with their JSON parsed, validates nothing, and leaves the times of
SQLite as text. (Appends are measured against a lean schema: `lean.py`.)
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.conversation import Turn
from chatledger.schemas import Message

CANDIDATES = 2001
"""Ranked by a search, newest first, as the ledger does it: one more than 2,000, which shows that there are more."""
DIGEST = bytes(range(16))

GIVEN = (
    "role", "content", "payload", "metadata", "name", "tool_call_id", "model_id", "input_tokens", "output_tokens",
    "cached_tokens", "reasoning_tokens", "tokens_used", "duration_ms", "cost", "outcome", "key", "created_at", "digest",
    "search_text",
)  # fmt: skip
"""The columns of a message that an append gives, beside the session and the number."""
READ = tuple(Message.model_fields)
"""The columns that are read of a message, on both sides."""
SESSION = (
    "session_id", "user_id", "project_id", "model_id", "title", "system_prompt", "status", "context", "message_count",
    "total_tokens", "total_duration_ms", "total_cost", "last_sequence", "created_at", "updated_at", "last_activity",
    "expired_at", "archived_at", "held_at", "forked_from", "forked_at", "name", "parent_id",
)  # fmt: skip

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
loads = json.loads


@dataclass(slots=True)
class RawMessage:
    """A message as a careful program without Pydantic would hold it."""

    session_id: str
    sequence_number: int
    role: str
    content: str
    payload: Any
    metadata: dict[str, Any]
    name: str | None
    tool_call_id: str | None
    model_id: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    cache_write_tokens: int | None
    cache_write_1h_tokens: int | None
    unpriced_units: int | None
    service_tier: str | None
    tokens_used: int | None
    duration_ms: int | None
    cost: int | None
    priced_from: Any
    priced_as: str | None
    outcome: str | None
    hidden: int | None
    key: str | None
    created_at: Any
    copied_from: str | None
    copied_sequence: int | None


@dataclass(slots=True)
class RawSession:
    """A session, likewise."""

    session_id: str
    user_id: str | None
    project_id: str | None
    model_id: str | None
    title: str | None
    system_prompt: str | None
    status: str
    context: dict[str, Any]
    message_count: int
    total_tokens: int
    total_duration_ms: int
    total_cost: int
    last_sequence: int
    created_at: Any
    updated_at: Any
    last_activity: Any
    expired_at: Any
    archived_at: Any
    held_at: Any
    forked_from: str | None
    forked_at: int | None
    name: str | None
    parent_id: str | None
    metadata: dict[str, Any]


@dataclass(frozen=True)
class RawQuery:
    """What to search for, as a hand-written search would be given it."""

    words: str
    """One word, or several in a row."""
    forms: tuple[str, ...] = ()
    """The other forms of the word."""
    is_rare: bool = False
    """Chooses the plan, where the database chooses a worse one."""


@dataclass(frozen=True)
class NewSession:
    """A session to fill a database with."""

    session_id: str
    user_id: str
    title: str
    created_at: Any
    label: str | None


class Raw(ABC):
    """A connection to one database, and the hand-written statements."""

    @abstractmethod
    def append_many(self, session_id: str, turns: Sequence[Turn]) -> None:
        """Many messages in one transaction, the quickest way that the driver has."""

    @abstractmethod
    def history(self, session_id: str) -> list[RawMessage]:
        """All messages of a session in their order."""

    @abstractmethod
    def sessions_of(self, user_id: str, limit: int) -> list[RawSession]:
        """The sessions of a user that were active last."""

    @abstractmethod
    def search(self, query: RawQuery, limit: int) -> list[tuple[Any, ...]]:
        """The best of the newest `CANDIDATES` messages that match: exact words before other forms, then the best of each
        session before the others. Each with session and number first, and a snippet made by the database at the end.
        """

    @abstractmethod
    def fill_sessions(self, sessions: Iterable[NewSession]) -> None:
        """Insert many sessions, to have a full table. Not measured."""

    @abstractmethod
    def settle(self) -> None:
        """Bring statistics and files into the state that they come to rest in. Not measured."""

    @abstractmethod
    def close(self) -> None: ...


def values(turn: Turn, created_at: Any) -> tuple[Any, ...]:
    """The columns of `GIVEN`."""
    get = turn.given.get
    payload = get("payload")
    return (
        turn.given["role"],
        turn.given["content"],
        None if payload is None else _dumps(payload),
        _dumps(turn.given["metadata"]),
        get("name"),
        get("tool_call_id"),
        get("model_id"),
        get("input_tokens"),
        get("output_tokens"),
        None,
        None,
        None,
        get("duration_ms"),
        None,
        None,
        None,
        created_at,
        DIGEST,
        turn.search_text,
    )
