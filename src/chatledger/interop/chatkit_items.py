"""Between thread items of ChatKit, in their JSON form, and messages. Needs no framework."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chatledger.adoption.source.message_content import call_entry, result_fields
from chatledger.codecs.texts import text_in
from chatledger.enums import Role
from chatledger.interop.escaping import json_text, readable
from chatledger.interop.stored_items import further_key, key_of
from chatledger.schemas import Message
from chatledger.schemas.message_parts import SOURCE_FORMAT, payload_of, reasoning

SOURCE = "chatkit"
#: In the payload of the first message of an item: its JSON text. None in the payloads of the others.
_DATA = "data"
_HIDDEN_CONTEXT = ("hidden_context_item", "sdk_hidden_context")
#: In front of the number of another program's message, as the id of an item.
_NUMBERED = "message_"


def to_messages(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of an item: one, and another one for the output of a tool call.

    Raises:
        InvalidInput: the item has no JSON form.
    """
    data, key = json_text(item, "item"), key_of(item.get("id"))
    return [
        {
            **fields,
            "payload": {**(fields.get("payload") or {}), SOURCE_FORMAT: SOURCE, _DATA: None if number else data},
            "key": further_key(key, number),
            "created_at": _time(item.get("created_at")),
        }
        for number, fields in enumerate(_said(readable(item)))
    ]


def item_of(message: Message, thread_id: str) -> dict[str, Any] | None:
    """The item of a message, or None for a message that is part of the item before it. Messages of other programs are
    what a user and an assistant said; others are hidden context.
    """
    payload = message.payload
    if isinstance(payload, dict) and payload.get(SOURCE_FORMAT) == SOURCE and _DATA in payload:
        return None if payload[_DATA] is None else _object(json.loads(payload[_DATA]))
    item = {
        "id": message.key or f"{_NUMBERED}{message.sequence_number}",
        "thread_id": thread_id,
        "created_at": message.created_at.isoformat(),
    }
    if message.role is Role.USER and not message.hidden:
        said = {"type": "input_text", "text": message.content}
        return item | {"type": "user_message", "content": [said], "attachments": [], "inference_options": {}}
    if message.role is Role.ASSISTANT and message.content and not message.hidden:
        answered = {"type": "output_text", "text": message.content, "annotations": []}
        return item | {"type": "assistant_message", "content": [answered]}
    calls = [{"name": call.name, "arguments": call.arguments, "id": call.id} for call in message.tool_calls]
    context = {"role": message.role.value, "content": message.content} | ({"tool_calls": calls} if calls else {})
    return item | {"type": "hidden_context_item", "content": context}


def number_of(item_id: str) -> int | None:
    """The number of the message of another program that has this id as an item."""
    number = item_id.removeprefix(_NUMBERED)
    return int(number) if number != item_id and number.isascii() and number.isdigit() and len(number) < 12 else None


def _said(item: dict[str, Any]) -> list[dict[str, Any]]:
    kind = item.get("type")
    if kind == "user_message":
        return [{"role": Role.USER, "content": text_in(item.get("content"))}]
    if kind == "assistant_message":
        return [{"role": Role.ASSISTANT, "content": text_in(item.get("content"))}]
    if kind == "client_tool_call":
        return _call(item)
    if kind in _HIDDEN_CONTEXT:
        return [{"role": Role.SYSTEM, "content": text_in(item.get("content")), "hidden": True}]
    if kind == "workflow":
        tasks = _object(item.get("workflow")).get("tasks")
        return [_tasks(tasks if isinstance(tasks, list) else [])]
    if kind == "task":
        return [_tasks([item.get("task")])]
    text = _questions(item.get("inputs")) if kind == "structured_input" else item.get("copy_text")
    return [{"role": Role.ASSISTANT, "content": text if isinstance(text, str) else "", "hidden": not text}]


def _call(item: dict[str, Any]) -> list[dict[str, Any]]:
    entry = call_entry(item.get("name"), item.get("arguments"), item.get("call_id"))
    call = {"role": Role.ASSISTANT, "content": "", "payload": payload_of(tool_calls=[entry])}
    if item.get("status") != "completed":
        return [call]
    return [call, result_fields(item.get("output"), tool_call_id=item.get("call_id"), name=item.get("name"))]


def _tasks(tasks: list[Any]) -> dict[str, Any]:
    """What an assistant did before it answered: its thoughts, and the titles and texts of other steps."""
    thoughts, texts = [], []
    for task in map(_object, tasks):
        said = [text for name in ("title", "content") if isinstance(text := task.get(name), str) and text]
        if task.get("type") == "thought":
            thoughts.append(reasoning("\n".join(said)))
        else:
            queries = task.get("queries")
            texts += [*said, *(query for query in queries or () if isinstance(query, str))]
    text = "\n".join(texts)
    return {
        "role": Role.ASSISTANT,
        "content": text,
        "payload": payload_of(reasoning=thoughts),
        "hidden": not text and not thoughts,
    }


def _questions(inputs: Any) -> str:
    lines = []
    for one in map(_object, inputs if isinstance(inputs, list) else []):
        answers = _object(one.get("answer")).get("values")
        lines += [one.get("question"), *(answers if isinstance(answers, list) else [])]
    return "\n".join(line for line in lines if isinstance(line, str))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _time(value: Any) -> datetime | None:
    """A time; one without a zone is that of this machine, as ChatKit's own examples write it."""
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
