"""Between rows and what users hold: the columns that are read, in their order, and the way there and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic_core import from_json
from sqlalchemy import ColumnElement, Text, select, type_coerce

from chatledger.dialects.constructs import json_object, json_text
from chatledger.dialects.types import Whole
from chatledger.enums import Outcome, Role
from chatledger.errors import CorruptDatabase
from chatledger.models import tables
from chatledger.schemas import Message, Session
from chatledger.services.loading import Loader, built

messages = tables.messages
sessions = tables.sessions
metadata = tables.session_metadata


def _plain(column: ColumnElement[Any]) -> ColumnElement[str]:
    """A column of words or JSON as text: Pydantic reads it faster than a type decorator does."""
    return type_coerce(column, Text)


MESSAGE = (
    messages.c.session_id,
    messages.c.sequence_number,
    _plain(messages.c.role).label("role"),
    messages.c.content,
    json_text(messages.c.payload).label("payload"),
    json_text(messages.c.metadata).label("metadata"),
    messages.c.name,
    messages.c.tool_call_id,
    messages.c.model_id,
    messages.c.input_tokens,
    messages.c.output_tokens,
    messages.c.cached_tokens,
    messages.c.reasoning_tokens,
    messages.c.cache_write_tokens,
    messages.c.cache_write_1h_tokens,
    messages.c.unpriced_units,
    messages.c.service_tier,
    messages.c.tokens_used,
    messages.c.duration_ms,
    type_coerce(messages.c.cost, Whole).label("cost"),
    messages.c.priced_from,
    messages.c.priced_as,
    _plain(messages.c.outcome).label("outcome"),
    type_coerce(messages.c.hidden, Whole).label("hidden"),
    messages.c.key,
    messages.c.created_at,
    messages.c.copied_from,
    messages.c.copied_sequence,
)
"""What is read of a message."""


def _entries(session_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """The metadata of a session as one JSON object."""
    entries = select(json_object(metadata.c.key, metadata.c.value)).where(metadata.c.session_id == session_id)
    return entries.correlate(sessions).scalar_subquery().label("metadata")


SESSION = (
    sessions.c.session_id,
    sessions.c.user_id,
    sessions.c.project_id,
    sessions.c.model_id,
    sessions.c.title,
    sessions.c.system_prompt,
    _plain(sessions.c.status).label("status"),
    json_text(sessions.c.context).label("context"),
    _entries(sessions.c.session_id),
    sessions.c.message_count,
    sessions.c.total_tokens,
    sessions.c.total_duration_ms,
    type_coerce(sessions.c.total_cost, Whole).label("total_cost"),
    sessions.c.last_sequence,
    sessions.c.created_at,
    sessions.c.updated_at,
    sessions.c.last_activity,
    sessions.c.expired_at,
    sessions.c.archived_at,
    sessions.c.held_at,
    sessions.c.forked_from,
    sessions.c.forked_at,
    sessions.c.name,
    sessions.c.parent_id,
)
"""What is read of a session."""


def session_columns(session_id: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """`SESSION` for a statement about one session: each part of it carries the key, so that it stays on one shard."""
    return [_entries(session_id) if column.name == "metadata" else column for column in SESSION]


SESSION_FIELDS = ("title", "system_prompt", "context", "project_id", "model_id")
"""What a snapshot keeps of a session, beside its metadata and messages."""

_MESSAGES = Loader(Message, MESSAGE, dict(messages.c))
_SESSIONS = Loader(Session, SESSION, dict(sessions.c))


def to_messages(rows: Sequence[Sequence[Any]]) -> list[Message]:
    """Rows of `MESSAGE` as messages.

    Raises:
        CorruptDatabase: a stored value is not one that this package writes; names the message, not the value.
    """
    found = _MESSAGES.load(rows)
    if found is None:
        session_id, number, *_ = _MESSAGES.first_damaged(rows)
        raise CorruptDatabase(f"message {number} of session {session_id!r} is damaged: run `chatledger db check`")
    return found


def to_sessions(rows: Sequence[Sequence[Any]]) -> list[Session]:
    """Rows of `SESSION` as sessions.

    Raises:
        CorruptDatabase: as `to_messages`.
    """
    found = _SESSIONS.load(rows)
    if found is None:
        session_id, *_ = _SESSIONS.first_damaged(rows)
        raise CorruptDatabase(f"session {session_id!r} is damaged: run `chatledger db check`")
    return found


def from_row(session_id: str, number: int, row: dict[str, Any]) -> Message:
    """The message that a row in stored form, of a valid message, will be read as."""
    return built(Message, (_fields(row, session_id, number),))[0]


def from_rows(rows: Iterable[dict[str, Any]]) -> list[Message]:
    """The same for rows that have the session and the number."""
    return built(Message, [_fields(row, row["session_id"], row["sequence_number"]) for row in rows])


_ROLES = {role.value: role for role in Role}
_OUTCOMES: dict[str | None, Outcome | None] = {None: None, **{outcome.value: outcome for outcome in Outcome}}


def _fields(row: dict[str, Any], session_id: str, number: int) -> dict[str, Any]:
    payload, metadata, get = row["payload"], row["metadata"], row.get
    # In the order of the fields. JSON is parsed again: what the caller gave may change later, and may read otherwise (a
    # tuple as a list).
    return {
        "session_id": session_id,
        "sequence_number": number,
        "role": _ROLES[row["role"]],
        "content": row["content"],
        "payload": None if payload is None else from_json(payload),
        "metadata": {} if metadata is None else from_json(metadata),
        "name": row["name"],
        "tool_call_id": row["tool_call_id"],
        "model_id": row["model_id"],
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cached_tokens": row["cached_tokens"],
        "reasoning_tokens": row["reasoning_tokens"],
        "cache_write_tokens": row["cache_write_tokens"],
        "cache_write_1h_tokens": row["cache_write_1h_tokens"],
        "unpriced_units": row["unpriced_units"],
        "service_tier": row["service_tier"],
        "tokens_used": row["tokens_used"],
        "duration_ms": row["duration_ms"],
        "cost": row["cost"],
        "priced_from": get("priced_from"),
        "priced_as": get("priced_as"),
        "outcome": _OUTCOMES[row["outcome"]],
        "hidden": bool(row["hidden"]),
        "key": row["key"],
        "created_at": row["created_at"],
        "copied_from": get("copied_from"),
        "copied_sequence": get("copied_sequence"),
    }
