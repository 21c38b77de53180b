"""Anthropic's messages, whose content is text or a list of blocks; Claude's exports have the same blocks."""

from __future__ import annotations

from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.codecs.turns import Fields, Turns
from chatledger.enums import Role
from chatledger.schemas.message_parts import reasoning, tool_call, tool_result

_TEXT = {"type", "text"}
_THINKING = {"type", "thinking", "signature"}
_CALL = {"type", "id", "name", "input"}
_RESULT = {"type", "tool_use_id", "content", "is_error"}


def has_blocks(content: Any) -> bool:
    """Whether a content has blocks that no other notation has."""
    return isinstance(content, list) and any(
        isinstance(block, dict) and _kind(block).endswith(("tool_use", "tool_result", "thinking")) for block in content
    )


def messages_of(role: Role, content: Any, source_format: str = "anthropic") -> list[Fields]:
    """The messages that one message of the API becomes. Raises InvalidInput if its tools cannot be read."""
    turns = Turns(role, source_format)
    for block in content if isinstance(content, list) else [content]:
        _read(turns, block)
    return turns.messages()


def _read(turns: Turns, block: Any) -> None:
    if isinstance(block, str):
        turns.text(block, block)
        return
    if not isinstance(block, dict):
        turns.other(block)
        return
    kind, keys = _kind(block), block.keys()
    if kind == "text" and isinstance(block.get("text"), str):
        turns.text(block["text"], block, plain=keys <= _TEXT)
    elif kind in ("thinking", "redacted_thinking"):
        details = {name: block[name] for name in ("signature", "data") if block.get(name) is not None}
        entry = reasoning(text_in(block.get("thinking")), **details)
        turns.thought(entry, block, plain=keys <= _THINKING and isinstance(block.get("thinking"), str))
    elif kind.endswith("tool_use") and isinstance(block.get("name"), str):
        entry = tool_call(block["name"], block.get("input"), id=_text(block.get("id")))
        turns.call(entry, block, plain=keys <= _CALL and kind == "tool_use")
    elif kind.endswith("tool_result"):
        content = block.get("content")
        fields = tool_result(
            text_in(content),
            tool_call_id=_text(block.get("tool_use_id")),
            name=_text(block.get("name")),
            is_error=block.get("is_error") is True,
        )
        turns.result(fields, block, plain=keys <= _RESULT and kind == "tool_result" and isinstance(content, str))
    elif kind == "document" and (text := text_in([block.get("title"), _source_text(block.get("source"))])):
        turns.text(text, block, plain=False)
    elif kind in ("image", "document") or not (text := text_in([block.get("text"), block.get("content")])):
        turns.other(block)
    else:
        turns.text(text, block, plain=False)


def _source_text(source: Any) -> Any:
    if not isinstance(source, dict):
        return None
    return source.get("data") if source.get("type") == "text" else source.get("content")


def _kind(block: dict[str, Any]) -> str:
    kind = block.get("type")
    return kind if isinstance(kind, str) else ""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
