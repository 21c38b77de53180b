"""Google AI Studio's prompts, as they lie in Google Drive: one JSON document for each conversation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import Format
from chatledger.exchange.readers.branching import as_identifier, known, message_at
from chatledger.exchange.readers.conversation import Conversation, Turn, Unreadable, each_record
from chatledger.exchange.readers.json_file import Piece
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.report import Failure
from chatledger.schemas.message_parts import payload_of, reasoning

_ROLES = {"user": Role.USER, "model": Role.ASSISTANT, "system": Role.SYSTEM}
_COLUMNS = ("text", "role", "tokenCount", "isThought", "createTime", "parts")


def holds(value: Any) -> bool:
    """Whether a record is a prompt."""
    prompt = value.get("chunkedPrompt") if isinstance(value, dict) else None
    return isinstance(prompt, dict) and isinstance(prompt.get("chunks"), list)


def conversations(pieces: Iterable[Piece]) -> Iterator[Conversation | Failure]:
    """The conversations of a file, one for each record. They have no ids: each import of the same file is another."""
    return each_record(pieces, holds, "has no 'chunkedPrompt' with 'chunks'", _conversation)


def _conversation(piece: Piece, record: dict[str, Any]) -> Conversation:
    settings = record.get("runSettings")
    model = settings.get("model") if isinstance(settings, dict) else None
    prompt = _text(record.get("systemInstruction"))
    fields = {
        "model_id": as_identifier(model.removeprefix("models/")) if isinstance(model, str) else None,
        "system_prompt": prompt or None,
        "metadata": known(record, "chunkedPrompt", "systemInstruction"),
    }
    return Conversation(piece.number, piece.line, _turns(piece, record["chunkedPrompt"]["chunks"]), fields)


def _turns(piece: Piece, chunks: list[Any]) -> Iterator[Turn]:
    thoughts: list[str] = []
    for place, chunk in enumerate(chunks):
        where = f"chunks[{place}]"
        try:
            if not isinstance(chunk, dict):
                raise InvalidInput(where, "is not an object")
            text = _text(chunk)
            if chunk.get("isThought") is True:
                thoughts.append(text)  # of the answer that follows
                continue
            word = chunk.get("role")
            role = _ROLES.get(word) if isinstance(word, str) else None
            if role is None:
                raise InvalidInput(f"{where}.role", f"is not one of {', '.join(_ROLES)}")
            payload = payload_of(
                reasoning=[reasoning(thought) for thought in thoughts if role is Role.ASSISTANT],
                source_format=Format.AI_STUDIO.value,
                source=known(chunk, *_COLUMNS),
            )
            count = chunk.get("tokenCount")
            fields: dict[str, Any] = {
                "role": role,
                "content": text,
                "created_at": certain_time(chunk.get("createTime")),
            }
            # It counts this text alone, and not what was sent with it.
            if type(count) is int and count >= 0:
                fields["tokens_used"] = count
            if payload is not None:
                fields["payload"] = payload
            thoughts = []
            yield Turn(None, message_at(where, fields))
        except InvalidInput as error:
            raise Unreadable(piece.number, piece.line, error) from None


def _text(holder: Any) -> str:
    """The text of a chunk: its own, or that of the parts in which it was streamed."""
    if not isinstance(holder, dict):
        return ""
    parts = holder.get("parts")
    if isinstance(holder.get("text"), str) or not isinstance(parts, list):
        return text_in(holder.get("text"))
    said = (part.get("text") for part in parts if isinstance(part, dict) and part.get("thought") is not True)
    return "".join(text for text in said if isinstance(text, str))
