"""Between messages of Strands Agents, in their JSON form, and messages. Needs no framework.

The JSON form is what `SessionMessage.to_dict` returns: `message` with a role and the blocks of Amazon's Converse API, and
in `redact_message` what stands in its place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any

from chatledger.adoption.source.message_content import call_entry, name_in, result_fields
from chatledger.codecs.texts import text_in
from chatledger.enums import Role
from chatledger.interop.escaping import json_text, readable
from chatledger.interop.stored_items import further_key, key_of
from chatledger.schemas import Message
from chatledger.schemas.fields import MAX_COUNT
from chatledger.schemas.message_parts import SOURCE_FORMAT, payload_of, reasoning
from chatledger.schemas.token_usage import token_counts
from chatledger.unit_of_work import UnitOfWork

SOURCE = "strands"
#: In the payload of the first message of a Strands message: its JSON text. None in the payloads of the others.
_DATA = "data"
#: Calls whose results have not come; an agent that never answers them does not fill the memory.
_OPEN_CALLS = 1000


def to_messages(item: Mapping[str, Any], tools: MutableMapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The messages of a Strands message: one for each result of a tool, and one for what else it says.

    `tools` are the names of the tools by the ids of their calls: calls are added, and results are named.

    Raises:
        InvalidInput: the message has no JSON form.
    """
    data, key = json_text(item, "message"), key_of(str(item.get("message_id")))
    shown = readable(item)
    said = _said(_object(shown.get("redact_message") or shown.get("message")), {} if tools is None else tools)
    return [
        {
            **fields,
            "payload": {**(fields.get("payload") or {}), SOURCE_FORMAT: SOURCE, _DATA: None if number else data},
            "key": further_key(key, number),
            "created_at": _time(item.get("created_at")),
        }
        for number, fields in enumerate(said)
    ]


def stored_messages(uow: UnitOfWork, session_id: str) -> list[dict[str, Any]]:
    """The Strands messages of a session, in their order.

    Raises:
        SessionNotFound
    """
    payloads = uow.messages.payloads(session_id)
    if all(_is_ours(payload) for payload in payloads):
        return [json.loads(payload[_DATA]) for payload in payloads if payload[_DATA] is not None]
    return messages_of(uow.messages.history(session_id))


def messages_of(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The Strands messages of stored messages. Those of other programs have the numbers that follow; their results of
    tools that follow each other are one message, as models want them.
    """
    found: list[dict[str, Any]] = []
    before: Message | None = None
    for message in messages:
        if _is_ours(message.payload):
            if message.payload[_DATA] is not None:
                found.append(json.loads(message.payload[_DATA]))
        elif before is not None and before.key is not None and str(message.key).startswith(f"{before.key}#"):
            continue  # a further message of the one before
        elif message.role is Role.TOOL and found and before is not None and before.role is Role.TOOL:
            found[-1]["message"]["content"] += _blocks(message)
        else:
            found.append(_of_another_program(message, found[-1]["message_id"] + 1 if found else 0))
        before = message
    return found


def _is_ours(payload: Any) -> bool:
    return isinstance(payload, dict) and payload.get(SOURCE_FORMAT) == SOURCE and _DATA in payload


def _said(message: dict[str, Any], tools: MutableMapping[str, str]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    texts: list[str] = []
    calls, thoughts = [], []
    content = message.get("content")
    for block in map(_object, content if isinstance(content, list) else []):
        call, result = block.get("toolUse"), block.get("toolResult")
        if isinstance(call, dict):
            calls.append(call_entry(call.get("name"), call.get("input"), call.get("toolUseId")))
            if name_in(call.get("name")) and isinstance(call.get("toolUseId"), str):
                tools[call["toolUseId"]] = call["name"]
        elif isinstance(result, dict):
            results.append(_result(result, tools))
        elif isinstance(thought := _object(block.get("reasoningContent")).get("reasoningText"), dict):
            signed = {"signature": thought["signature"]} if thought.get("signature") else {}
            thoughts.append(reasoning(text_in(thought.get("text")), **signed))
        else:
            texts += filter(None, (text_in(block[name]) for name in ("text", "citationsContent") if name in block))
    while len(tools) > _OPEN_CALLS:
        del tools[next(iter(tools))]
    if results and not (texts or calls or thoughts):
        return results
    role = Role.ASSISTANT if message.get("role") == "assistant" else Role.USER
    payload = payload_of(tool_calls=calls, reasoning=thoughts)
    said = {"role": role, "content": "\n".join(texts), "payload": payload, **_usage(message.get("metadata"))}
    return [*results, said]


def _result(result: dict[str, Any], tools: MutableMapping[str, str]) -> dict[str, Any]:
    blocks, id_ = result.get("content"), result.get("toolUseId")
    value: Any = blocks
    if isinstance(blocks, list) and len(blocks) == 1 and isinstance(blocks[0], dict) and len(blocks[0]) == 1:
        value = blocks[0].get("text", blocks[0].get("json", blocks))
    name = tools.pop(id_, None) if isinstance(id_, str) else None
    return result_fields(value, tool_call_id=id_, name=name, is_error=result.get("status") == "error")


def _usage(metadata: Any) -> dict[str, Any]:
    """Tokens of an answer, and how long the model took."""
    counts = token_counts(_object(metadata).get("usage"))
    counts.pop("tokens_used", None)  # the sum of the others
    took = _object(_object(metadata).get("metrics")).get("latencyMs")
    if isinstance(took, int) and not isinstance(took, bool) and 0 <= took <= MAX_COUNT:
        counts["duration_ms"] = took
    return counts


def _of_another_program(message: Message, number: int) -> dict[str, Any]:
    at = message.created_at.isoformat()
    role = "assistant" if message.role is Role.ASSISTANT else "user"
    return {
        "message": {"role": role, "content": _blocks(message)},
        "message_id": int(message.key) if message.key and message.key.isdecimal() else number,
        "redact_message": None,
        "created_at": at,
        "updated_at": at,
    }


def _blocks(message: Message) -> list[dict[str, Any]]:
    """The blocks of a message. Thoughts are left out: a model accepts only those that it has signed itself."""
    result = message.tool_result
    if result is not None:
        status = "error" if result.is_error else "success"
        block = {"toolUseId": result.tool_call_id or "", "status": status, "content": [{"text": result.content}]}
        return [{"toolResult": block}]
    blocks: list[dict[str, Any]] = [{"text": message.content}] if message.content or not message.tool_calls else []
    for call in message.tool_calls:
        arguments = call.arguments if isinstance(call.arguments, dict) else {"input": call.arguments}
        blocks.append({"toolUse": {"toolUseId": call.id or "", "name": call.name, "input": arguments}})
    return blocks


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return None if found.tzinfo is None else found
