"""Records that hold a list of messages, or the list itself, as conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import Format
from chatledger.exchange.message_format import Notation
from chatledger.exchange.readers import openai, role_messages, sharegpt
from chatledger.exchange.readers.conversation import Conversation, Turn, Unreadable
from chatledger.exchange.readers.json_file import Piece
from chatledger.exchange.report import Failure
from chatledger.schemas import NewMessage

# Names under which an empty list is a conversation, too.
_LISTS = (
    "messages",
    "contents",
    "conversations",
    "conversation",
    "history",
    "traj",
    "trajectory",
    "dialog",
    "dialogue",
    "turns",
)
_IDS = ("session_id", "conversation_id")
LIST_NAME = "messages_field"
"""Metadata of a conversation whose record holds several: which of the lists it is."""

_Reader = Callable[[Any, str], list[NewMessage]]
_WITH_ROLES: tuple[Notation, _Reader] = (openai.NOTATION, role_messages.read_messages)
_FORMATS: dict[Format, tuple[Notation, _Reader]] = {
    Format.OPENAI: _WITH_ROLES,
    Format.ANTHROPIC: _WITH_ROLES,
    Format.GEMINI: _WITH_ROLES,
    Format.AI_SDK: _WITH_ROLES,
    Format.SHAREGPT: (sharegpt.NOTATION, lambda item, place: [sharegpt.from_sharegpt(item, place)]),
}
# Where records have the system prompt, beside their messages.
_SYSTEM = {
    Format.SHAREGPT: ("system",),
    Format.ANTHROPIC: ("system",),
    Format.AI_SDK: ("system",),
    Format.GEMINI: ("systemInstruction", "system_instruction"),
}


def holds(chosen: Format, value: Any) -> bool:
    """Whether a record is a message of a format, a list of them, or has such a list."""
    notation, _ = _FORMATS[chosen]
    found = (
        [value] if notation.is_turn(value) else [item for items in _lists(notation, value).values() for item in items]
    )
    if chosen in (Format.OPENAI, Format.SHAREGPT):
        return bool(found) or bool(_lists(notation, value))
    return role_messages.format_among(found) is chosen


def conversations(chosen: Format, pieces: Iterable[Piece]) -> Iterator[Conversation | Failure]:
    """The conversations of a file in a format.

    When the first record is a message, the records are one conversation, however long. Else each record is one, or as
    many as it has lists of messages. The record's other fields become metadata of its sessions; `title`, `model`, a
    time, `system` (ShareGPT) and `session_id` or `conversation_id` also fill the session's own fields.
    """
    notation, read = _FORMATS[chosen]
    pieces = iter(pieces)
    first = next(pieces, None)
    if first is None:
        return
    pieces = chain((first,), pieces)
    if _is_turn(notation, first):
        yield Conversation(record=1, line=first.line, messages=_transcript(read, pieces))
        return
    for piece in pieces:
        try:
            yield from _record(chosen, piece, piece.value())
        except InvalidInput as error:
            yield Failure(record=piece.number, line=piece.line, reason=str(error))


def _record(chosen: Format, piece: Piece, record: Any) -> list[Conversation]:
    notation, read = _FORMATS[chosen]
    lists = _lists(notation, record)
    if not lists:
        raise InvalidInput("record", f"has no list of messages with {notation.speaker!r} and {notation.text!r}")
    if isinstance(record, list):
        record = {}
    metadata = {name: value for name, value in record.items() if name not in lists}
    fields = openai.model_and_time(record)
    if isinstance(record.get("title"), str):
        fields["title"] = record["title"]
    for name in _SYSTEM.get(chosen, ()):
        if isinstance(metadata.get(name), str) and metadata[name]:
            fields["system_prompt"] = metadata.pop(name)
        elif text := _system_text(metadata.get(name)):
            fields["system_prompt"] = text  # and what it is more than text stays in the metadata
    if len(lists) == 1:
        fields["session_id"] = next((record[name] for name in _IDS if _is_id(record.get(name))), None)
        return [_conversation(piece, read, *only, fields, metadata) for only in lists.items()]
    # Which of several lists it was cannot be told from the messages.
    return [_conversation(piece, read, *one, fields, {**metadata, LIST_NAME: one[0]}) for one in lists.items()]


def _conversation(
    piece: Piece, read: _Reader, name: str, items: list[Any], fields: dict[str, Any], metadata: dict[str, Any]
) -> Conversation:
    messages = _turns(piece, read, name, items)
    keyed = any(role_messages.format_of(item) is Format.AI_SDK for item in items)
    return Conversation(piece.number, piece.line, messages, {**fields, "metadata": metadata}, keyed=keyed)


def _turns(piece: Piece, read: _Reader, name: str, items: list[Any]) -> Iterator[Turn]:
    for index, item in enumerate(items):
        try:
            messages = read(item, f"{name}[{index}]")
        except InvalidInput as error:
            raise Unreadable(piece.number, piece.line, error) from None
        for message in messages:
            yield Turn(None, message)


def _transcript(read: _Reader, pieces: Iterable[Piece]) -> Iterator[Turn]:
    for piece in pieces:
        try:
            messages = read(piece.value(), "message")
        except InvalidInput as error:
            raise Unreadable(piece.number, piece.line, error) from None
        for message in messages:
            yield Turn(piece.line, message)


def _is_turn(notation: Notation, piece: Piece) -> bool:
    try:
        return notation.is_turn(piece.value()) and not _lists(notation, piece.value())
    except InvalidInput:
        return False


def _lists(notation: Notation, value: Any) -> dict[str, list[Any]]:
    """The lists of messages in a record, by name. A list of other things that only begins like one is none."""
    if isinstance(value, list):
        return {"messages": value} if value and notation.is_turn(value[0]) else {}
    if not isinstance(value, dict):
        return {}
    filled = {k: v for k, v in value.items() if isinstance(v, list) and v and notation.is_turn(v[0])}
    empty = {name: value[name] for name in _LISTS if value.get(name) == []}
    return filled or dict(list(empty.items())[:1])


def _system_text(value: Any) -> str:
    """The text of a system prompt that is a list of blocks, or a content with parts."""
    return text_in(value.get("parts") if isinstance(value, dict) else value) if isinstance(value, dict | list) else ""


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
