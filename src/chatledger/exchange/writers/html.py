"""Exports for reading in a browser: one HTML file that needs nothing else and runs nothing."""

from __future__ import annotations

from typing import TextIO

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
from chatledger.html.environment import template

_UNTITLED = "Untitled conversation"


def write_html(out: TextIO, conversations: Conversations) -> None:
    """Write a section for each session and a card for each message, one message at a time."""
    only = conversations.only
    page = template("conversations.html.jinja").generate(
        title="Conversations" if only is None else only.title or _UNTITLED,
        untitled=_UNTITLED,
        conversations=conversations,
        facts=facts,
        fenced_parts=fenced_parts,
        is_json_answer=is_json_answer,
        pretty_json=pretty_json,
        take_apart=take_apart,
        timestamp=timestamp,
        usage_labels=usage_labels,
        counted=_counted,
    )
    for text in page:
        out.write(text)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
