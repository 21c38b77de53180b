"""Training sets: a line for each conversation, in the forms that fine-tuning takes.

What would teach a model something wrong stays out: answers that were interrupted, failed or are still being written, tool
calls without a result, and results without their call. So does what these forms have no place for, such as reasoning and
metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

from chatledger.enums import Outcome, Role
from chatledger.errors import InvalidInput
from chatledger.exchange.readers.openai import CALL_WORDS, to_openai
from chatledger.exchange.readers.sharegpt import to_sharegpt
from chatledger.exchange.writers.conversations import Conversations
from chatledger.exchange.writers.json import to_json
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.message_parts import TOOL_CALLS, read_tool_calls

_UNFINISHED = {Outcome.INTERRUPTED, Outcome.ERROR, Outcome.STREAMING}
# What OpenAI's format has for a message; it refuses any other key.
_OPENAI = ("role", "content", "name", "refusal", "tool_calls", "tool_call_id")
_OPENAI_PARTS = {"text", "image_url"}
_SHAREGPT = ("from", "value")


def write_openai(out: TextIO, conversations: Conversations) -> None:
    """Write `{"messages": […]}` for each session, as OpenAI's fine-tuning takes it."""
    _write(out, conversations, _openai, lambda _session, turns: {"messages": turns})


def write_sharegpt(out: TextIO, conversations: Conversations) -> None:
    """Write `{"id": …, "conversations": […]}` for each session."""
    _write(out, conversations, _sharegpt, lambda session, turns: {"id": session.session_id, "conversations": turns})


def _write(
    out: TextIO,
    conversations: Conversations,
    convert: Callable[[Message | NewMessage], dict[str, Any]],
    record: Callable[[Any, list[dict[str, Any]]], dict[str, Any]],
) -> None:
    for session, messages in conversations:
        turns = list(_finished(messages))
        if not any(message.role is Role.ASSISTANT for message in turns):
            continue  # there is nothing to learn from
        first: list[Message | NewMessage] = []
        # A conversation that was logged with its system prompt as a message has it already.
        if session.system_prompt and turns[0].role not in (Role.SYSTEM, Role.DEVELOPER):
            first = [NewMessage(role=Role.SYSTEM, content=session.system_prompt)]
        out.write(to_json(record(session, [convert(message) for message in (*first, *turns)])) + "\n")


def _finished(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages, without what is unfinished and without calls and results that lack each other."""
    kept = [message for message in messages if message.outcome not in _UNFINISHED]
    answered = {message.tool_call_id for message in kept if message.role is Role.TOOL}
    called: set[str | None] = set()
    for message in kept:
        calls = read_tool_calls(message.payload)
        if message.role is Role.TOOL:
            if message.tool_call_id is None or message.tool_call_id in called:
                yield message
        elif all(call.id is None or call.id in answered for call in calls):
            called.update(call.id for call in calls)
            yield message


def _openai(message: Message | NewMessage) -> dict[str, Any]:
    item = to_openai(message)
    turn = {key: item[key] for key in _OPENAI if item.get(key) is not None}
    content = turn.get("content")
    if isinstance(content, list):
        known = [part for part in content if isinstance(part, dict) and part.get("type") in _OPENAI_PARTS]
        turn["content"] = known if len(known) == len(content) else message.content
    if turn.get(TOOL_CALLS):
        return {key: value for key, value in turn.items() if key != "content" or value}
    return {"role": turn.pop("role"), "content": turn.pop("content", message.content), **turn}


def _sharegpt(message: Message | NewMessage) -> dict[str, Any]:
    try:
        item = to_sharegpt(message)
    except InvalidInput:  # arguments that say what JSON cannot, such as NaN, stay the text that they are
        calls = message.payload[TOOL_CALLS]
        said = [{key: call["function"].get(key) for key in ("name", "arguments")} for call in calls]
        item = {"from": CALL_WORDS[0], "value": to_json(said[0] if len(said) == 1 else said)}
    turn = {key: item[key] for key in _SHAREGPT if item.get(key) is not None}
    if not isinstance(turn.get("value"), str):
        turn["value"] = message.content
    return turn
