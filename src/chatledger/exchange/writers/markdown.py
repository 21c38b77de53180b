"""Exports to read as text.

What was said stands in quotes, as it was: a heading or an unclosed fence in it cannot be taken for the document's own,
and its Markdown is kept. Names and titles are escaped. Everything else is fenced, by more backticks than it holds.
"""

from __future__ import annotations

import re
from typing import Any, TextIO

from chatledger.exchange.report import ExportReport
from chatledger.exchange.writers.presentation import facts, figures, moment, pretty, shown
from chatledger.schemas import Message, Session

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")
_LINE = re.compile(r"\r\n|\r|\n")
_RUN = re.compile(r"`+")


class Markdown:
    """A heading for each session and, below it, for each message."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._sessions = 0

    def begin(self, only: Session | None) -> None:
        pass

    def open(self, session: Session) -> None:
        self._write("---\n\n" if self._sessions else "")
        self._sessions += 1
        self._write(f"# {inline(session.title or 'Untitled conversation')}\n\n")
        self._write("".join(f"- {name}: {code(value)}\n" for name, value in facts(session)) + "\n")
        if session.system_prompt:
            self._write(f"## system prompt\n\n{quote(session.system_prompt)}\n\n")
        for name, value in (("context", session.context), ("metadata", session.metadata)):
            if value:
                self._write(f"{name}:\n\n{fenced(pretty(value), 'json')}\n\n")

    def message(self, message: Message) -> None:
        said = [str(message.sequence_number), message.role.value]
        said += [inline(message.name)] if message.name else []
        self._write(f"## {' · '.join([*said, moment(message.created_at)])}\n\n")
        part = shown(message)
        if part.text:
            self._write(f"{quote(part.text)}\n\n")
        if message.tool_call_id:
            self._write(f"answers {code(message.tool_call_id)}\n\n")
        for call in part.calls:
            by_id = f" ({code(call.call_id)})" if call.call_id else ""
            self._write(f"calls {code(call.name)}{by_id}\n\n{fenced(call.arguments, 'json')}\n\n")
        self._value("payload", part.payload)
        self._value("metadata", message.metadata or None)
        if numbers := figures(message):
            self._write(f"{inline(' · '.join(numbers))}\n\n")

    def close(self) -> None:
        pass

    def end(self, report: ExportReport) -> None:
        pass

    def _value(self, name: str, value: Any) -> None:
        if value is not None:
            self._write(f"{name}:\n\n{fenced(pretty(value), 'json')}\n\n")

    def _write(self, text: str) -> None:
        self._out.write(text)


def quote(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in _LINE.split(text))


def fenced(text: str, language: str = "") -> str:
    """A block of code, whatever is in it."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def code(text: str) -> str:
    """Code within a line. Line ends become spaces."""
    text = _one_line(text)
    marks = "`" * (_longest_run(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{marks}{space}{text}{space}{marks}"


def inline(text: str) -> str:
    """Text within a line, with nothing in it that Markdown reads."""
    return _SPECIAL.sub(r"\\\1", _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _longest_run(text: str) -> int:
    return max((len(run) for run in _RUN.findall(text)), default=0)
