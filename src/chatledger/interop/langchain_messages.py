"""LangChain's messages, as `message_to_dict` writes them: `type`, and `data` with the fields of the message.

Text, role, tool calls, thoughts, the result of a tool, tokens and model are stored as those of any message. Whatever else
a message says is kept in `payload["message"]`, in the form in which `adoption` keeps rows of LangChain's own tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chatledger.codecs.turns import Fields
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.interop.escaping import escape, is_storable, readable, unescape
from chatledger.schemas.content_parts import ANTHROPIC, PARTS
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.schemas.message import Message
from chatledger.schemas.message_parts import (
    RESULT,
    SOURCE_FORMAT,
    ToolCall,
    payload_of,
    read_tool_calls,
    reasoning,
    tool_call,
    tool_result,
)
from chatledger.schemas.token_usage import token_counts

FORMAT = "langchain"
#: In the payload: the type of the message, and the fields that are not elsewhere.
MESSAGE = "message"

_ROLES = {"human": Role.USER, "ai": Role.ASSISTANT, "tool": Role.TOOL, "function": Role.TOOL, "system": Role.SYSTEM}
#: Words of chat messages, whose role is any text.
_WORDS = {role.value: role for role in Role} | {"human": Role.USER, "ai": Role.ASSISTANT, "model": Role.ASSISTANT}
_TYPES = {Role.USER: "human", Role.ASSISTANT: "ai", Role.SYSTEM: "system", Role.DEVELOPER: "system", Role.TOOL: "tool"}
_CHUNK = "MessageChunk"
_KNOWN = {*_ROLES, "chat", *(f"{name}{_CHUNK}" for name in ("AI", "Human", "System", "Tool", "Function", "Chat"))}
#: The values of fields that were not set.
_DEFAULTS: dict[str, Any] = {
    "additional_kwargs": {}, "response_metadata": {}, "name": None, "id": None, "example": False,
    "invalid_tool_calls": [], "usage_metadata": None, "artifact": None, "status": "success", "chunk_position": None,
}  # fmt: skip
#: OpenAI's developer messages are system messages with this word.
_OPENAI_ROLE = "__openai_role__"
_DEPTH = 8


def read(item: Any) -> Fields:
    """The fields of the message to append for a dict of `message_to_dict`.

    Raises:
        InvalidInput: not such a dict, a type that no history has (such as "remove"), or a value without a JSON form.
    """
    kind, data = _checked(item)
    content, answered = data.get("content", ""), _object(data.get("response_metadata"))
    text = readable("\n".join(_texts(content, _DEPTH)))
    role = _role(kind, data)
    calls = _calls(data)
    own = payload_of(tool_calls=calls, reasoning=_thoughts(content, _object(data.get("additional_kwargs")))) or {}
    fields: Fields = {"role": role, "content": text, **_named(data.get("name"))}
    if role is Role.TOOL:
        fields = tool_result(
            text,
            tool_call_id=_text(data.get("tool_call_id")),
            name=_text(data.get("name")),
            is_error=data.get("status") == "error",
        )
        own |= fields.get("payload") or {}
    model = _named(answered.get("model_name") or answered.get("model"), "model_id")
    counts = token_counts(data.get("usage_metadata"), answered.get("service_tier"))
    counts.pop("tokens_used", None)  # the sum of the others
    source, more = _source(kind, data, fields, read_tool_calls({"tool_calls": calls}))
    payload = {**own, **more, **({SOURCE_FORMAT: FORMAT} if source or more else {}), **source}
    return {**fields, **model, **counts, **({"payload": payload} if payload else {})}


def write(message: Message) -> dict[str, Any]:
    """A message as `messages_from_dict` takes it: the one that was stored, or one with the same role, text and tools."""
    payload = _payload(message)
    ours = payload.get(SOURCE_FORMAT) == FORMAT
    kept = unescape(payload.get(MESSAGE)) if ours else None
    if not isinstance(kept, dict) or kept.get("type") not in _KNOWN:
        kept = {"type": _TYPES[message.role]}
    kind, rest = kept["type"], _object(kept.get("data"))
    data = {"content": _content(message, payload), **_fields(message, _base(kind), payload, rest)}
    return {"type": kind, "data": {**data, **rest}}


def _payload(message: Message) -> dict[str, Any]:
    """The payload, which adoption escapes as a whole."""
    try:
        return _object(unescape(message.payload))
    except (ValueError, RecursionError):  # another program's
        return _object(message.payload)


def _content(message: Message, payload: dict[str, Any]) -> Any:
    """The text, or the parts if a model of LangChain's understands them."""
    parts = payload.get(PARTS)
    known = payload.get(SOURCE_FORMAT) in (None, FORMAT, ANTHROPIC)
    if known and isinstance(parts, list) and all(isinstance(part, str | dict) for part in parts):
        return parts
    return message.content


