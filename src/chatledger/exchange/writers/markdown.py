"""Exports to read as text.

What was said stands in quotes, as it was: a heading or an unclosed fence in it cannot be taken for the document's own,
and its Markdown is kept. Names and titles are escaped. Everything else is fenced, by more backticks than it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TextIO

from chatledger.exchange.writers.conversations import Conversations
from chatledger.exchange.writers.presentation import facts, pretty_json, take_apart, timestamp, usage_labels
from chatledger.schemas import Message, Session

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")
_LINE = re.compile(r"\r\n|\r|\n")
_RUN = re.compile(r"`+")


def write_markdown(out: TextIO, conversations: Conversations) -> None:
    """Write a heading for each session and, below it, one for each message."""
    for number, (session, messages) in enumerate(conversations):
        out.write("---\n\n" if number else "")
        out.write("".join(_session(session)))
        for message in messages:
            out.write("".join(_message(message)))


def _session(session: Session) -> Iterator[str]:
    yield f"# {inline(session.title or 'Untitled conversation')}\n\n"
    yield "".join(f"- {name}: {code(value)}\n" for name, value in facts(session)) + "\n"
    if session.system_prompt:
        yield f"## system prompt\n\n{quote(session.system_prompt)}\n\n"
    yield from _value("context", session.context or None)
    yield from _value("metadata", session.metadata or None)


def _message(message: Message) -> Iterator[str]:
    heading = [str(message.sequence_number), message.role.value]
    heading += [inline(message.name)] if message.name else []
    yield f"## {' · '.join([*heading, timestamp(message.created_at)])}\n\n"
    parts = take_apart(message)
    if parts.text:
        yield f"{quote(parts.text)}\n\n"
    if message.tool_call_id:
        yield f"answers {code(message.tool_call_id)}\n\n"
    for call in parts.calls:
        call_id = f" ({code(call.call_id)})" if call.call_id else ""
        yield f"calls {code(call.name)}{call_id}\n\n{fenced(call.arguments, 'json')}\n\n"
    yield from _value("payload", parts.payload)
    yield from _value("metadata", message.metadata or None)
    if usage := usage_labels(message):
        yield f"{inline(' · '.join(usage))}\n\n"


def _value(name: str, value: Any) -> Iterator[str]:
    if value is not None:
        yield f"{name}:\n\n{fenced(pretty_json(value), 'json')}\n\n"


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
