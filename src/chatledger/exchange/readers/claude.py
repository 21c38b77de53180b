"""Claude's export (`conversations.json`): a list of messages, each of which may name the one that it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.exchange.readers.branching import Branching, as_identifier, earliest, known, message_at
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.readers.trees import Tree
from chatledger.schemas import NewMessage

_ROLES = {"human": Role.USER, "assistant": Role.ASSISTANT, "user": Role.USER, "system": Role.SYSTEM, "tool": Role.TOOL}
_WORDS = {Role.USER: "human"}
#: What a message says beside its text.
_PAYLOAD = ("attachments", "files", "files_v2", "sync_sources")


def holds(value: Any) -> bool:
    """Whether a record is a conversation of an export."""
    if not isinstance(value, dict) or not isinstance(value.get("chat_messages"), list):
        return False
    messages = value["chat_messages"]
    return "sender" in messages[0] if messages and isinstance(messages[0], dict) else not messages and "uuid" in value


def branching(record: Any) -> Branching:
    """The session and the forks that a conversation becomes.

    Where no message names a parent, each answers the one before it. The path to `current_leaf_message_uuid` is the
    session; without it, the path to the last message of the list.

    Raises:
        InvalidInput: it has no list of messages, two of them have the same uuid, or they form a circle.
    """
    messages = record.get("chat_messages") if isinstance(record, dict) else None
    if not isinstance(messages, list):
        raise InvalidInput("record", "has no list of 'chat_messages'")
    places: dict[str, int] = {}
    for place, message in enumerate(messages):
        if not isinstance(message, dict):
            raise InvalidInput(f"chat_messages[{place}]", "is not an object")
        uuid = message.get("uuid")
        if isinstance(uuid, str) and places.setdefault(uuid, place) != place:
            raise InvalidInput(f"chat_messages[{place}].uuid", "is that of an earlier message as well")
    count = len(messages)
    tree = Tree(_parents(messages, places), [True] * count, range(count), "chat_messages")
    leaf = record.get("current_leaf_message_uuid")
    end = places.get(leaf, count - 1) if isinstance(leaf, str) else count - 1
    own = [certain_time(message.get("created_at")) for message in messages]
    began = certain_time(record.get("created_at")) or earliest(own)
    times = tree.inherited(own, began)
    title = record["name"] if isinstance(record.get("name"), str) and record["name"] else None
    fields = {
        "session_id": as_identifier(record.get("uuid")),
        "title": title,
        "model_id": as_identifier(record.get("model")),
        "created_at": began,
        "metadata": known(record, "chat_messages", *(["name"] if title else [])),
    }
    return Branching(
        tree=tree,
        end=end if messages else None,
        fields=fields,
        read=lambda place: _message(messages[place], f"chat_messages[{place}]", own[place], times[place]),
        name=lambda place: as_identifier(messages[place].get("uuid")) or str(place),
    )


def _parents(messages: list[dict[str, Any]], places: dict[str, int]) -> list[int | None]:
    if not any(isinstance(message.get("parent_message_uuid"), str) for message in messages):
        return [place - 1 if place else None for place in range(len(messages))]
    # A parent that is not there is the beginning, which has a uuid of its own in these files.
    named = [message.get("parent_message_uuid") for message in messages]
    return [places.get(name) if isinstance(name, str) else None for name in named]


def _message(message: dict[str, Any], where: str, own: datetime | None, time: datetime | None) -> NewMessage:
    word = message.get("sender")
    role = _ROLES.get(word) if isinstance(word, str) else None
    if role is None:
        raise InvalidInput(f"{where}.sender", f"is not one of {', '.join(_ROLES)}")
    key = as_identifier(message.get("uuid"))
    text, said, block = _content(message)
    payload = said | {name: message[name] for name in _PAYLOAD if message.get(name)}
    in_columns = ["text", "content", *_PAYLOAD]
    in_columns += ["sender"] if word == _WORDS.get(role, role.value) else []
    in_columns += ["uuid"] if key else []
    in_columns += ["created_at"] if own else []
    metadata = known(message, *in_columns) | ({"text_block": block} if block else {})
    if own is None:  # what stands in the column is the time of the message before
        metadata["created_at"] = message.get("created_at")
    columns = {"role": role, "content": text, "payload": payload or None, "key": key, "created_at": time}
    return message_at(where, {**columns, "metadata": metadata})


def _content(message: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The text, what the payload keeps of text and blocks, and what the only block says beside its text.

    The text is that of the text blocks; `text`, which has notices in place of other blocks, where there are none.
    """
    blocks, flat = message.get("content"), message.get("text")
    listed = blocks if isinstance(blocks, list) else []
    texts = [text for block in listed if (text := _text(block)) is not None]
    text = "\n".join(texts) if texts else flat if isinstance(flat, str) else ""
    said: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    if len(listed) == 1 == len(texts):
        beside = {name: value for name, value in known(listed[0], "type", "text").items() if value != []}
    elif blocks is not None and blocks != []:
        said["content"] = blocks
    if flat is not None and flat != text:
        said["text"] = flat
    return text, said, beside


def _text(block: Any) -> str | None:
    if isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str):
        return str(block["text"])
    return None
