"""Gemini CLI's chats (`~/.gemini/tmp/*/chats/session-*.json`): one JSON document for each session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.codecs.turns import Fields
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import Format
from chatledger.exchange.readers.branching import as_identifier, known, message_at
from chatledger.exchange.readers.conversation import (
    Conversation,
    Turn,
    Unreadable,
    each_record,
    lists_messages,
    part_key,
)
from chatledger.exchange.readers.json_file import Piece
from chatledger.exchange.readers.openai import read_usage
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.report import Failure
from chatledger.schemas.message_parts import payload_of, reasoning, tool_call, tool_result

_ROLES = {"user": Role.USER, "gemini": Role.ASSISTANT}


def holds(value: Any) -> bool:
    """Whether a record is a chat."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("sessionId"), str)
        and isinstance(value.get("messages"), list)
        and ("projectHash" in value or any(_kind(message) == "gemini" for message in value["messages"]))
    )


def conversations(pieces: Iterable[Piece]) -> Iterator[Conversation | Failure]:
    """The conversations of a file, one for each record."""
    return each_record(pieces, lists_messages, "has no list of 'messages'", _conversation)


def _conversation(piece: Piece, record: dict[str, Any]) -> Conversation:
    summary = record.get("summary")
    metadata = known(record, "messages", "sessionId", "startTime", "lastUpdated", "summary")
    models = (as_identifier(message.get("model")) for message in record["messages"] if isinstance(message, dict))
    fields = {
        "session_id": as_identifier(record.get("sessionId")),
        "title": summary if isinstance(summary, str) and summary else None,
        "model_id": next(filter(None, models), None),
        "created_at": certain_time(record.get("startTime")),
        "metadata": {"agent": Format.GEMINI_CLI.value, **metadata},
    }
    return Conversation(piece.number, piece.line, _turns(piece, record), fields, keyed=True)


def _turns(piece: Piece, record: dict[str, Any]) -> Iterator[Turn]:
    for place, message in enumerate(record["messages"]):
        where = f"messages[{place}]"
        try:
            if not isinstance(message, dict):
                raise InvalidInput(where, "is not an object")
            key, time = as_identifier(message.get("id")), certain_time(message.get("timestamp"))
            for number, fields in enumerate(_pieces(message)):
                yield Turn(None, message_at(where, {"created_at": time, **fields, "key": part_key(key, number)}))
        except InvalidInput as error:
            raise Unreadable(piece.number, piece.line, error) from None


def _pieces(message: dict[str, Any]) -> list[Fields]:
    """The message, and those of the tools that were called in it."""
    kind = _kind(message)
    role = _ROLES.get(kind, Role.SYSTEM)
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    beside = [part for part in parts if part is not None and not isinstance(part, str) and not text_in([part])]
    calls = [call for call in _listed(message, "toolCalls") if isinstance(call.get("name"), str) and call["name"]]
    payload = payload_of(
        tool_calls=[tool_call(call["name"], call.get("args"), id=as_identifier(call.get("id"))) for call in calls],
        reasoning=[
            reasoning(": ".join(filter(None, [text_in(thought.get("subject")), text_in(thought.get("description"))])))
            for thought in _listed(message, "thoughts")
        ],
        source_format=Format.GEMINI_CLI.value,
        source={"content": parts} if beside else {},
    )
    said: Fields = {"role": role, "content": text_in(content), "model_id": as_identifier(message.get("model"))}
    if payload is not None:
        said["payload"] = payload
    if role is Role.SYSTEM:
        said |= {"hidden": True, "metadata": {"type": kind}}
    if isinstance(message.get("tokens"), dict):
        said |= read_usage(_usage(message["tokens"]))
    return [said, *(_result(call) for call in calls if call.get("result") is not None)]


def _result(call: dict[str, Any]) -> Fields:
    responses = [part.get("functionResponse") for part in call["result"] if isinstance(part, dict)] if isinstance(
        call["result"], list
    ) else []  # fmt: skip
    values = [part.get("response") for part in responses if isinstance(part, dict)]
    texts = [value.get("output", value.get("error")) if isinstance(value, dict) else value for value in values]
    fields = tool_result(
        text_in(texts if values else call["result"]) or text_in(call.get("resultDisplay")),
        tool_call_id=as_identifier(call.get("id")),
        name=as_identifier(call["name"]),
        is_error=call.get("status") == "error",
    )
    time = certain_time(call.get("timestamp"))
    return fields if time is None else {**fields, "created_at": time}


def _usage(tokens: dict[str, Any]) -> dict[str, Any]:
    """The tokens of a message in the form of the API that counted them."""
    return known({
        "promptTokenCount": tokens.get("input"),
        "candidatesTokenCount": tokens.get("output"),
        "cachedContentTokenCount": tokens.get("cached"),
        "thoughtsTokenCount": tokens.get("thoughts"),
        "toolUsePromptTokenCount": tokens.get("tool"),
        "totalTokenCount": tokens.get("total"),
    })  # fmt: skip


def _listed(message: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = message.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _kind(message: Any) -> str:
    kind = message.get("type") if isinstance(message, dict) else None
    return kind if isinstance(kind, str) else ""
