"""Between messages of the Microsoft Agent Framework, in their JSON form, and messages. Needs no framework."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chatledger.adoption.source.message_content import call_entry, name_in, result_fields, role_of, text_of
from chatledger.enums import Role
from chatledger.interop.escaping import json_text, readable
from chatledger.schemas import Message
from chatledger.schemas.fields import MAX_COUNT
from chatledger.schemas.message_parts import SOURCE_FORMAT, payload_of, reasoning
from chatledger.unit_of_work import UnitOfWork

SOURCE = "agent-framework"
#: In the payload of the first message of one of the framework's: the JSON text of that. None in the others.
_DATA = "data"
_COUNTS = {
    "input_token_count": "input_tokens", "output_token_count": "output_tokens",
    "cache_read_input_token_count": "cached_tokens", "reasoning_output_token_count": "reasoning_tokens",
}  # fmt: skip
_WHOLE = {"cached_tokens": "input_tokens", "reasoning_tokens": "output_tokens"}


def to_messages(dumped: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of the messages for one of the framework's: one for what was said, and one for each result of a tool.

    Raises:
        InvalidInput: a value has no JSON form.
    """
    data = json_text(dumped, "message")
    shown = readable(dumped)
    contents = [part for part in shown.get("contents") or () if isinstance(part, dict)]
    role = role_of(shown.get("role")) or Role.USER
    name = name_in(shown.get("author_name"))
    results = [_result(part) for part in contents if _kind(part).endswith("_result")]
    said = [part for part in contents if not _kind(part).endswith("_result")]
    messages = results if role is Role.TOOL else [_said(role, said, name), *results]
    if not messages:  # the role of a tool, and no result
        messages = [{"role": Role.TOOL, "content": text_of(said)}]
    return [
        {**fields, "payload": {**(fields.get("payload") or {}), SOURCE_FORMAT: SOURCE, _DATA: None if number else data}}
        for number, fields in enumerate(messages)
    ]


def stored_messages(uow: UnitOfWork, session_id: str) -> list[dict[str, Any]]:
    """The framework's messages of a session, in their JSON form.

    Raises:
        SessionNotFound
    """
    payloads = uow.messages.payloads(session_id)
    if all(_is_ours(payload) for payload in payloads):
        return [json.loads(payload[_DATA]) for payload in payloads if payload[_DATA] is not None]
    return from_messages(uow.messages.history(session_id))


def from_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The framework's messages, in their JSON form. Those of other programs have text, tool calls and results."""
    found = []
    for message in messages:
        if not _is_ours(message.payload):
            found.append(_of_another_program(message))
        elif message.payload[_DATA] is not None:
            found.append(json.loads(message.payload[_DATA]))
    return found


def _is_ours(payload: Any) -> bool:
    return isinstance(payload, dict) and payload.get(SOURCE_FORMAT) == SOURCE and _DATA in payload


def _kind(part: Mapping[str, Any]) -> str:
    return str(part.get("type"))


def _said(role: Role, parts: list[dict[str, Any]], name: str | None) -> dict[str, Any]:
    texts, thoughts, calls = [], [], []
    counts: dict[str, Any] = {}
    for part in parts:
        kind = _kind(part)
        if kind == "text_reasoning":
            signed = {"signature": part["protected_data"]} if part.get("protected_data") else {}
            thoughts.append(reasoning(text_of(part.get("text")), **signed))
        elif kind.endswith("_call"):
            named = part.get("name") or part.get("tool_name") or kind.removesuffix("_tool_call").removesuffix("_call")
            calls.append(call_entry(named, part.get("arguments"), part.get("call_id")))
        elif kind == "usage":
            counts |= _counts(part.get("usage_details"))
        elif kind == "text":
            texts.append(text_of(part.get("text")))
    payload = payload_of(tool_calls=calls, reasoning=thoughts)
    text = "\n".join(filter(None, texts))
    return {"role": role, "content": text, "payload": payload, **({"name": name} if name else {}), **counts}


def _result(part: dict[str, Any]) -> dict[str, Any]:
    value = part.get("result", part.get("output", part.get("outputs")))
    return result_fields(
        value, tool_call_id=part.get("call_id"), name=part.get("name"), is_error=part.get("exception") is not None
    )


def _counts(details: Any) -> dict[str, Any]:
    """The columns of a usage. A part that is larger than its whole is left out."""
    if not isinstance(details, dict):
        return {}
    found = {column: details[name] for name, column in _COUNTS.items() if _is_count(details.get(name))}
    return {name: value for name, value in found.items() if name not in _WHOLE or value <= found.get(_WHOLE[name], 0)}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def _of_another_program(message: Message) -> dict[str, Any]:
    named = {} if message.name is None or message.role is Role.TOOL else {"author_name": message.name}
    role = "system" if message.role is Role.DEVELOPER else message.role.value
    if message.role is Role.TOOL:
        failed = message.tool_result is not None and message.tool_result.is_error
        result = {"type": "function_result", "call_id": message.tool_call_id or "", "result": message.content}
        return {"type": "message", "role": role, "contents": [result | ({"exception": "error"} if failed else {})]}
    contents: list[dict[str, Any]] = []
    if message.content or not message.tool_calls:
        contents.append({"type": "text", "text": message.content})
    contents += [
        {
            "type": "function_call",
            "call_id": call.id or "",
            "name": call.name,
            "arguments": call.arguments if isinstance(call.arguments, str | dict) else json.dumps(call.arguments),
        }
        for call in message.tool_calls
    ]
    return {"type": "message", "role": role, "contents": contents, **named}
