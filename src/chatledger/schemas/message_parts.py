"""Tool calls, tool results and reasoning: the one form in which messages hold them, whatever they were read from.

    payload["tool_calls"]   a list, each entry as OpenAI's chat API has it: id, type, function (name, arguments as text)
    payload["reasoning"]    a list, each entry with a text, and whatever else the provider says of it
    role "tool"             the result of one call: its text is the content, `tool_call_id` says of which call;
                            payload["result"] has it as JSON where it is more than text, and payload["is_error"] is true
                            if the tool failed

Readers of files and of other programs' databases build them here, and so can you. `Message.tool_calls`,
`Message.tool_result` and `Message.reasoning` read them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from chatledger.dialects.encoding import encode_json
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.schemas.fields import MAX_IDENTIFIER, Record, flags

TOOL_CALLS = "tool_calls"
REASONING = "reasoning"
RESULT = "result"
"""In the payload of a tool's result."""
IS_ERROR = "is_error"
SOURCE_FORMAT = "source_format"
"""In the payload of a message that also keeps fields of its source as they were: whose fields these are."""


class ToolCall(Record):
    """A tool call of a message."""

    name: str
    """The tool that was called."""
    arguments: Any = None
    """What it was called with: the parsed JSON, or the text as it was if it is not JSON."""
    id: str | None = None
    """What the result names as its `tool_call_id`. Some formats have none."""


class ToolResult(Record):
    """What a tool returned: a message with the role `tool` holds one."""

    content: str
    """The result as text: what search finds."""
    tool_call_id: str | None = None
    """The id of the call."""
    name: str | None = None
    """The tool that was called."""
    value: Any = None
    """The result as JSON, if it is more than text."""
    is_error: bool = False
    """Whether the tool failed."""


class Reasoning(Record):
    """A thought of a model, before or between its answers."""

    text: str
    """Empty if the provider keeps the thought to itself, and gives a signature or an encrypted text only."""
    details: dict[str, Any] = Field(default_factory=dict)
    """What else the provider says of it, under the provider's names."""


def tool_call(name: str, arguments: Any = None, id: str | None = None, **details: Any) -> dict[str, Any]:
    """An entry of `payload["tool_calls"]`.

    `arguments` are a JSON value, or text, which is kept exactly as the model wrote it. `details` are further keys of
    the entry, for what a provider says beyond the form.

        payload={"tool_calls": [tool_call("get_weather", {"city": "Lisbon"}, id="call_1")]}

    Raises:
        InvalidInput: the name or the id is not text, or the arguments cannot be stored as JSON.
    """
    _require_texts(name=name, id=id)
    text = arguments if isinstance(arguments, str) else _json({} if arguments is None else arguments)
    entry: dict[str, Any] = {} if id is None else {"id": id}
    return {**entry, "type": "function", "function": {"name": name, "arguments": text}, **details}


def reasoning(text: str, **details: Any) -> dict[str, Any]:
    """An entry of `payload["reasoning"]`: one thought. `details` are further keys, such as a provider's `signature`.

    Raises:
        InvalidInput: the thought is not text.
    """
    _require_texts(text=text)
    return {"text": text, **details}


def tool_result(
    content: str,
    *,
    tool_call_id: str | None = None,
    name: str | None = None,
    value: Any = None,
    is_error: bool = False,
    **payload: Any,
) -> dict[str, Any]:
    """The fields of a message with the result of one call, as `append` and `NewMessage` take them.

    Two results are two messages. `content` is the result as text, which search finds; `value` is the result as JSON
    where it is more than that. `payload` adds further keys to the message's payload. An id or a name that is too long
    for its column is kept in the payload.

        uow.messages.append("report", **tool_result("21 °C", tool_call_id="call_1", name="get_weather"))

    Raises:
        InvalidInput: the content, the id or the name is not text, or `is_error` is neither true nor false.
    """
    flags(is_error=is_error)
    _require_texts(content=content, tool_call_id=tool_call_id, **({} if name is None else {"name": name}))
    fields: dict[str, Any] = {"role": Role.TOOL, "content": content}
    for column, given in (("tool_call_id", tool_call_id), ("name", name)):
        if given is not None and 0 < len(given) <= MAX_IDENTIFIER:
            fields[column] = given
        elif given:
            payload[column] = given
    said = ({} if value is None else {RESULT: value}) | ({IS_ERROR: True} if is_error else {}) | payload
    return {**fields, "payload": said} if said else fields


def payload_of(
    *,
    tool_calls: Iterable[Mapping[str, Any]] = (),
    reasoning: Iterable[Mapping[str, Any]] = (),
    source_format: str | None = None,
    source: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """The payload of a message: the entries that `tool_call` and `reasoning` built, and fields of its source.

    `source` are fields that are kept as they were in the format `source_format`: writers of other formats leave them
    out. None if there is nothing to keep.
    """
    payload: dict[str, Any] = {}
    if calls := [dict(entry) for entry in tool_calls]:
        payload[TOOL_CALLS] = calls
    if thoughts := [dict(entry) for entry in reasoning]:
        payload[REASONING] = thoughts
    if source:
        payload |= ({} if source_format is None else {SOURCE_FORMAT: source_format}) | dict(source)
    return payload or None


def read_tool_calls(payload: Any) -> tuple[ToolCall, ...]:
    """The tool calls that a payload holds in this form. Entries in another form are left out."""
    entries = payload.get(TOOL_CALLS) if isinstance(payload, dict) else None
    found = (_tool_call(entry) for entry in entries) if isinstance(entries, list) else ()
    return tuple(call for call in found if call is not None)


def read_reasoning(payload: Any) -> tuple[Reasoning, ...]:
    """The thoughts that a payload holds in this form. Entries in another form are left out."""
    entries = payload.get(REASONING) if isinstance(payload, dict) else None
    return tuple(
        Reasoning(text=entry["text"], details={name: value for name, value in entry.items() if name != "text"})
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("text"), str)
    )


def read_tool_result(
    role: Role, content: str, tool_call_id: str | None, name: str | None, payload: Any
) -> ToolResult | None:
    """The result that a message holds, or None if its role is not `tool`."""
    if role is not Role.TOOL:
        return None
    said = payload if isinstance(payload, dict) else {}
    return ToolResult(
        content=content,
        tool_call_id=tool_call_id or _text(said.get("tool_call_id")),
        name=name or _text(said.get("name")),
        value=said.get(RESULT),
        is_error=said.get(IS_ERROR) is True,
    )


def _tool_call(entry: Any) -> ToolCall | None:
    if not isinstance(entry, dict):
        return None
    function, custom = entry.get("function"), entry.get("custom")
    if isinstance(function, dict) and isinstance(function.get("name"), str):
        return ToolCall(name=function["name"], arguments=_parsed(function.get("arguments")), id=_text(entry.get("id")))
    if isinstance(custom, dict) and isinstance(custom.get("name"), str):  # OpenAI's tools that take any text
        return ToolCall(name=custom["name"], arguments=custom.get("input"), id=_text(entry.get("id")))
    return None


def _parsed(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _json(arguments: Any) -> str:
    try:
        return encode_json(arguments, "arguments")
    except InvalidInput:
        try:
            # Within a text, an escape says what no database keeps as a character.
            return json.dumps(arguments, allow_nan=False)
        except (ValueError, TypeError, RecursionError):
            pass
        raise


def _require_texts(**given: Any) -> None:
    for field, value in given.items():
        if not isinstance(value, str) and (value is not None or field not in ("id", "tool_call_id")):
            raise InvalidInput(field, f"must be text, not {type(value).__name__}")
