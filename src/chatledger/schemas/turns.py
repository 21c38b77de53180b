"""Turns: where one begins, which tool calls are open, and how many tokens a message takes in a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chatledger.enums import Role
from chatledger.schemas.content_parts import result_ids
from chatledger.schemas.message import Message
from chatledger.schemas.message_parts import ToolCall


class Truncated(list[Message]):
    """The messages that `truncate` has appended, as a list, and what it has left open."""

    open_calls: tuple[ToolCall, ...]
    """The tool calls of the session's newest turn that have no result: most models refuse such a history."""

    def __init__(self, appended: Iterable[Message], open_calls: Iterable[ToolCall]) -> None:
        super().__init__(appended)
        self.open_calls = tuple(open_calls)


# Roles that begin a turn: what a person or the program says, as opposed to what came of it.
_BEGIN = (Role.USER, Role.SYSTEM, Role.DEVELOPER)
# Characters for a token, where nothing is stored.
_CHARACTERS = 4


def turn_starts(newest_first: Sequence[Message], *, is_first: bool, is_cut: bool) -> list[int]:
    """The lengths of windows of the newest messages that begin with a turn and hold the call of each result.

    A turn begins with a message of a user, a system or a developer. `is_first`: the oldest of the messages begins a
    turn as well, because there are no older ones, or unless it `is_cut` off from its call.
    """
    starts: list[int] = []
    unanswered: set[str] = set()
    for length, message in enumerate(newest_first, 1):
        if message.role is not Role.TOOL and unanswered:
            unanswered.difference_update(call.id for call in message.tool_calls)
        unanswered.update(_answered(message))
        oldest = is_first and length == len(newest_first)
        if (message.role in _BEGIN or oldest) and (not unanswered or (oldest and not is_cut)):
            starts.append(length)
    return starts


def open_calls(in_order: Iterable[Message]) -> list[ToolCall]:
    """The tool calls that no later message answers, in order. Calls without an id are left out."""
    waiting: dict[str, ToolCall] = {}
    for message in in_order:
        for call_id in _answered(message):
            waiting.pop(call_id, None)
        for call in message.tool_calls:
            if call.id is not None:
                waiting[call.id] = call
    return list(waiting.values())


def _answered(message: Message) -> list[str]:
    """The ids of the calls whose results a message has."""
    own = [message.tool_call_id] if message.role is Role.TOOL and message.tool_call_id is not None else []
    return own + result_ids(message.payload)


def stored_tokens(message: Message) -> int:
    """The tokens that a message takes in a prompt, from what is stored of it.

    Of an assistant's message its output; its input was the whole prompt. Of another message its total. If nothing is
    stored, one token for every four characters of content, tool calls and tool results.
    """
    counted = message.output_tokens if message.role is Role.ASSISTANT else None
    if counted is None and message.role is not Role.ASSISTANT:
        counted = message.tokens_used if message.tokens_used is not None else message.input_tokens
    if counted is not None:
        return counted
    length = len(message.content)
    for call in message.tool_calls:
        length += len(call.name) + len(str(call.arguments))
    return -(-length // _CHARACTERS)
