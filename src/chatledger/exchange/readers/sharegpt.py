"""ShareGPT: turns with `from` and `value`, the form in which many training sets come."""

from __future__ import annotations

import json
from typing import Any

from chatledger.dialects.encoding import encode_json
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.exchange.message_format import Notation
from chatledger.schemas import Message, NewMessage

NOTATION = Notation(
    speaker="from",
    text="value",
    # The first word of a role is what `to_sharegpt` writes.
    roles={
        "human": Role.USER,
        "user": Role.USER,
        "gpt": Role.ASSISTANT,
        "assistant": Role.ASSISTANT,
        "chatgpt": Role.ASSISTANT,
        "bing": Role.ASSISTANT,
        "bard": Role.ASSISTANT,
        "claude": Role.ASSISTANT,
        "model": Role.ASSISTANT,
        "bot": Role.ASSISTANT,
        "function_call": Role.ASSISTANT,
        "tool_call": Role.ASSISTANT,
        "system": Role.SYSTEM,
        "developer": Role.DEVELOPER,
        "observation": Role.TOOL,
        "tool": Role.TOOL,
        "tool_response": Role.TOOL,
        "function": Role.TOOL,
        "function_response": Role.TOOL,
    },
)
_CALLS = ("function_call", "tool_call")
#: Where the payload holds a call parsed from the text.
_PARSED = "function_call"


def from_sharegpt(item: Any, place: str = "message") -> NewMessage:
    """The message to append for a turn.

    A function call is the assistant's. Its text is kept as it was, and where that is JSON that can be stored the payload
    has it parsed, as `function_call`.

    Raises:
        InvalidInput: no dict, an unknown speaker, or a value that cannot be stored.
    """
    message = NOTATION.read(item, place)
    if item["from"] not in _CALLS:
        return message
    if _PARSED in message.payload:
        raise InvalidInput(f"{place}.{_PARSED}", "stands beside a call: its place is taken by the call itself")
    try:
        call = json.loads(message.content)
        encode_json(call, _PARSED)  # or what its text says could not be stored, such as an escaped NUL
    except (ValueError, RecursionError):
        return message
    return message.model_copy(update={"payload": {**message.payload, _PARSED: call}})


def to_sharegpt(message: Message | NewMessage) -> dict[str, Any]:
    """A message as a ShareGPT turn. For one that came from such a turn, it is equal to that."""
    item = NOTATION.write(message)
    if item["from"] in _CALLS:
        item.pop(_PARSED, None)
    return item
