"""OpenAssistant's message trees: a prompt, whose replies have replies. People ranked them, 0 is the best."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.exchange.readers.branching import Branching, as_identifier, earliest, known, message_at
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.readers.trees import Tree
from chatledger.schemas import NewMessage

_ROLES = {"prompter": Role.USER, "assistant": Role.ASSISTANT}


def holds(value: Any) -> bool:
    """Whether a record is a message tree."""
    return isinstance(value, dict) and "message_tree_id" in value and isinstance(value.get("prompt"), dict)


def branching(record: Any) -> Branching:
    """The session and the forks that a tree becomes: its best path, and all others.

    The best reply has the lowest rank; replies without a rank stand behind those with one, as the file has them.

    Raises:
        InvalidInput: it has no prompt, something in it is no message, or two messages have the same id.
    """
    prompt = record.get("prompt") if isinstance(record, dict) else None
    if not isinstance(prompt, dict):
        raise InvalidInput("record", "has no 'prompt' with replies")
    messages, parents = _messages(prompt)
    tree = Tree(parents, [True] * len(messages), [_rank(message) for message in messages], "prompt")
    own = [certain_time(message.get("created_date")) for message in messages]
    began = earliest(own)
    times = tree.inherited(own, began)
    fields = {
        "session_id": as_identifier(record.get("message_tree_id")),
        "created_at": began,
        "metadata": known(record, "prompt"),
    }
    return Branching(
        tree=tree,
        end=tree.end(last=False),
        fields=fields,
        read=lambda place: _message(messages[place], f"message {place}", own[place], times[place]),
        follows_last=False,
        name=lambda place: as_identifier(messages[place].get("message_id")) or str(place),
    )


def _messages(prompt: dict[str, Any]) -> tuple[list[dict[str, Any]], list[int | None]]:
    """All messages of a tree as the file has them, and whom each answers."""
    messages: list[dict[str, Any]] = []
    parents: list[int | None] = []
    known_ids: set[str] = set()
    ahead: list[tuple[Any, int | None]] = [(prompt, None)]
    while ahead:
        message, parent = ahead.pop()
        place = len(messages)
        if not isinstance(message, dict):
            raise InvalidInput(f"message {place}", "is not an object")
        replies = [] if message.get("replies") is None else message["replies"]
        if not isinstance(replies, list):
            raise InvalidInput(f"message {place}.replies", "is not a list")
        name = message.get("message_id")
        if isinstance(name, str):
            if name in known_ids:
                raise InvalidInput(f"message {place}.message_id", "is that of an earlier message as well")
            known_ids.add(name)
        messages.append(message)
        parents.append(parent)
        ahead += [(reply, place) for reply in reversed(replies)]
    return messages, parents


def _rank(message: dict[str, Any]) -> tuple[bool, float]:
    rank = message.get("rank")
    if isinstance(rank, int | float) and not isinstance(rank, bool):
        return False, rank
    return True, 0


def _message(message: dict[str, Any], where: str, own: datetime | None, time: datetime | None) -> NewMessage:
    word = message.get("role")
    role = _ROLES.get(word) if isinstance(word, str) else None
    if role is None:
        raise InvalidInput(f"{where}.role", f"is not one of {', '.join(_ROLES)}")
    text, key, model = (
        message.get("text"),
        as_identifier(message.get("message_id")),
        as_identifier(message.get("model_name")),
    )
    columns = {
        "role": role,
        "content": text if isinstance(text, str) else "",
        "payload": None if isinstance(text, str) else {"text": text},
        "model_id": model,
        "key": key,
        "created_at": time,
    }
    in_columns = ["role", "replies", *(["text"] if isinstance(text, str) else [])]
    in_columns += [name for name, kept in (("message_id", key), ("created_date", own), ("model_name", model)) if kept]
    metadata = known(message, *in_columns)
    return message_at(where, {**columns, "metadata": metadata})