def _fields(message: Message, base: str, payload: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """What columns and payload say of a message that its `data` does not: all of it, if it was not LangChain's."""
    data: dict[str, Any] = {} if message.name is None else {"name": message.name}
    if message.role is Role.TOOL:
        result = message.tool_result
        assert result is not None
        if base != "tool":
            return {"name": result.name or ""}
        data |= {"tool_call_id": result.tool_call_id or "", "status": "error" if result.is_error else "success"}
        return data | ({"artifact": payload[RESULT]} if RESULT in payload else {})
    if base == "ai":
        calls = message.tool_calls
        if "invalid_tool_calls" in rest:
            calls = calls[: len(calls) - len(rest["invalid_tool_calls"])]
        data["tool_calls"] = _parsed(calls)
        if message.input_tokens is not None or message.output_tokens is not None:
            data["usage_metadata"] = _usage(message)
        if message.model_id is not None:
            data["response_metadata"] = {"model_name": message.model_id}
        if payload.get(SOURCE_FORMAT) not in (FORMAT, ANTHROPIC) and (
            thoughts := [thought.text for thought in message.reasoning if thought.text]
        ):
            data["additional_kwargs"] = {"reasoning_content": "\n\n".join(thoughts)}
    if message.role is Role.DEVELOPER:
        data["additional_kwargs"] = {_OPENAI_ROLE: "developer"}
    return data


def _usage(message: Message) -> dict[str, Any]:
    given, said = message.input_tokens or 0, message.output_tokens or 0
    usage: dict[str, Any] = {"input_tokens": given, "output_tokens": said, "total_tokens": given + said}
    if message.cached_tokens is not None:
        usage["input_token_details"] = {"cache_read": message.cached_tokens}
    if message.reasoning_tokens is not None:
        usage["output_token_details"] = {"reasoning": message.reasoning_tokens}
    return usage


def _checked(item: Any) -> tuple[str, dict[str, Any]]:
    kind = item.get("type") if isinstance(item, Mapping) else None
    data = item.get("data") if isinstance(item, Mapping) else None
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise InvalidInput("message", "is not a dict of `message_to_dict`, with a type and data")
    if kind == "remove":
        raise InvalidInput("message", "asks to remove a message, which a history does not do: use clear() instead")
    if kind not in _KNOWN:
        raise InvalidInput("message.type", "is not one of LangChain's messages")
    return kind, data


def _source(
    kind: str, data: dict[str, Any], fields: Fields, calls: tuple[ToolCall, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """`payload["message"]`, and what else the payload has from the message: its parts, and the artifact of a tool."""
    content = data.get("content", "")
    more: dict[str, Any] = {}
    rest = {
        name: value
        for name, value in data.items()
        if name != "type" and not (name in _DEFAULTS and _same(value, _DEFAULTS[name]))
    }
    if isinstance(content, str) and content == fields["content"]:
        rest.pop("content", None)
    elif isinstance(content, list) and is_storable(content):
        more[PARTS] = rest.pop("content")
    for name in ("name", "tool_call_id"):
        if name in rest and _same(fields.get(name), rest[name]):
            del rest[name]
    if "tool_calls" in rest and _same(rest["tool_calls"], _parsed(calls[: len(rest["tool_calls"])])):
        del rest["tool_calls"]
    if _base(kind) == "tool":
        if rest.get("status") == "error":
            del rest["status"]
        if rest.get("artifact") is not None and is_storable(rest["artifact"]):
            more[RESULT] = rest.pop("artifact")
    role = fields["role"]
    if role is Role.DEVELOPER and _same(rest, {"additional_kwargs": {_OPENAI_ROLE: "developer"}}):
        rest = {}
    if not rest and kind == _TYPES[role]:
        return {}, more
    return {MESSAGE: escape({"type": kind, **({"data": rest} if rest else {})}, "message")}, more


def _role(kind: str, data: dict[str, Any]) -> Role:
    base = _base(kind)
    if base == "chat":
        return _WORDS.get(str(data.get("role")).lower(), Role.USER)
    if base == "system" and _object(data.get("additional_kwargs")).get(_OPENAI_ROLE) == "developer":
        return Role.DEVELOPER
    return _ROLES[base]


def _base(kind: str) -> str:
    return kind.removesuffix(_CHUNK).lower()


def _calls(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls that LangChain parsed, and behind them those that it could not parse, with the error."""
    return [
        _call(call, **({"error": readable(str(call.get("error") or "cannot be parsed"))} if invalid else {}))
        for field, invalid in (("tool_calls", False), ("invalid_tool_calls", True))
        for call in data.get(field) or ()
    ]


def _call(call: Mapping[str, Any], **details: Any) -> dict[str, Any]:
    name, call_id, arguments = _text(call.get("name")) or "", _text(call.get("id")), call.get("args")
    if isinstance(arguments, str):
        arguments = readable(arguments)
    try:
        return tool_call(name, arguments, id=call_id, **details)
    except InvalidInput:  # such as NaN: readable as text
        return tool_call(name, json.dumps(arguments, default=str), id=call_id, **details)


def _parsed(calls: tuple[ToolCall, ...]) -> list[dict[str, Any]]:
    """Calls as LangChain has them once it has parsed them."""
    return [
        {
            "name": call.name,
            "args": call.arguments if isinstance(call.arguments, dict) else {"input": call.arguments},
            "id": call.id,
            "type": "tool_call",
        }
        for call in calls
    ]


def _thoughts(content: Any, more: dict[str, Any]) -> list[dict[str, Any]]:
    """Thoughts among the parts, by the names of several providers, or beside the content."""
    found = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") in ("thinking", "redacted_thinking", "reasoning"):
            said = part.get("thinking", part.get("reasoning"))
            text = said if isinstance(said, str) else "\n".join(_texts(part.get("summary"), _DEPTH))
            details = {name: readable(part[name]) for name in ("signature", "data") if isinstance(part.get(name), str)}
            found.append(reasoning(readable(text), **details))
    if not found and isinstance(more.get("reasoning_content"), str):
        found.append(reasoning(readable(more["reasoning_content"])))
    return found


def _texts(content: Any, depth: int) -> list[str]:
    """The texts of a content. Thoughts, calls and media have none."""
    if isinstance(content, str):
        return [content]
    if isinstance(content, list):
        return [text for part in content for text in _texts(part, depth - 1)] if depth else []
    if not isinstance(content, dict) or content.get("type") in ("thinking", "reasoning"):
        return []
    for name in ("text", "refusal"):
        if isinstance(content.get(name), str):
            return [content[name]]
    return _texts(content["content"], depth - 1) if depth and isinstance(content.get("content"), list | str) else []


def _named(value: Any, column: str = "name") -> dict[str, str]:
    """A name as a column has it; a longer one is only in the payload."""
    text = _text(value)
    return {column: text} if text and len(text) <= MAX_IDENTIFIER else {}


def _text(value: Any) -> str | None:
    return readable(value) if isinstance(value, str) else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _same(one: Any, other: Any) -> bool:
    """Whether values are equal, also in type: 1, 1.0 and True differ."""
    return bool(one == other) and repr(one) == repr(other)
