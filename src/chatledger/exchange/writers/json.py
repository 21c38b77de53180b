"""Exports for programs: JSON Lines, which `ledger_lines` reads back, and one JSON document.

Money is a decimal string, times are ISO 8601 with their offset, JSON is as it was given.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TextIO

from chatledger.exchange.readers.ledger_lines import NAME, VERSION
from chatledger.exchange.report import ExportReport
from chatledger.schemas import Message, Session

_SESSION = tuple(Session.model_fields)
_MESSAGE = tuple(Message.model_fields)


class JsonLines:
    """A header line, then for each session its line and the lines of its messages."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def begin(self, only: Session | None) -> None:  # noqa: ARG002 - the title is for readers
        self._line({"type": "header", "format": NAME, "version": VERSION, "exported_at": datetime.now(UTC)})

    def open(self, session: Session) -> None:
        self._line({"type": "session", **session_fields(session)})

    def message(self, message: Message) -> None:
        self._line({"type": "message", **message_fields(message)})

    def close(self) -> None:
        pass

    def end(self, report: ExportReport) -> None:
        pass

    def _line(self, value: dict[str, Any]) -> None:
        self._out.write(to_json(value) + "\n")


class JsonDocument:
    """An array of sessions, each with its `messages`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._sessions = self._messages = 0

    def begin(self, only: Session | None) -> None:  # noqa: ARG002
        self._out.write("[")

    def open(self, session: Session) -> None:
        head = to_json(session_fields(session)).removesuffix("}")
        self._out.write(f'{"," if self._sessions else ""}\n{head},"messages":[')
        self._sessions += 1
        self._messages = 0

    def message(self, message: Message) -> None:
        self._out.write(f"{',' if self._messages else ''}\n  {to_json(message_fields(message))}")
        self._messages += 1

    def close(self) -> None:
        self._out.write("]}")

    def end(self, report: ExportReport) -> None:
        self._out.write("\n]\n" if report.sessions else "]\n")


def session_fields(session: Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in _SESSION}


def message_fields(message: Message) -> dict[str, Any]:
    """A message's fields; those without a value are left out."""
    return {
        name: value
        for name in _MESSAGE
        if (value := getattr(message, name)) is not None and (value != {} or name == "payload")
    }


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no JSON form")


to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode
