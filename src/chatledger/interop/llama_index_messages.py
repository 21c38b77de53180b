"""Between chat messages of LlamaIndex, in their JSON form, and messages. Needs no framework."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chatledger.adoption.source.message_content import call_entry, result_fields, role_of, text_of
from chatledger.enums import Role
from chatledger.interop.escaping import json_text, readable
from chatledger.schemas import Message
from chatledger.schemas.message_parts import SOURCE_FORMAT, payload_of, reasoning

SOURCE = "llama-index"
#: In the payload: the JSON text of the chat message.
_DATA = "data"
_WORDS = {"chatbot": Role.ASSISTANT, "model": Role.ASSISTANT}


def to_message(dumped: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the message for a chat message.

    Raises:
        InvalidInput: a value has no JSON form.
    """
    shown = readable(dumped)
    word = str(shown.get("role"))
    role = role_of(word) or _WORDS.get(word, Role.USER)
    more = shown.get("additional_kwargs")
    more = more if isinstance(more, dict) else {}
    blocks = [block for block in shown.get("blocks") or () if isinstance(block, dict)]
    text = text_of([block for block in blocks if block.get("block_type") not in ("thinking", "tool_call")])
    if role is Role.TOOL:
        fields = result_fields(
            text, tool_call_id=more.get("tool_call_id"), name=more.get("name"), is_error=bool(more.get("is_error"))
        )
    else:
        payload = payload_of(tool_calls=_calls(blocks, more), reasoning=_thoughts(blocks))
        fields = {"role": role, "content": text, "payload": payload}
    kept = {**(fields.get("payload") or {}), SOURCE_FORMAT: SOURCE, _DATA: json_text(dumped, "message")}
    return {**fields, "payload": kept}


def from_message(message: Message) -> dict[str, Any]:
    """The chat message, in its JSON form. That of another program has text, tool calls and results."""
    payload = message.payload
    if isinstance(payload, dict) and payload.get(SOURCE_FORMAT) == SOURCE and isinstance(payload.get(_DATA), str):
        stored: dict[str, Any] = json.loads(payload[_DATA])
        return stored
    blocks: list[dict[str, Any]] = []
    if message.content or not message.tool_calls:
        blocks.append({"block_type": "text", "text": message.content})
    blocks += [
        {
            "block_type": "tool_call",
            "tool_call_id": call.id,
            "tool_name": call.name,
            "tool_kwargs": call.arguments if isinstance(call.arguments, str | dict) else json.dumps(call.arguments),
        }
        for call in message.tool_calls
    ]
    more = {name: value for name in ("tool_call_id", "name") if (value := getattr(message, name)) is not None}
    return {"role": message.role.value, "blocks": blocks, "additional_kwargs": more}


def _calls(blocks: list[dict[str, Any]], more: dict[str, Any]) -> list[dict[str, Any]]:
    """The tool calls of the blocks, and those of OpenAI's form that only older messages have."""
    calls = [
        call_entry(block.get("tool_name"), block.get("tool_kwargs"), block.get("tool_call_id"))
        for block in blocks
        if block.get("block_type") == "tool_call"
    ]
    known = {block.get("tool_call_id") for block in blocks if block.get("block_type") == "tool_call"}
    given = more.get("tool_calls")
    for call in given if isinstance(given, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and call.get("id") not in known:
            calls.append(call_entry(function.get("name"), function.get("arguments"), call.get("id")))
    return calls


def _thoughts(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for block in blocks:
        if block.get("block_type") == "thinking":
            details = block.get("additional_information")
            signature = details.get("signature") if isinstance(details, dict) else None
            signed = {"signature": signature} if isinstance(signature, str) else {}
            found.append(reasoning(text_of(block.get("content")), **signed))
    return found
