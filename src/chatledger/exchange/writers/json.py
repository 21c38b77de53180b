"""Exports for programs: JSON Lines, which `ledger_lines` reads back, and one JSON document.

Money is a decimal string, times are ISO 8601 with their offset, JSON is as it was given.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TextIO

from chatledger.exchange.readers.ledger_lines import NAME, VERSION
from chatledger.exchange.writers.conversations import Conversations
from chatledger.schemas import Message, Session, StateEntry

_SESSION = tuple(Session.model_fields)
_MESSAGE = tuple(Message.model_fields)


def write_json_lines(out: TextIO, conversations: Conversations) -> None:
    """Write a header line, then for each session its line and the lines of its messages and state, and last the state
    of users and projects.
    """

    def line(value: dict[str, Any]) -> None:
        out.write(to_json(value) + "\n")

    line({"type": "header", "format": NAME, "version": VERSION, "exported_at": datetime.now(UTC)})
    for session, messages in conversations:
        line({"type": "session", **session_fields(session)})
        for message in messages:
            line({"type": "message", **message_fields(message)})
        for entry in conversations.state_of(session):
            line(_state(entry))
    for entry in conversations.state:
        line(_state(entry))


def write_json(out: TextIO, conversations: Conversations) -> None:
    """Write an array of sessions, each with its `messages`."""
    out.write("[")
    for session_number, (session, messages) in enumerate(conversations):
        head = to_json(session_fields(session)).removesuffix("}")
        out.write(f'{"," if session_number else ""}\n{head},"messages":[')
        for message_number, message in enumerate(messages):
            out.write(f"{',' if message_number else ''}\n  {to_json(message_fields(message))}")
        out.write("]}")
    out.write("\n]\n" if conversations.sessions else "]\n")


def _state(entry: StateEntry) -> dict[str, Any]:
    return {"type": "state", f"{entry.scope.value}_id": entry.scope_id, "key": entry.key, "value": entry.value}


def session_fields(session: Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in _SESSION}


def message_fields(message: Message) -> dict[str, Any]:
    """A message's fields; those without a value are left out."""
    return {
        name: value
        for name in _MESSAGE
        if (value := getattr(message, name)) is not None and (name == "payload" or (value != {} and value is not False))
    }


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode
