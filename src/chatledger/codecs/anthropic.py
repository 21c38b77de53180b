"""Anthropic's messages, whose content is text or a list of blocks; Claude's exports have the same blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.codecs.turns import Fields, Turns
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.schemas.content_parts import ANTHROPIC, PARTS
from chatledger.schemas.message import Message
from chatledger.schemas.message_parts import SOURCE_FORMAT, Reasoning, ToolCall, reasoning, tool_call, tool_result

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


def read(item: Any) -> list[Fields]:
    """The messages that a message of the API becomes, as fields of `NewMessage`.

    Raises:
        InvalidInput: not a dict, or a role that the API does not have.
    """
    if not isinstance(item, Mapping):
        raise InvalidInput("message", "is not an object")
    try:
        role = Role(str(item.get("role")))
    except ValueError:
        raise InvalidInput("message.role", "is not one of user, assistant, system") from None
    content = item.get("content", "")
    return messages_of(role, "" if content is None else content)


def write(message: Message) -> dict[str, Any]:
    """A message as the API takes it."""
    if message.role is Role.TOOL:
        return {"role": "user", "content": [_result(message)]}
    role = message.role.value if message.role in (Role.USER, Role.ASSISTANT) else "system"
    payload = message.payload if isinstance(message.payload, dict) else {}
    if isinstance(payload.get(PARTS), list):
        own = payload.get(SOURCE_FORMAT) == ANTHROPIC
        blocks = payload[PARTS] if own else [block for part in payload[PARTS] for block in _block(part)]
        if not own:
            blocks = [*blocks, *map(_call, message.tool_calls)]
        return {"role": role, "content": blocks}
    blocks = [block for thought in message.reasoning for block in _thinking(thought)]
    if message.content:
        blocks.append({"type": "text", "text": message.content})
    blocks += map(_call, message.tool_calls)
    plain = all(block["type"] == "text" for block in blocks)
    return {"role": role, "content": message.content if plain else blocks}


def to_anthropic(messages: Iterable[Message]) -> dict[str, Any]:
    """A conversation as arguments of the API: `system`, if there is any, and `messages`.

    Messages of one role that follow each other, such as the results of several calls, become one message.
    """
    system: list[str] = []
    said: list[dict[str, Any]] = []
    for message in messages:
        item = write(message)
        if item["role"] == "system":
            system.append(message.content)
        elif said and said[-1]["role"] == item["role"]:
            said[-1] = {"role": item["role"], "content": _listed(said[-1]["content"]) + _listed(item["content"])}
        elif item["content"]:
            said.append(item)
    return ({"system": "\n\n".join(system)} if system else {}) | {"messages": said}


def _listed(content: Any) -> list[Any]:
    return list(content) if isinstance(content, list) else [{"type": "text", "text": content}] if content else []


def _result(message: Message) -> dict[str, Any]:
    result = message.tool_result
    assert result is not None
    payload = message.payload if isinstance(message.payload, dict) else {}
    if payload.get(SOURCE_FORMAT) == ANTHROPIC and isinstance(payload.get(PARTS), list) and len(payload[PARTS]) == 1:
        return dict(payload[PARTS][0])
    block = {"type": "tool_result", "tool_use_id": result.tool_call_id or "", "content": result.content}
    return block | ({"is_error": True} if result.is_error else {})


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = call.arguments if isinstance(call.arguments, dict) else {"input": call.arguments}
    return {"type": "tool_use", "id": call.id or "", "name": call.name, "input": arguments}


def _thinking(thought: Reasoning) -> list[dict[str, Any]]:
    """The block of a thought. The API takes none without a signature."""
    if "data" in thought.details:
        return [{"type": "redacted_thinking", "data": thought.details["data"]}]
    if "signature" not in thought.details:
        return []
    return [{"type": "thinking", "thinking": thought.text, "signature": thought.details["signature"]}]


def _block(part: Any) -> list[dict[str, Any]]:
    """The block of a part as OpenAI's API has it. Audio and files of OpenAI have none."""
    if isinstance(part, str):
        return [{"type": "text", "text": part}]
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
        return [{"type": "text", "text": part["text"]}]
    image = part.get("image_url") if kind in ("image_url", "input_image") else None
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        return []
    if not url.startswith("data:"):
        return [{"type": "image", "source": {"type": "url", "url": url}}]
    media, _, data = url.removeprefix("data:").partition(";base64,")
    return [{"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}]


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
