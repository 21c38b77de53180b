"""What people are shown of a message, whatever the form: text in parts, tool calls, figures, the rest as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chatledger.enums import Role
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
class Shown:
    """A message taken apart."""

    text: str
    calls: tuple[Call, ...]
    #: What of the payload the rest does not show, or None.
    payload: Any


def shown(message: Message) -> Shown:
    """A message taken apart. Nothing of its content or payload is left out."""
    payload = message.payload
    if not isinstance(payload, dict):
        return Shown(message.content, (), payload)
    rest = dict(payload)
    if rest.get("content", "") is None:
        del rest["content"]  # the text, which is empty, says it
    calls = [_call(item) for item in rest["tool_calls"]] if isinstance(rest.get("tool_calls"), list) else []
    if calls and None not in calls:
        del rest["tool_calls"]
        return Shown(message.content, tuple(call for call in calls if call), rest or None)
    single = _called(rest.get("function_call"), None)
    if single is None:
        return Shown(message.content, (), rest or None)
    # ShareGPT's calls are the text itself.
    text = "" if _parsed(message.content) == rest.pop("function_call") else message.content
    if rest.get("from") == "function_call":
        del rest["from"]
    return Shown(text, (single,), rest or None)


def parts(text: str) -> Iterator[tuple[bool, str]]:
    """A text in its order as prose and fenced code: whether it is code, and the lines without the fence."""
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


def is_data(message: Message) -> bool:
    """Whether the text is what a program answered, in JSON."""
    text = message.content.strip()
    return message.role is Role.TOOL and text[:1] + text[-1:] in ("{}", "[]")


def pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def figures(message: Message) -> list[str]:
    """What a message cost, in words."""
    counts = (
        (message.input_tokens, "tokens in"),
        (message.output_tokens, "tokens out"),
        (message.cached_tokens, "cached"),
        (message.reasoning_tokens, "reasoning"),
        (message.tokens_used, "tokens"),
        (message.duration_ms, "ms"),
    )
    said = [message.model_id] if message.model_id else []
    said += [f"{count:,} {unit}" for count, unit in counts if count is not None]
    return said + ([dollars(message.cost)] if message.cost is not None else [])


def facts(session: Session) -> list[tuple[str, str]]:
    """What a session says of itself, beside its title, context and metadata."""
    said = [
        ("session", session.session_id),
        ("user", session.user_id),
        ("project", session.project_id),
        ("model", session.model_id),
        ("status", session.status.value),
        ("created", moment(session.created_at)),
        ("last activity", moment(session.last_activity)),
        ("messages", f"{session.message_count:,}"),
        ("tokens", f"{session.total_tokens:,}" if session.total_tokens else None),
        ("cost", dollars(session.total_cost) if session.total_cost else None),
        ("forked from", f"{session.forked_from}, message {session.forked_at}" if session.forked_from else None),
    ]
    return [(name, value) for name, value in said if value]


def dollars(amount: Any) -> str:
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
    return Call(name, _indented(arguments) if isinstance(arguments, str) else pretty(arguments), call_id)


def _indented(text: str) -> str:
    """JSON with line ends; what is none, or says what cannot be written as text (a lone surrogate), as it is."""
    try:
        readable = pretty(json.loads(text))
        readable.encode()
    except (ValueError, RecursionError):
        return text
    return readable


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
