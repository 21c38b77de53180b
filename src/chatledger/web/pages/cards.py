"""What a page shows of a message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from markupsafe import Markup

from chatledger.enums import Role
from chatledger.exchange.writers.presentation import is_json_answer, pretty_json, take_apart, timestamp, usage_labels
from chatledger.schemas import Message
from chatledger.web.pages.prose import code, prose

# Characters of the line that stands for what is folded.
_SUMMARY = 120
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
_MEDIA = re.compile(r"image/(?:png|jpeg|gif|webp)")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")


class Folded(NamedTuple):
    """A part that opens on a click."""

    label: str
    summary: str
    content: Markup | str


class Card(NamedTuple):
    """A message."""

    number: int
    role: str
    hidden: bool
    name: str | None
    machine_time: str
    time: str
    outcome: str | None
    thoughts: list[Folded]
    text: Markup | None
    images: list[str]
    folded: list[Folded]
    usage: str


def card(message: Message) -> Card:
    """Everything of a message that the page shows: its text open, results, calls and the rest folded."""
    parts = take_apart(message)
    folded: list[Folded] = []
    text: Markup | None = None
    if message.role is Role.TOOL:
        shown = code(parts.text, "json") if is_json_answer(message) else parts.text
        folded.append(Folded(message.name or "result", _line(parts.text), shown))
    elif parts.text:
        text = prose(parts.text)
    folded += [
        Folded(f"calls {call.name}", _line(call.arguments), code(call.arguments, "json")) for call in parts.calls
    ]
    images = list(_images(parts.payload))
    if parts.payload is not None and not images:
        folded.append(Folded("payload", "", code(pretty_json(parts.payload), "json")))
    if message.metadata:
        folded.append(Folded("metadata", "", code(pretty_json(message.metadata), "json")))
    return Card(
        number=message.sequence_number,
        role=message.role.value,
        hidden=message.hidden,
        name=message.name if message.role is not Role.TOOL else None,
        machine_time=message.created_at.isoformat(),
        time=timestamp(message.created_at),
        outcome=None if message.outcome is None else message.outcome.value,
        thoughts=[Folded("reasoning", _line(thought), prose(thought)) for thought in parts.reasoning],
        text=text,
        images=images,
        folded=folded,
        usage=" · ".join(usage_labels(message)),
    )


def _line(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: 4 * _SUMMARY].split())
    return line if len(line) <= _SUMMARY else f"{line[: _SUMMARY - 1]}…"


def _images(payload: Any) -> Iterator[str]:
    """The images whose data are in a payload, in the forms of OpenAI's and Anthropic's parts."""
    parts = payload.get("content") if isinstance(payload, dict) else None
    for part in parts if isinstance(parts, list) else []:
        if not isinstance(part, dict):
            continue
        url: Any = part.get("image_url")
        url = url.get("url") if isinstance(url, dict) else url
        source: Any = part.get("source")
        if isinstance(source, dict) and source.get("type") == "base64":
            media, data = source.get("media_type"), source.get("data")
            if isinstance(media, str) and isinstance(data, str) and _MEDIA.fullmatch(media) and _BASE64.fullmatch(data):
                url = f"data:{media};base64,{''.join(data.split())}"
        if isinstance(url, str) and _IMAGE.fullmatch(url):
            yield url
