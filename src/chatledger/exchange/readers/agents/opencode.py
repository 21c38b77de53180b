"""OpenCode's sessions (`opencode export ID`): one JSON document with messages, each with its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.codecs.turns import Fields
from chatledger.enums import Outcome, Role
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
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.report import Failure
from chatledger.schemas.message_parts import payload_of, reasoning, tool_call, tool_result

_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}
_KNOWN = ("text", "reasoning", "tool", "step-start", "step-finish", "snapshot", "patch")
_COLUMNS = ("id", "sessionID", "role", "time", "modelID", "tokens", "cost")


def holds(value: Any) -> bool:
    """Whether a record is an exported session."""
    if not isinstance(value, dict) or not isinstance(value.get("info"), dict):
        return False
    messages = value.get("messages")
    return isinstance(messages, list) and all(
        isinstance(one, dict) and isinstance(one.get("info"), dict) and isinstance(one.get("parts"), list)
        for one in messages[:3]
    )


def conversations(pieces: Iterable[Piece]) -> Iterator[Conversation | Failure]:
    """The conversations of a file, one for each record."""
    return each_record(pieces, lists_messages, "has no list of 'messages'", _conversation)


def _conversation(piece: Piece, record: dict[str, Any]) -> Conversation:
    info = record["info"] if isinstance(record.get("info"), dict) else {}
    title = info.get("title")
    models = (_model(message.get("info")) for message in record["messages"] if isinstance(message, dict))
    fields = {
        "session_id": as_identifier(info.get("id")),
        "title": title if isinstance(title, str) and title else None,
        "project_id": as_identifier(info.get("directory")),
        "model_id": next(filter(None, models), None),
        "created_at": _time(info, "created"),
        "metadata": {"agent": Format.OPENCODE.value, **known(info, "id", "title", "directory", "time")},
    }
    parent = as_identifier(info.get("parentID"))
    return Conversation(piece.number, piece.line, _turns(piece, record), fields, keyed=True, parent=parent)


def _turns(piece: Piece, record: dict[str, Any]) -> Iterator[Turn]:
    for place, message in enumerate(record["messages"]):
        where = f"messages[{place}]"
        try:
            if not isinstance(message, dict) or not isinstance(message.get("info"), dict):
                raise InvalidInput(where, "has no 'info'")
            key = as_identifier(message["info"].get("id"))
            for number, fields in enumerate(_pieces(message, where)):
                yield Turn(None, message_at(where, {**fields, "key": part_key(key, number)}))
        except InvalidInput as error:
            raise Unreadable(piece.number, piece.line, error) from None


def _pieces(message: dict[str, Any], where: str) -> list[Fields]:
    """The message, and those of the tools that were called in it."""
    info = message["info"]
    word = info.get("role")
    role = _ROLES.get(word) if isinstance(word, str) else None
    if role is None:
        raise InvalidInput(f"{where}.info.role", f"is not one of {', '.join(_ROLES)}")
    listed = message.get("parts")
    parts = [part for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
    tools = [part for part in parts if part.get("type") == "tool" and as_identifier(part.get("tool"))]
    texts = [text_in(part.get("text")) for part in parts if part.get("type") == "text"]
    others = [part for part in parts if part.get("type") not in _KNOWN]
    payload = payload_of(
        tool_calls=[
            tool_call(part["tool"], _state(part).get("input"), id=as_identifier(part.get("callID"))) for part in tools
        ],
        reasoning=[reasoning(text_in(part.get("text"))) for part in parts if part.get("type") == "reasoning"],
        source_format=Format.OPENCODE.value,
        source={"parts": others} if others else {},
    )
    time = _time(info, "created")
    said: Fields = {
        "role": role,
        "content": "\n\n".join(filter(None, texts)),
        "model_id": _model(info) if role is Role.ASSISTANT else None,
        "created_at": time,
    }
    if payload is not None:
        said["payload"] = payload
    if role is Role.ASSISTANT:
        said |= _usage(info)
        done = _time(info, "completed")
        if time and done and done >= time:
            said["duration_ms"] = round((done - time).total_seconds() * 1000)
        if info.get("error"):
            said["outcome"] = Outcome.ERROR
    if metadata := known(info, *_COLUMNS):
        said["metadata"] = metadata
    return [said, *(_result(part, time) for part in tools if _state(part).get("status") in ("completed", "error"))]


def _result(part: dict[str, Any], time: datetime | None) -> Fields:
    state = _state(part)
    is_error = state.get("status") == "error"
    fields = tool_result(
        text_in(state.get("error") if is_error else state.get("output")),
        tool_call_id=as_identifier(part.get("callID")),
        name=as_identifier(part["tool"]),
        is_error=is_error,
    )
    return {**fields, "created_at": _time(state, "end") or time}


def _usage(info: dict[str, Any]) -> Fields:
    """Its tokens. OpenCode counts cached input, cache writes and reasoning apart from input and output."""
    tokens = info.get("tokens")
    if not isinstance(tokens, dict):
        return {}
    cache = tokens.get("cache")
    read, written = (_count(cache, name) if isinstance(cache, dict) else 0 for name in ("read", "write"))
    thought = _count(tokens, "reasoning")
    found: Fields = {
        "input_tokens": _count(tokens, "input") + read + written,
        "output_tokens": _count(tokens, "output") + thought,
    }
    counted = {"cached_tokens": read, "cache_write_tokens": written, "reasoning_tokens": thought}
    found |= {name: count for name, count in counted.items() if count}
    return found if any(found.values()) else {}


def _count(holder: dict[str, Any], name: str) -> int:
    value = holder.get(name)
    return value if type(value) is int and value >= 0 else 0


def _model(info: Any) -> str | None:
    return as_identifier(info.get("modelID")) if isinstance(info, dict) else None


def _state(part: dict[str, Any]) -> dict[str, Any]:
    state = part.get("state")
    return state if isinstance(state, dict) else {}


def _time(holder: dict[str, Any], name: str) -> datetime | None:
    """A time in milliseconds since 1970."""
    times = holder.get("time")
    value = times.get(name) if isinstance(times, dict) else None
    return certain_time(value / 1000) if isinstance(value, int | float) and not isinstance(value, bool) else None
