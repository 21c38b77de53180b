"""What exports for reading show of a session and of a message, in Markdown and HTML alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chatledger.enums import Role
from chatledger.exchange.readers.openai import repeats_call
from chatledger.schemas import Message, Session

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})\s*([^`\s]*)[^`]*$")
_CALL_KEYS = {"id", "type", "index", "function"}


@dataclass(frozen=True)
class Call:
    """A tool that was called."""

    name: str
    arguments: str
    call_id: str | None


@dataclass(frozen=True)
class MessageParts:
    """The text of a message, its tool calls, and the rest of its payload."""

    text: str
    calls: tuple[Call, ...]
    payload: Any
    """What text and calls do not show of the payload, or None."""
    reasoning: tuple[str, ...] = ()


def take_apart(message: Message) -> MessageParts:
    """Take a message apart. Nothing of its content or payload is left out."""
    payload = message.payload
    if not isinstance(payload, dict):
        return MessageParts(message.content, (), payload)
    rest, text = dict(payload), message.content
    if rest.get("content", "") is None:
        del rest["content"]  # the text, which is empty, says it
    thoughts = message.reasoning
    if thoughts and len(thoughts) == len(rest["reasoning"]):
        del rest["reasoning"]
        # Signatures and the like stay in the payload, without the text.
        if any(thought.details.keys() - {"field"} for thought in thoughts):
            rest["reasoning"] = [thought.details for thought in thoughts]
    else:
        thoughts = ()
    reasoning = tuple(thought.text for thought in thoughts if thought.text)
    found = [_call(item) for item in rest["tool_calls"]] if isinstance(rest.get("tool_calls"), list) else []
    calls = tuple(call for call in found if call)
    if not calls or None in found:
        return MessageParts(text, (), rest or None, reasoning)
    del rest["tool_calls"]
    if repeats_call(message):
        text = ""
        if rest.get("from") == "function_call":
            del rest["from"]
    if _called(rest.get("function_call"), None) in calls:
        del rest["function_call"]  # the same, in OpenAI's older form
    return MessageParts(text, calls, rest or None, reasoning)


def fenced_parts(text: str) -> Iterator[tuple[bool, str]]:
    """Split Markdown at its code fences: yield whether a part is code, and its lines without the fence."""
    if "```" not in text and "~~~" not in text:
        yield False, text
        return
    lines: list[str] = []
    fence: str | None = None
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        opens = fence is None and mark is not None
        closes = fence is not None and mark is not None and mark[1].startswith(fence) and not mark[2]
        if not opens and not closes:
            lines.append(line)
            continue
        if lines:
            yield closes, "\n".join(lines)
        lines, fence = [], mark[1] if opens and mark else None
    if lines:
        yield fence is not None, "\n".join(lines)


def is_json_answer(message: Message) -> bool:
    """Whether the message is the answer of a tool, in JSON."""
    text = message.content.strip()
    return message.role is Role.TOOL and text[:1] + text[-1:] in ("{}", "[]")


def pretty_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def timestamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(" ", "seconds")[:19] + " UTC"


def usage_labels(message: Message) -> list[str]:
    """Label the model, tokens, duration and cost of a message."""
    counts = (
        (message.input_tokens, "tokens in"),
        (message.output_tokens, "tokens out"),
        (message.cached_tokens, "cached"),
        (message.cache_write_tokens, "written to the cache"),
        (message.reasoning_tokens, "reasoning"),
        (message.tokens_used, "tokens"),
        (message.duration_ms, "ms"),
    )
    labels = [message.model_id] if message.model_id else []
    labels += [f"{count:,} {unit}" for count, unit in counts if count is not None]
    return labels + ([exact_dollars(message.cost)] if message.cost is not None else [])


def facts(session: Session) -> list[tuple[str, str]]:
    """Return names and values of a session, without its title, context and metadata."""
    values = [
        ("session", session.session_id),
        ("name", session.name),
        ("parent", session.parent_id),
        ("user", session.user_id),
        ("project", session.project_id),
        ("model", session.model_id),
        ("status", session.status.value),
        ("created", timestamp(session.created_at)),
        ("last activity", timestamp(session.last_activity)),
        ("messages", f"{session.message_count:,}"),
        ("tokens", f"{session.total_tokens:,}" if session.total_tokens else None),
        ("cost", exact_dollars(session.total_cost) if session.total_cost else None),
        ("forked from", f"{session.forked_from}, message {session.forked_at}" if session.forked_from else None),
    ]
    return [(name, value) for name, value in values if value]


def exact_dollars(amount: Any) -> str:
    text = format(amount, "f")
    whole, _, cents = text.partition(".")
    return f"${whole}.{cents.rstrip('0').ljust(2, '0')}"


def _call(item: Any) -> Call | None:
    """A call as OpenAI writes it, when it holds nothing else."""
    if not isinstance(item, dict) or not item.keys() <= _CALL_KEYS or item.get("type", "function") != "function":
        return None
    return _called(item.get("function"), item.get("id"))


def _called(function: Any, call_id: Any) -> Call | None:
    if not isinstance(function, dict) or not function.keys() <= {"name", "arguments"}:
        return None
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not isinstance(call_id, str | None):
        return None
    return Call(name, _indented(arguments) if isinstance(arguments, str) else pretty_json(arguments), call_id)


def _indented(text: str) -> str:
    """JSON with line ends; what is none, or says what cannot be written as text (a lone surrogate), as it is."""
    try:
        readable = pretty_json(json.loads(text))
        readable.encode()
    except (ValueError, RecursionError):
        return text
    return readable
