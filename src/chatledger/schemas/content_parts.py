"""Content as a list of parts, as OpenAI's and Anthropic's APIs take it: its text, and where it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.schemas.message_parts import REASONING, SOURCE_FORMAT, TOOL_CALLS, reasoning, tool_call

PARTS = "content"
"""Where a payload keeps the parts."""
ANTHROPIC = "anthropic"
"""What `source_format` says of parts that only Anthropic's API takes."""
_BLOCKS = ("tool_use", "tool_result", "thinking", "redacted_thinking")
# Parts that are images, audio and files: they have no text of their own.
_TEXTS = ("text", "input_text", "output_text")
_DEPTH = 8


def with_parts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a message whose content is a list of parts, with its text as content and the parts in the payload.

    Raises:
        InvalidInput: the payload is not an object, or has a content of its own.
    """
    parts, payload = list(fields["content"]), fields.get("payload")
    wrong = next((place for place, part in enumerate(parts) if not isinstance(part, str | Mapping)), None)
    if wrong is not None:
        raise InvalidInput(f"content.{wrong}", "must be text or a dict")
    if payload is None:
        payload = {}
    if not isinstance(payload, Mapping):
        raise InvalidInput("payload", "must be a dict if the content is a list of parts")
    if PARTS in payload:
        raise InvalidInput("payload", f"has {PARTS!r}, where the parts of the content are kept")
    kept: dict[str, Any] = {**_blocks(parts), **payload, PARTS: parts}
    return {**fields, "content": text_of_parts(parts), "payload": kept}


def without_parts(payload: Any) -> Any:
    """A payload without the parts that `with_parts` put into it, for a message that gets another content."""
    if not isinstance(payload, dict) or not isinstance(payload.get(PARTS), list):
        return payload
    gone = {PARTS, *(_blocks(payload[PARTS]) if payload.get(SOURCE_FORMAT) == ANTHROPIC else ())}
    return {name: value for name, value in payload.items() if name not in gone} or None


def parts_of(content: str, payload: Any) -> list[Any]:
    """The content of a message as a list of parts."""
    if isinstance(payload, dict) and isinstance(payload.get(PARTS), list):
        return list(payload[PARTS])
    return [{"type": "text", "text": content}] if content else []


def result_ids(payload: Any) -> list[str]:
    """The ids of the calls that the parts of a message answer, as Anthropic's API has them in a user's message."""
    parts = payload.get(PARTS) if isinstance(payload, dict) else None
    return [
        part["tool_use_id"]
        for part in (parts if isinstance(parts, list) else ())
        if isinstance(part, dict) and part.get("type") == "tool_result" and isinstance(part.get("tool_use_id"), str)
    ]


def text_of_parts(parts: Any) -> str:
    """The texts of parts, each on a line of its own. Reasoning, tool calls and media have none."""
    return "\n".join(_texts(parts, 0))


def _texts(parts: Any, depth: int) -> Iterator[str]:
    for part in parts if isinstance(parts, list) else [parts]:
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping):
            kind = part.get("type")
            if kind in _TEXTS and isinstance(part.get("text"), str):
                yield part["text"]
            elif kind == "refusal" and isinstance(part.get("refusal"), str):
                yield part["refusal"]
            elif kind == "tool_result" and depth < _DEPTH:
                yield from _texts(part.get("content", ""), depth + 1)


def _blocks(parts: list[Any]) -> dict[str, Any]:
    """What Anthropic's blocks say, in the form that messages have it."""
    blocks = [part for part in parts if isinstance(part, Mapping)]
    if not any(_is_of_anthropic(block) for block in blocks):
        return {}
    calls = [
        tool_call(block["name"], block.get("input"), id=_text(block.get("id")))
        for block in blocks
        if block.get("type") == "tool_use" and isinstance(block.get("name"), str)
    ]
    thoughts = [
        reasoning(block["thinking"], **({"signature": block["signature"]} if _text(block.get("signature")) else {}))
        for block in blocks
        if block.get("type") == "thinking" and isinstance(block.get("thinking"), str)
    ]
    found: dict[str, Any] = {SOURCE_FORMAT: ANTHROPIC}
    return found | ({TOOL_CALLS: calls} if calls else {}) | ({REASONING: thoughts} if thoughts else {})


def _is_of_anthropic(block: Mapping[str, Any]) -> bool:
    return block.get("type") in _BLOCKS or (block.get("type") in ("image", "document") and "source" in block)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
