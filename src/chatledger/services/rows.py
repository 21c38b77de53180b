"""Between rows and what users hold: the columns that are read, in their order, and the way there and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json
from sqlalchemy import ColumnElement, Text, select, type_coerce

from chatledger.dialects.constructs import json_object, json_text
from chatledger.dialects.types import Whole, dollars, to_moment
from chatledger.errors import CorruptDatabase
from chatledger.models import Message as MessageRow
from chatledger.models import Session as SessionRow
from chatledger.models import SessionMetadata
from chatledger.models.base import table_of
from chatledger.schemas import Message, Session

messages = table_of(MessageRow)
sessions = table_of(SessionRow)
metadata = table_of(SessionMetadata)

_one_message = TypeAdapter(Message)
_many_messages = TypeAdapter(list[Message])
_one_session = TypeAdapter(Session)
_many_sessions = TypeAdapter(list[Session])


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
)
"""What is read of a session."""


def session_columns(session_id: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """`SESSION` for a statement about one session: each part of it carries the key, so that it stays on one shard."""
    return [_entries(session_id) if column.name == "metadata" else column for column in SESSION]


SESSION_FIELDS = ("title", "system_prompt", "context", "project_id", "model_id")
"""What a snapshot keeps of a session, beside its metadata and messages."""

_SESSION_NAMES = tuple(column.name for column in SESSION)


def to_messages(rows: Sequence[Sequence[Any]]) -> list[Message]:
    """Rows of `MESSAGE` as messages.

    Raises:
        CorruptDatabase: a stored value is not one that this package writes; names the message, not the value.
    """
    try:
        return _many_messages.validate_python([_message(row) for row in rows])
    except Exception:  # noqa: BLE001 - a damaged value may be of any type; the error holds it
        damaged = next(
            ((row[0], row[1]) for row in rows if not _is_readable(_one_message, _message, row)), (None, None)
        )
    raise CorruptDatabase(f"message {damaged[1]} of session {damaged[0]!r} is damaged: run `chatledger db check`")


def _message(row: Any) -> dict[str, Any]:
    (session_id, number, role, content, payload, extra, name, call, model, given, written, cached, reasoned,
     stored, stored_long, units, tier, used, took, cost, priced, priced_as, outcome, hidden, key, created, copied_from,
     copied_sequence) = row  # fmt: skip
    return {
        "session_id": session_id,
        "sequence_number": number,
        "role": role,
        "content": content,
        "payload": None if payload is None else from_json(payload),
        "metadata": {} if extra is None else from_json(extra),
        "name": name,
        "tool_call_id": call,
        "model_id": model,
        "input_tokens": given,
        "output_tokens": written,
        "cached_tokens": cached,
        "reasoning_tokens": reasoned,
        "cache_write_tokens": stored,
        "cache_write_1h_tokens": stored_long,
        "unpriced_units": units,
        "service_tier": tier,
        "tokens_used": used,
        "duration_ms": took,
        "cost": None if cost is None else dollars(cost),
        "priced_from": None if priced is None else to_moment(priced),
        "priced_as": priced_as,
        "outcome": outcome,
        "hidden": bool(hidden),
        "key": key,
        "created_at": to_moment(created),
        "copied_from": copied_from,
        "copied_sequence": copied_sequence,
    }


def to_sessions(rows: Sequence[Sequence[Any]]) -> list[Session]:
    """Rows of `SESSION` as sessions.

    Raises:
        CorruptDatabase: as `to_messages`.
    """
    try:
        return _many_sessions.validate_python([_session(row) for row in rows])
    except Exception:  # noqa: BLE001 - as above
        damaged = next((row[0] for row in rows if not _is_readable(_one_session, _session, row)), None)
    raise CorruptDatabase(f"session {damaged!r} is damaged: run `chatledger db check`")


def _is_readable(adapter: TypeAdapter[Any], values: Callable[[Any], dict[str, Any]], row: Sequence[Any]) -> bool:
    try:
        adapter.validate_python(values(row))
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def _session(row: Sequence[Any]) -> dict[str, Any]:
    values = dict(zip(_SESSION_NAMES, row, strict=True))
    values["context"] = from_json(values["context"])
    # Sorted here: an aggregate has no order of its own.
    values["metadata"] = {} if values["metadata"] is None else dict(sorted(from_json(values["metadata"]).items()))
    values["total_cost"] = dollars(values["total_cost"])
    for name in ("created_at", "updated_at", "last_activity", "expired_at", "archived_at", "held_at"):
        if values[name] is not None:
            values[name] = to_moment(values[name])
    return values


def from_row(session_id: str, number: int, row: dict[str, Any]) -> Message:
    """The message that a stored row will be read as."""
    return _one_message.validate_python(
        {
            **row,
            "session_id": session_id,
            "sequence_number": number,
            "payload": None if row["payload"] is None else from_json(row["payload"]),
            "metadata": {} if row["metadata"] is None else from_json(row["metadata"]),
            "hidden": bool(row["hidden"]),
        }
    )
