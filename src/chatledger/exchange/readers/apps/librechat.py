"""LibreChat's exports of a conversation: messages that know their parent, in a list or nested in their answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.codecs.turns import Fields
from chatledger.enums import Outcome, Role
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import Format
from chatledger.exchange.readers.apps.pieces import Pieces
from chatledger.exchange.readers.branching import Branching, as_identifier, earliest, known, message_at
from chatledger.exchange.readers.conversation import part_key
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.readers.trees import Tree
from chatledger.schemas import NewMessage
from chatledger.schemas.message_parts import payload_of, reasoning, tool_call, tool_result

_COLUMNS = (
    "messageId", "parentMessageId", "conversationId", "sender", "isCreatedByUser", "text", "content", "createdAt",
    "model", "children", "error", "unfinished", "user", "updatedAt", "files", "attachments",
)  # fmt: skip


def holds(value: Any) -> bool:
    """Whether a record is a conversation of an export."""
    listed = _listed(value)
    return isinstance(value, dict) and "conversationId" in value and bool(listed) and "messageId" in listed[0]


def branching(record: Any) -> Branching:
    """The session and the forks that a conversation becomes. The way that was last written is the session.

    Raises:
        InvalidInput: it has no list of messages, two of them have the same id, or they form a cycle.
    """
    if not isinstance(record, dict) or not isinstance(record.get("messages"), list):
        raise InvalidInput("record", "has no list of 'messages'")
    messages = list(_flat(record["messages"]))
    places: dict[str, int] = {}
    for place, message in enumerate(messages):
        name = message.get("messageId")
        if isinstance(name, str) and places.setdefault(name, place) != place:
            raise InvalidInput(f"messages[{place}].messageId", "is that of an earlier message as well")
    answered = [
        places.get(parent) if isinstance(parent := message.get("parentMessageId"), str) else None
        for message in messages
    ]
    pieces = Pieces([len(_pieces(message)) for message in messages], answered)
    tree = Tree(pieces.parents, [True] * len(pieces.parents), range(len(pieces.parents)), "messages")
    own = [certain_time(message.get("createdAt")) for message in messages]
    began = earliest(own)
    times = tree.inherited([own[place] for place, _ in pieces.of], began)
    options = record.get("options")
    title = record.get("title")
    newest = max(
        range(len(messages)), key=lambda place: (own[place] is not None, own[place] or began, place), default=0
    )
    return Branching(
        tree=tree,
        end=pieces.last[newest] if messages else None,
        fields={
            "session_id": as_identifier(record.get("conversationId")),
            "title": title if isinstance(title, str) and title else None,
            "model_id": as_identifier(options.get("model")) if isinstance(options, dict) else None,
            "created_at": began,
            "metadata": known(record, "messages", "conversationId", "title"),
        },
        read=lambda node: _message(messages, pieces.of[node], times[node]),
        name=lambda node: part_key(_name(messages, pieces, node), pieces.of[node][1]) or str(node),
    )


def _listed(record: Any) -> list[dict[str, Any]]:
    found = record.get("messages") if isinstance(record, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _flat(listed: list[Any]) -> Iterator[dict[str, Any]]:
    """All messages, those of answers that are nested too, each before its answers. Without recursion: chats are long."""
    ahead = listed[::-1]
    place = 0
    while ahead:
        message = ahead.pop()
        if not isinstance(message, dict):
            raise InvalidInput(f"messages[{place}]", "is not an object")
        yield message
        place += 1
        children = message.get("children")
        if isinstance(children, list):
            ahead += children[::-1]


def _name(messages: list[dict[str, Any]], pieces: Pieces, node: int) -> str | None:
    return as_identifier(messages[pieces.of[node][0]].get("messageId"))


def _message(messages: list[dict[str, Any]], part: tuple[int, int], time: datetime | None) -> NewMessage:
    place, number = part
    message = messages[place]
    key = part_key(as_identifier(message.get("messageId")), number)
    fields = {"created_at": time, **_pieces(message)[number], "key": key}
    if not number and (metadata := known(message, *_COLUMNS)):
        fields["metadata"] = metadata
    return message_at(f"messages[{place}]", fields)


def _pieces(message: dict[str, Any]) -> list[Fields]:
    """The message, and a message for the result of each tool that was called in it."""
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    calls = [call for part in parts if isinstance(call := part.get("tool_call"), dict) and _is_text(call.get("name"))]
    texts = [text_in(part.get("text")) for part in parts if part.get("type") == "text"]
    text = message.get("text")
    source = {name: message[name] for name in ("files", "attachments") if message.get(name)}
    if odd := [part for part in parts if part.get("type") not in ("text", "think", "tool_call")]:
        source["content"] = odd
    payload = payload_of(
        tool_calls=[tool_call(call["name"], call.get("args"), id=as_identifier(call.get("id"))) for call in calls],
        reasoning=[reasoning(text_in(part.get("think"))) for part in parts if part.get("type") == "think"],
        source_format=Format.LIBRECHAT.value,
        source=source,
    )
    is_users = message.get("isCreatedByUser") is True
    said: Fields = {
        "role": Role.USER if is_users else Role.ASSISTANT,
        "content": text if _is_text(text) else "\n\n".join(filter(None, texts)),
        "name": None if is_users else as_identifier(message.get("sender")),
        "model_id": None if is_users else as_identifier(message.get("model")),
    }
    if payload is not None:
        said["payload"] = payload
    if message.get("error") is True:
        said["outcome"] = Outcome.ERROR
    elif message.get("unfinished") is True:
        said["outcome"] = Outcome.INTERRUPTED
    results = [
        tool_result(
            text_in(call["output"]), tool_call_id=as_identifier(call.get("id")), name=as_identifier(call["name"])
        )
        for call in calls
        if call.get("output") is not None
    ]
    return [said, *results]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
