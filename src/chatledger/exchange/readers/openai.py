"""Chat messages as OpenAI's API takes them, and as most agents log them: dicts with `role` and `content`."""

from __future__ import annotations

import json
from typing import Any

from chatledger.enums import Role
from chatledger.exchange.message_format import OWN, Notation
from chatledger.exchange.readers.times import certain_time
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.schemas.message_parts import (
    REASONING,
    TOOL_CALLS,
    read_reasoning,
    read_tool_calls,
    reasoning,
    tool_call,
)
from chatledger.schemas.token_usage import token_counts

# Under which names servers give reasoning; the first is the one to write.
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
# In an entry of `payload["reasoning"]`: the name under which it came.
_FIELD = "field"

CALL_WORDS = ("function_call", "tool_call")
"""ShareGPT's speakers of calls."""

NOTATION = Notation(
    speaker="role",
    text="content",
    roles={role.value: role for role in Role} | {"function": Role.TOOL, "model": Role.ASSISTANT},
)


def from_openai(item: Any, place: str = "message") -> NewMessage:
    """The message to append for a chat-completions message.

    Where `usage`, `model` or a time stand in it in a well-known form, the columns for them are filled too. Reasoning,
    which servers give under several names (`reasoning_content`, `reasoning`, `thinking`), is `payload["reasoning"]`. A
    call in the older form (`function_call`) is in `payload["tool_calls"]` as well.

    Raises:
        InvalidInput: not a dict, an unknown role, or a value that cannot be stored.
    """
    columns: dict[str, Any] = {}
    if isinstance(item, dict):
        columns = {**read_usage(item.get("usage"), item.get("service_tier")), **model_and_time(item)}
    message = NOTATION.read(item, place, **columns)
    payload = message.payload
    if not isinstance(payload, dict):
        return message
    said = {name: value for name, value in payload.items() if not (name in _THOUGHTS and _is_thought(value))}
    if thoughts := [reasoning(payload[name], **{_FIELD: name}) for name in payload if name not in said]:
        said[REASONING] = thoughts
    if TOOL_CALLS not in payload and (call := _older_call(payload)):
        said[TOOL_CALLS] = [call]
    return message if said == payload else message.model_copy(update={"payload": said})


def to_openai(message: Message | NewMessage) -> dict[str, Any]:
    """A message as a chat-completions dict. For one that came from such a dict, it is equal to that.

    One that came from another format has its role, text, tool calls, `tool_call_id` and `name`. Its reasoning is
    `reasoning_content`, as most servers name it. A text that only repeats a tool call is left out.
    """
    item = NOTATION.write(message)
    if item.get(TOOL_CALLS) is not None and item[TOOL_CALLS] == [_older_call(item)]:
        del item[TOOL_CALLS]
    if item.get("from") in CALL_WORDS:
        del item["from"]  # ShareGPT's speaker
    if message.content and repeats_call(message):
        item["content"] = None
    thoughts = () if REASONING in (message.metadata or {}).get(OWN, ()) else read_reasoning(message.payload)
    if thoughts and len(thoughts) == len(item.get(REASONING) or ()):
        del item[REASONING]
        named = {str(thought.details[_FIELD]): thought.text for thought in thoughts if _FIELD in thought.details}
        others = "\n\n".join(thought.text for thought in thoughts if _FIELD not in thought.details and thought.text)
        item |= named or ({_THOUGHTS[0]: others} if others else {})
    return item


def repeats_call(message: Message | NewMessage) -> bool:
    """Whether the text of a message is the call that its payload holds, as ShareGPT and ChatGPT write calls."""
    calls = read_tool_calls(message.payload)
    if not calls:
        return False
    if len(calls) == 1 and isinstance(calls[0].arguments, str) and calls[0].arguments == message.content:
        return True
    try:
        said = json.loads(message.content)
    except (ValueError, RecursionError):
        return False
    listed = said if isinstance(said, list) else [said]
    return said == calls[0].arguments or [read_call(one) for one in listed] == [
        (call.name, call.arguments) for call in calls
    ]


def read_call(value: Any) -> tuple[str, Any] | None:
    """The name and the arguments of a call that is written as JSON."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", value.get("parameters"))
    if isinstance(arguments, str):
        try:
            return value["name"], json.loads(arguments)
        except (ValueError, RecursionError):
            pass
    return value["name"], {} if arguments is None else arguments


def _is_thought(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _older_call(item: dict[str, Any]) -> dict[str, Any] | None:
    function = item.get("function_call")
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    return tool_call(function["name"], function.get("arguments"))


def model_and_time(item: dict[str, Any]) -> dict[str, Any]:
    """`model_id` and `created_at`, where a message or a record names them in a well-known form."""
    found: dict[str, Any] = {}
    model = item.get("model")
    if isinstance(model, str) and 0 < len(model) <= MAX_IDENTIFIER:
        found["model_id"] = model
    for key in ("created_at", "createdAt", "created", "create_time", "timestamp"):
        moment = certain_time(item.get(key))
        if moment is not None:
            return found | {"created_at": moment}
    return found


def read_usage(usage: Any, service_tier: str | None = None) -> dict[str, Any]:
    """What a provider reports as `usage`, as arguments of `append` and columns of a message.

        reply = client.messages.create(…)
        uow.messages.append(session_id, "assistant", text, model_id=reply.model, **read_usage(reply.usage))

    It reads the usage of OpenAI (chat and responses), Anthropic, Gemini, Bedrock's Converse and LangChain, as a dict or
    as the object of their SDK. Cached tokens and cache writes become part of `input_tokens`, and reasoning part of
    `output_tokens`, whichever way the provider counts. What is not understood, contradicts itself, or is billed by
    anything except text tokens becomes `unpriced_units`, so that the cost is unknown. `service_tier` is the tier that
    the response names outside of its usage.
    """
    return token_counts(usage, service_tier)
