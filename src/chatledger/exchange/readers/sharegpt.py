"""ShareGPT: turns with `from` and `value`, the form in which many training sets come."""

from __future__ import annotations

import json
from typing import Any

from chatledger.dialects.encoding import encode_json
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.exchange.message_format import Notation
from chatledger.exchange.readers.openai import CALL_WORDS, read_call, repeats_call
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.message_parts import TOOL_CALLS, read_tool_calls, tool_call

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


def from_sharegpt(item: Any, place: str = "message") -> NewMessage:
    """The message to append for a turn.

    A function call is the assistant's. Its text is kept as it was, and where that is JSON with a name and arguments, or a
    list of such calls, `payload["tool_calls"]` has them.

    Raises:
        InvalidInput: not a dict, an unknown speaker, or a value that cannot be stored.
    """
    message = NOTATION.read(item, place)
    if item["from"] not in CALL_WORDS:
        return message
    if TOOL_CALLS in message.payload:
        raise InvalidInput(f"{place}.{TOOL_CALLS}", "stands beside a call: its place is taken by the call itself")
    if not (calls := _calls_in(message.content)):
        return message
    return message.model_copy(update={"payload": {**message.payload, TOOL_CALLS: calls}})


def to_sharegpt(message: Message | NewMessage) -> dict[str, Any]:
    """A message as a ShareGPT turn. For one that came from such a turn, it is equal to that.

    Tool calls of a message without text that came from another format become the value of a `function_call`. ShareGPT
    has no place for reasoning: it stays under its name.
    """
    item = NOTATION.write(message)
    calls = read_tool_calls(message.payload)
    if item["from"] in CALL_WORDS:
        if calls and repeats_call(message):
            item.pop(TOOL_CALLS)
    elif calls and len(calls) == len(item[TOOL_CALLS]) and (not message.content or repeats_call(message)):
        said = [{"name": call.name, "arguments": call.arguments} for call in calls]
        del item[TOOL_CALLS]
        item |= {"from": CALL_WORDS[0], "value": encode_json(said[0] if len(said) == 1 else said, "value")}
        item.pop("content", None)  # OpenAI's word for no text
    return item


def _calls_in(text: str) -> list[dict[str, Any]]:
    """The calls that a text says; none, if it says anything else."""
    try:
        said = json.loads(text)
        encode_json(said, TOOL_CALLS)  # or its arguments could not be read again, such as NaN
    except (ValueError, RecursionError):
        return []
    listed = [read_call(one) for one in (said if isinstance(said, list) else [said])]
    return [] if None in listed else [tool_call(*one) for one in listed if one is not None]
