"""Exports for reading in a browser: one HTML file that needs nothing else and runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TextIO

from chatledger.exchange.writers.conversations import Conversations
from chatledger.exchange.writers.presentation import (
    facts,
    fenced_parts,
    is_json_answer,
    pretty_json,
    take_apart,
    timestamp,
    usage_labels,
)
from chatledger.html.environment import generate
from chatledger.schemas import Message, Session

_UNTITLED = "Untitled conversation"


class Block(NamedTuple):
    """A part of a message or a session: prose or code, under a label, a call under its tool's name, or a label alone."""

    kind: str
    """prose, code, call or answer."""
    text: str
    label: str | None = None
    call_id: str | None = None


class Card(NamedTuple):
    """Everything that the page shows of a message, so that the template only loops and prints."""

    anchor: str | None
    """None: a system prompt of the session, which has no number and no time."""
    role: str
    heading: str
    name: str | None
    number: int
    machine_time: str
    time: str
    blocks: list[Block]
    usage: str


class Section(NamedTuple):
    """A session: its heading, its facts, what is folded, and its messages, which are read while the page is written."""

    title: str
    facts: list[tuple[str, str]]
    system_prompt: list[Card]
    folded: list[tuple[str, str]]
    cards: Iterator[Card]


def write_html(out: TextIO, conversations: Conversations) -> None:
    """Write a section for each session and a card for each message, some messages at a time."""
    only = conversations.only
    page = generate(
        "conversations.html.jinja",
        title="Conversations" if only is None else only.title or _UNTITLED,
        sections=(_section(number, *each) for number, each in enumerate(conversations, 1)),
        totals=lambda: (
            f"{_counted(conversations.sessions, 'conversation')}, {_counted(conversations.messages, 'message')}"
        ),
    )
    for text in page:
        out.write(text)


def _section(number: int, session: Session, messages: Iterable[Message]) -> Section:
    folded = (("context", session.context), ("metadata", session.metadata))
    return Section(
        title=session.title or _UNTITLED,
        facts=facts(session),
        system_prompt=[_system_prompt(session.system_prompt)] if session.system_prompt else [],
        folded=[(name, pretty_json(value)) for name, value in folded if value],
        cards=(_card(message, f"s{number}m{message.sequence_number}") for message in messages),
    )


def _card(message: Message, anchor: str) -> Card:
    parts = take_apart(message)
    blocks = []
    if message.tool_call_id:
        blocks.append(Block("answer", message.tool_call_id))
    blocks += [Block("code", thought, "reasoning") for thought in parts.reasoning]
    if parts.text:
        blocks += [Block("code", parts.text)] if is_json_answer(message) else _prose(parts.text)
    blocks += [Block("call", call.arguments, call.name, call.call_id) for call in parts.calls]
    if parts.payload is not None:
        blocks.append(Block("code", pretty_json(parts.payload), "payload"))
    if message.metadata:
        blocks.append(Block("code", pretty_json(message.metadata), "metadata"))
    return Card(
        anchor=anchor,
        role=message.role.value,
        heading=f"{message.role.value} (hidden)" if message.hidden else message.role.value,
        name=message.name,
        number=message.sequence_number,
        machine_time=message.created_at.isoformat(),
        time=timestamp(message.created_at),
        blocks=blocks,
        usage=" · ".join(usage_labels(message)),
    )


def _system_prompt(text: str) -> Card:
    return Card(None, "system", "system prompt", None, 0, "", "", _prose(text), "")


def _prose(text: str) -> list[Block]:
    """Fenced code as code; other text with its line ends, each part in its own direction."""
    return [
        Block("code", part) if is_code else Block("prose", part.strip("\n"))
        for is_code, part in fenced_parts(text)
        if part.strip()
    ]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
