"""A message in the form in which it is stored: JSON columns as their text, words as their values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.dialects.encoding import encode_json
from chatledger.full_text.parts import search_columns
from chatledger.schemas.digest import message_digest
from chatledger.schemas.message import NewMessage


def to_row(message: NewMessage, now: datetime) -> dict[str, Any]:
    """A message to append in stored form, with its digest and what full text needs. The session and number are missing.

    Raises:
        InvalidInput: payload or metadata cannot be stored as JSON.
    """
    created_at = message.created_at or now
    row: dict[str, Any] = {
        "role": message.role.value,
        "content": message.content,
        "payload": None if message.payload is None else encode_json(message.payload, "payload"),
        "metadata": encode_json(message.metadata, "metadata") if message.metadata else None,
        "name": message.name,
        "tool_call_id": message.tool_call_id,
        "model_id": message.model_id,
        "input_tokens": message.input_tokens,
        "output_tokens": message.output_tokens,
        "cached_tokens": message.cached_tokens,
        "reasoning_tokens": message.reasoning_tokens,
        "cache_write_tokens": message.cache_write_tokens,
        "cache_write_1h_tokens": message.cache_write_1h_tokens,
        "unpriced_units": message.unpriced_units,
        "service_tier": message.service_tier,
        "tokens_used": message.tokens_used,
        "duration_ms": message.duration_ms,
        "cost": message.cost,
        "outcome": None if message.outcome is None else message.outcome.value,
        "hidden": 1 if message.hidden else None,
        "key": message.key,
        "created_at": created_at,
    }
    row["digest"] = message_digest(row, created_at)
    row["search_text"], row["search_extra"] = search_columns(
        row["role"], row["content"], row["payload"], row["name"], row["outcome"]
    )
    return row
