"""Between events of Google ADK, in their JSON form, and messages. Needs no framework."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from chatledger.adoption.readers.google_adk_events import SOURCE, messages_of
from chatledger.enums import Outcome, Role
from chatledger.interop.escaping import json_text, readable, unescape
from chatledger.interop.stored_items import further_key, key_of, newest
from chatledger.schemas import Message
from chatledger.schemas.message_parts import SOURCE_FORMAT
from chatledger.unit_of_work import UnitOfWork

#: In the payload of the first message of an event: its JSON text. None in the payloads of the others.
_DATA = "data"
#: In the payload and the metadata of messages that were adopted from a database of ADK.
_EVENT, _EVENT_ID = "event", "event_id"
_LONGEST_PREFIX = 180


def to_messages(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of an event: one for what was said, and one for each result of a tool.

    Raises:
        InvalidInput: the event has no JSON form.
    """
    data, key = json_text(event, "event"), key_of(event.get("id"))
    messages = []
    for number, fields in enumerate(messages_of(readable(event))):
        kept = {name: value for name, value in (fields.get("payload") or {}).items() if name != _EVENT}
        messages.append({
            **fields,
            "payload": {**kept, SOURCE_FORMAT: SOURCE, _DATA: None if number else data},
            "key": further_key(key, number),
            "created_at": _time(event.get("timestamp")),
        })  # fmt: skip
    said = event.get("content") is not None
    messages[0]["hidden"] = not said  # such as an event that only changes state
    if event.get("error_code"):
        messages[0]["outcome"] = Outcome.ERROR
    elif event.get("interrupted"):
        messages[0]["outcome"] = Outcome.INTERRUPTED
    return messages


def stored_events(uow: UnitOfWork, session_id: str, limit: int | None = None) -> list[dict[str, Any]]:
    """The newest events of a session, in their order; all of them without a limit.

    Raises:
        SessionNotFound
    """

    def read(last: int | None) -> tuple[list[dict[str, Any]], int]:
        payloads = uow.messages.payloads(session_id, last=last)
        if all(_is_ours(payload) for payload in payloads):
            return [json.loads(payload[_DATA]) for payload in payloads if payload[_DATA] is not None], len(payloads)
        return events_of(uow.messages.history(session_id, last=last)), len(payloads)

    return newest(limit, read)


def events_of(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The events of stored messages, also of those that were adopted, and of those that other programs wrote."""
    found: list[dict[str, Any]] = []
    before: str | None = None
    for message in messages:
        if before is not None and str(message.key).startswith(f"{before}#"):
            continue  # a further message of the event before
        before = message.key
        payload = message.payload if isinstance(message.payload, dict) else {}
        if _is_ours(payload):
            if payload[_DATA] is not None:
                found.append(json.loads(payload[_DATA]))
        elif payload.get(SOURCE_FORMAT) == SOURCE and isinstance(unescape(payload.get(_EVENT)), dict):
            named = {"id": message.metadata.get(_EVENT_ID), "invocation_id": message.metadata.get("invocation_id")}
            stored = {**{name: value for name, value in named.items() if value}, **unescape(payload[_EVENT])}
            found.append({"timestamp": message.created_at.timestamp(), **stored})
        elif _EVENT_ID not in message.metadata:
            found.append(_of_another_program(message))
    return found


def prefix_of(app: str) -> str:
    """What the keys of a user's state in an app begin with: ADK has state for each user of each app."""
    name = quote(app, safe=" @:+,=()", errors="surrogatepass")
    if len(name) > _LONGEST_PREFIX:
        name = sha256(name.encode()).hexdigest()
    return f"{name}/"


def _is_ours(payload: Any) -> bool:
    return isinstance(payload, dict) and payload.get(SOURCE_FORMAT) == SOURCE and _DATA in payload


def _of_another_program(message: Message) -> dict[str, Any]:
    """An event with the text, the calls or the result of a message."""
    name = f"{message.session_id}/{message.sequence_number}"
    by_model = message.role is Role.ASSISTANT
    author = message.role.value if message.role is not Role.ASSISTANT else message.name or "model"
    return {
        "id": message.key or str(uuid5(NAMESPACE_URL, name)),
        "invocation_id": f"e-{uuid5(NAMESPACE_URL, name)}",
        "author": author,
        "timestamp": message.created_at.timestamp(),
        "content": {"role": "model" if by_model else "user", "parts": list(_parts(message))},
    }


def _parts(message: Message) -> Iterator[dict[str, Any]]:
    result = message.tool_result
    if result is not None:
        answer = (
            result.value
            if isinstance(result.value, dict)
            else {"error" if result.is_error else "result": result.content}
        )
        yield {"function_response": _named(result.tool_call_id) | {"name": result.name or "", "response": answer}}
        return
    if message.content or not message.tool_calls:
        yield {"text": message.content}
    for call in message.tool_calls:
        arguments = call.arguments if isinstance(call.arguments, dict) else {"input": call.arguments}
        yield {"function_call": _named(call.id) | {"name": call.name, "args": arguments}}


def _named(id_: str | None) -> dict[str, str]:
    return {} if id_ is None else {"id": id_}


def _time(timestamp: Any) -> datetime | None:
    try:
        found = datetime.fromtimestamp(timestamp, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return found if found.year > 1 else None
