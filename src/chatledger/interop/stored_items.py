"""Items of frameworks that are stored as one or more messages each, under keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from chatledger.adoption.source.message_content import name_in
from chatledger.unit_of_work import UnitOfWork

R = TypeVar("R")

#: There is room for the number of a further message.
_LONGEST_KEY = 200
_FURTHER = "#"
#: What a message says no more when its item is replaced by one that does not say it.
_UNSAID: dict[str, Any] = {
    "content": "", "payload": None, "name": None, "tool_call_id": None, "model_id": None, "input_tokens": None,
    "output_tokens": None, "cached_tokens": None, "reasoning_tokens": None, "cache_write_tokens": None,
    "cache_write_1h_tokens": None, "unpriced_units": None, "service_tier": None, "outcome": None, "hidden": False,
}  # fmt: skip
_UNCHANGING = ("key", "created_at")


def key_of(name: Any) -> str | None:
    """The key of a message that a framework knows by a name: the name, or its hash where it cannot be a key. None if it
    has none.
    """
    if not isinstance(name, str) or not name:
        return None
    if name_in(name) is not None and len(name) <= _LONGEST_KEY and _FURTHER not in name:
        return name
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def further_key(key: str | None, number: int) -> str | None:
    """The key of message number `number` (from 0) of those that one item of a framework becomes."""
    return key if key is None or not number else f"{key}{_FURTHER}{number + 1}"


def newest(limit: int | None, read: Callable[[int | None], tuple[list[R], int]]) -> list[R]:
    """The newest `limit` items of a framework, which are stored as one or more messages each; all of them if None.

    `read(last)` returns the items of the last messages, and how many messages there were.
    """
    last = limit
    while True:
        items, count = read(last)
        if limit is None or last is None:
            return items
        if len(items) >= limit or count < last:
            return items[-limit:]
        last *= 2


def store_item(uow: UnitOfWork, session_id: str, messages: Sequence[dict[str, Any]]) -> None:
    """Store an item, whose messages have keys, at the end of a session, or in place of the one that is there.

    Raises:
        SessionNotFound, SessionClosed, InvalidInput: as `append`.
    """
    for fields in messages:
        if uow.messages.find(session_id, key=fields["key"]) is None:
            uow.messages.append_many(session_id, [fields])
        else:
            said = {name: value for name, value in fields.items() if name not in _UNCHANGING}
            uow.messages.update(session_id, key=fields["key"], **(_UNSAID | said))
    delete_item(uow, session_id, messages[0]["key"], after=len(messages))


def delete_item(uow: UnitOfWork, session_id: str, key: str, *, after: int = 0) -> None:
    """Delete the messages of an item, or those behind its first `after` messages."""
    numbers = []
    while (found := uow.messages.find(session_id, key=further_key(key, after) or "")) is not None:
        numbers.append(found.sequence_number)
        after += 1
    if numbers:
        uow.messages.delete(session_id, *numbers)


def dump_model(model: BaseModel, **options: Any) -> dict[str, Any]:
    """The JSON form of a model of a framework. NaN and infinities stay numbers, and bytes are base64; what has no JSON
    form is its `repr`.
    """
    dumped: dict[str, Any] = to_jsonable_python(
        model.model_dump(**options), bytes_mode="base64", inf_nan_mode="constants", serialize_unknown=True
    )
    return dumped
