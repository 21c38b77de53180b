"""Claude's export (`conversations.json`): a list of messages, each of which may name the one that it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.codecs import anthropic
from chatledger.codecs.turns import Fields
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import Format
from chatledger.exchange.readers.apps.pieces import Pieces
from chatledger.exchange.readers.branching import Branching, as_identifier, earliest, known, message_at
from chatledger.exchange.readers.conversation import part_key
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.readers.trees import Tree
from chatledger.schemas import NewMessage
from chatledger.schemas.message_parts import SOURCE_FORMAT

_ROLES = {"human": Role.USER, "assistant": Role.ASSISTANT, "user": Role.USER, "system": Role.SYSTEM, "tool": Role.TOOL}
_WORDS = {Role.USER: "human"}
# What a message says beside its text.
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
        InvalidInput: it has no list of messages, two of them have the same uuid, or they form a cycle.
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
    parts = Pieces([len(_pieces(message, Role.USER)) for message in messages], _parents(messages, places))
    tree = Tree(parts.parents, [True] * len(parts.parents), range(len(parts.parents)), "chat_messages")
    leaf = record.get("current_leaf_message_uuid")
    last = places.get(leaf, len(messages) - 1) if isinstance(leaf, str) else len(messages) - 1
    own = [certain_time(message.get("created_at")) for message in messages]
    began = certain_time(record.get("created_at")) or earliest(own)
    times = tree.inherited([own[place] for place, _ in parts.of], began)
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
        end=parts.last[last] if messages else None,
        fields=fields,
        read=lambda node: _message(messages, parts.of[node], own, times[node]),
        name=lambda node: part_key(_name(messages, parts, node), parts.of[node][1]) or str(node),
    )


def _name(messages: list[dict[str, Any]], parts: Pieces, node: int) -> str | None:
    return as_identifier(messages[parts.of[node][0]].get("uuid"))


def _parents(messages: list[dict[str, Any]], places: dict[str, int]) -> list[int | None]:
    if not any(isinstance(message.get("parent_message_uuid"), str) for message in messages):
        return [place - 1 if place else None for place in range(len(messages))]
    # A parent that is not there is the beginning, which has a uuid of its own in these files.
    named = [message.get("parent_message_uuid") for message in messages]
    return [places.get(name) if isinstance(name, str) else None for name in named]


def _message(
    messages: list[dict[str, Any]], part: tuple[int, int], own: list[datetime | None], time: datetime | None
) -> NewMessage:
    place, number = part
    message, where = messages[place], f"chat_messages[{place}]"
    word = message.get("sender")
    role = _ROLES.get(word) if isinstance(word, str) else None
    if role is None:
        raise InvalidInput(f"{where}.sender", f"is not one of {', '.join(_ROLES)}")
    key = as_identifier(message.get("uuid"))
    fields = {**_pieces(message, role)[number], "key": part_key(key, number), "created_at": time}
    if number:
        return message_at(where, fields)
    in_columns = ["text", "content", *_PAYLOAD]
    in_columns += ["sender"] if word == _WORDS.get(role, role.value) else []
    in_columns += ["uuid"] if key else []
    in_columns += ["created_at"] if own[place] else []
    metadata = known(message, *in_columns) | fields.get("metadata", {})
    if own[place] is None:  # what stands in the column is the time of the message before
        metadata["created_at"] = message.get("created_at")
    return message_at(where, {**fields, "metadata": metadata})


def _pieces(message: dict[str, Any], role: Role) -> list[Fields]:
    """The messages that one of the file becomes. All that it says beside its blocks is with the first.

    The text is that of the text blocks; `text`, which has notices in place of other blocks, where there are none. The
    text of attachments follows it, each under the name of its file.
    """
    blocks, flat = message.get("content"), message.get("text")
    listed = blocks if isinstance(blocks, list) else []
    source: dict[str, Any] = {}
    if len(listed) == 1 and _is_text(listed[0]):
        beside = {name: value for name, value in known(listed[0], "type", "text").items() if value != []}
        pieces: list[Fields] = [{"role": role, "content": listed[0]["text"]}]
        if beside:
            pieces[0]["metadata"] = {"text_block": beside}
    elif listed:
        pieces = anthropic.messages_of(role, listed, Format.CLAUDE.value)
    else:
        pieces = [{"role": role, "content": ""}]
        if blocks is not None and blocks != []:
            source["content"] = blocks
    has_text = any(_is_text(block) for block in listed)
    if not has_text and isinstance(flat, str) and pieces[0]["role"] is role:
        pieces[0]["content"] = "\n\n".join(filter(None, [flat, pieces[0]["content"]]))
    said = "\n".join(block["text"] for block in listed if _is_text(block)) if has_text else pieces[0]["content"]
    if flat is not None and flat != said:
        source["text"] = flat
    source |= {name: message[name] for name in _PAYLOAD if message.get(name)}
    if attached := _attached(message.get("attachments")):
        source.setdefault("text", pieces[0]["content"])
        pieces[0]["content"] = "\n\n".join(filter(None, [pieces[0]["content"], *attached]))
    if source:
        payload = pieces[0].get("payload") or {}
        pieces[0]["payload"] = {**payload, SOURCE_FORMAT: Format.CLAUDE.value, **source}
    return pieces


def _attached(attachments: Any) -> list[str]:
    """The text of attachments, each under the name of its file."""
    found = []
    for one in attachments if isinstance(attachments, list) else []:
        text = one.get("extracted_content") if isinstance(one, dict) else None
        if isinstance(text, str) and text:
            name = one.get("file_name")
            found.append(f"[{name}]\n{text}" if isinstance(name, str) and name else text)
    return found


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str)
