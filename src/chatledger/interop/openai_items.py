"""Between items of the OpenAI Agents SDK and messages. Needs no framework: items are JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from chatledger.adoption.readers.openai_items import SOURCE, Items
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.interop.escaping import escape, is_storable, readable, unescape
from chatledger.interop.stored_items import newest
from chatledger.schemas import Message
from chatledger.schemas.message_parts import SOURCE_FORMAT
from chatledger.unit_of_work import UnitOfWork

#: In the payload of the first message of an item: the item. None in the payload of a message that only shows the result
#: of the item before it.
_ITEM = "item"


class ItemWriter:
    """Items as the fields of messages. Results are given the name of the tool that was called."""

    def __init__(self) -> None:
        self._items = Items()

    def messages(self, items: Iterable[Any]) -> list[dict[str, Any]]:
        """The messages of items: one for each, and one more for the result that a call of a hosted tool contains.

        Raises:
            InvalidInput: an item has no JSON form.
        """
        return [fields for number, item in enumerate(items) for fields in self._of_item(item, f"items.{number}")]

    def _of_item(self, item: Any, field: str) -> Iterable[dict[str, Any]]:
        stored = escape(item, field) if item is not None else {"escaped": "null"}
        for number, fields in enumerate(self._items.messages(item if is_storable(item) else readable(item))):
            said = {**(fields.get("payload") or {}), SOURCE_FORMAT: SOURCE, _ITEM: None if number else stored}
            yield {**fields, "payload": said}


def newest_items(uow: UnitOfWork, session_id: str, limit: int | None) -> list[Any]:
    """The newest items of a session, in their order; all of them without a limit.

    Raises:
        SessionNotFound
    """

    def read(last: int | None) -> tuple[list[Any], int]:
        payloads = uow.messages.payloads(session_id, last=last)
        if all(_is_ours(payload) for payload in payloads):
            return [unescape(payload[_ITEM]) for payload in payloads if payload[_ITEM] is not None], len(payloads)
        return items_of(uow.messages.history(session_id, last=last)), len(payloads)  # another program's are among them

    return newest(limit, read)


def items_of(messages: Sequence[Message]) -> list[Any]:
    """The items of stored messages. Those that other programs wrote are read from their columns and tool calls."""
    found: list[Any] = []
    answered: set[Any] = set()
    for message in messages:
        if _is_ours(message.payload):
            if message.payload[_ITEM] is None:
                continue
            item = unescape(message.payload[_ITEM])
            found.append(item)
            if _is_hosted_call(item):
                answered |= {item[key] for key in ("call_id", "id") if isinstance(item.get(key), str)}
        elif message.role is Role.TOOL and message.tool_call_id in answered:
            continue  # adopted: the item that called the hosted tool contains this result
        else:
            found.extend(_of_another_program(message))
    return found


def pop_item(uow: UnitOfWork, session_id: str) -> Any:
    """Take the newest item away and return it.

    Raises:
        SessionNotFound, SessionClosed, MessageNotFound
    """
    while True:
        message = uow.messages.pop(session_id)
        if _is_ours(message.payload) and message.payload[_ITEM] is None:
            continue  # the result that the item before it contains
        *rest, item = items_of([message])
        if rest:  # a message of another program with a text and calls, which are items of their own
            uow.messages.append_many(session_id, ItemWriter().messages(rest))
        return item


def _is_ours(payload: Any) -> bool:
    return isinstance(payload, dict) and payload.get(SOURCE_FORMAT) == SOURCE and _ITEM in payload


def _is_hosted_call(item: Any) -> bool:
    """Whether an item is a call of a tool that OpenAI runs: most contain their result."""
    kind = item.get("type") if isinstance(item, dict) else None
    return isinstance(kind, str) and kind.endswith("_call") and kind not in ("function_call", "custom_tool_call")


def _of_another_program(message: Message) -> list[Any]:
    if message.role is Role.TOOL:
        return [{"type": "function_call_output", "call_id": message.tool_call_id or "", "output": message.content}]
    calls = [
        {
            "type": "function_call",
            "call_id": call.id or "",
            "name": call.name,
            "arguments": call.arguments if isinstance(call.arguments, str) else _json(call.arguments),
        }
        for call in message.tool_calls
    ]
    text = [{"role": message.role.value, "content": message.content}] if message.content or not calls else []
    return [*text, *calls]


def _json(arguments: Any) -> str:
    return json.dumps({} if arguments is None else arguments, ensure_ascii=False)


def checked_limit(limit: Any) -> int | None:
    """A limit, or None for all items.

    Raises:
        InvalidInput: it is not a whole number.
    """
    if limit is None or (isinstance(limit, int) and not isinstance(limit, bool)):
        return limit
    raise InvalidInput("limit", "must be a whole number, or None for all items")
