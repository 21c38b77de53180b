"""Open WebUI's exports of chats: a list of them, or one. Messages know their parent, and `currentId` ends the way that
was last seen.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.enums import Outcome, Role
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import Format
from chatledger.exchange.readers.branching import Branching, as_identifier, earliest, known, message_at
from chatledger.exchange.readers.openai import read_usage
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.readers.trees import Tree
from chatledger.schemas import NewMessage
from chatledger.schemas.message_parts import payload_of

_ROLES = {role.value: role for role in Role}
# What a message says beside its text that is content.
_SOURCE = ("files", "sources", "citations", "annotation", "output")
_COLUMNS = ("id", "parentId", "childrenIds", "role", "content", "timestamp", "model", "usage", *_SOURCE)


def holds(value: Any) -> bool:
    """Whether a record is a chat of an export."""
    history = _chat(value).get("history")
    return isinstance(history, dict) and isinstance(history.get("messages"), dict) and "currentId" in history


def branching(record: Any) -> Branching:
    """The session and the forks that a chat becomes.

    Raises:
        InvalidInput: it has no history of messages, or they form a cycle.
    """
    chat = _chat(record)
    history = chat.get("history")
    listed = history.get("messages") if isinstance(history, dict) else None
    if not isinstance(history, dict) or not isinstance(listed, dict):
        raise InvalidInput("record", "has no 'history' with 'messages'")
    names, messages = list(listed), list(listed.values())
    for place, message in enumerate(messages):
        if not isinstance(message, dict):
            raise InvalidInput(f"messages[{place}]", "is not an object")
    places = {name: place for place, name in enumerate(names)}
    parents = [places.get(parent) if isinstance(parent := one.get("parentId"), str) else None for one in messages]
    tree = Tree(parents, [True] * len(names), range(len(names)), "messages")
    current = history.get("currentId")
    end = places.get(current) if isinstance(current, str) else None
    own = [certain_time(message.get("timestamp")) for message in messages]
    began = certain_time(_outer(record).get("created_at")) or earliest(own)
    times = tree.inherited(own, began)
    title = next(filter(_is_text, (_outer(record).get("title"), chat.get("title"))), None)
    models = chat.get("models")
    metadata = known(_outer(record), "chat", "id", "title", "created_at", "user_id")
    if rest := known(chat, "history", "messages", "title", "models", "id"):
        metadata["chat"] = rest
    return Branching(
        tree=tree,
        end=tree.end(last=True) if end is None else end,
        fields={
            "session_id": as_identifier(_outer(record).get("id")) or as_identifier(chat.get("id")),
            "title": title,
            "model_id": as_identifier(models[0]) if isinstance(models, list) and models else None,
            "created_at": began,
            "metadata": metadata,
        },
        read=lambda place: _message(place, names[place], messages[place], times[place]),
        name=names.__getitem__,
    )


def _chat(record: Any) -> dict[str, Any]:
    """The chat itself, which may lie in a record of its own."""
    inner = _outer(record).get("chat")
    return inner if isinstance(inner, dict) else _outer(record)


def _outer(record: Any) -> dict[str, Any]:
    return record if isinstance(record, dict) else {}


def _message(place: int, name: str, message: dict[str, Any], time: datetime | None) -> NewMessage:
    where = f"messages[{place}]"
    word = message.get("role")
    role = _ROLES.get(word) if isinstance(word, str) else None
    if role is None:
        raise InvalidInput(f"{where}.role", f"is not one of {', '.join(_ROLES)}")
    content = message.get("content")
    source = {part: message[part] for part in _SOURCE if message.get(part)}
    if content is not None and not isinstance(content, str):
        source["content"] = content
    said = {
        "role": role,
        "content": text_in(content),
        "payload": payload_of(source_format=Format.OPEN_WEBUI.value, source=source),
        "model_id": as_identifier(message.get("model")),
        "outcome": Outcome.ERROR if message.get("error") else None,
        "metadata": known(message, *_COLUMNS) or None,
        "key": as_identifier(name),
        "created_at": time,
    }
    if role is Role.ASSISTANT and isinstance(message.get("usage"), dict):
        said |= read_usage(message["usage"])
    return message_at(where, said)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
