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
    fields = vars(message)
    row: dict[str, Any] = fields.copy() if type(message) is NewMessage else {name: fields[name] for name in _NAMES}
    payload, metadata, outcome = row["payload"], row["metadata"], row["outcome"]
    row["role"] = row["role"].value
    row["payload"] = None if payload is None else encode_json(payload, "payload")
    row["metadata"] = encode_json(metadata, "metadata") if metadata else None
    row["outcome"] = None if outcome is None else outcome.value
    row["hidden"] = 1 if row["hidden"] else None
    row["created_at"] = created_at = row["created_at"] or now
    row["digest"] = message_digest(row, created_at)
    row["search_text"], row["search_extra"] = search_columns(
        row["role"], row["content"], row["payload"], row["name"], row["outcome"]
    )
    return row


_NAMES = tuple(NewMessage.model_fields)
