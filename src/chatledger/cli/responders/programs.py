"""Responders that are commands."""

from __future__ import annotations

import codecs
from typing import Any

from chatledger.cli.output.json_output import encoded
from chatledger.cli.responders.answers import ResponderFailed, Show
from chatledger.cli.sessions.messages import without_break
from chatledger.enums import Outcome, Role
from chatledger.errors import InvalidInput
from chatledger.execution.child_process import ChildFailed, ChildTimedOut, run_program
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.message import new_message


def execute(program: list[str], timeout: float | None, conversation: list[Message], show: Show) -> NewMessage:
    """Run a command, without a shell: the conversation on its standard input, the answer on its standard output."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    pieces: list[str] = []

    def on_output(piece: bytes, *, final: bool = False) -> None:
        text = decoder.decode(piece, final)
        if text:
            pieces.append(text)
            show(text)

    try:
        given = encoded([_turn(message) for message in conversation]).encode()
        run_program(program, given, on_output=on_output, timeout=timeout)
        on_output(b"", final=True)
    except ChildTimedOut:
        raise ResponderFailed(
            f"{program[0]!r} did not answer within {timeout:g} seconds", outcome=Outcome.INTERRUPTED
        ) from None
    except ChildFailed as failure:
        raise ResponderFailed(str(failure)) from None
    except UnicodeDecodeError:
        raise ResponderFailed(f"{program[0]!r} answered with something that is not UTF-8") from None
    answer = without_break("".join(pieces))
    if not answer:
        raise ResponderFailed(f"{program[0]!r} answered nothing")
    try:
        return new_message({"role": Role.ASSISTANT, "content": answer})
    except InvalidInput as error:
        raise ResponderFailed(f"its answer cannot be stored: {error}") from None


def _turn(message: Message) -> dict[str, Any]:
    """The fields of a message that a command receives: role and content always, the others if they are set."""
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    for field in ("name", "tool_call_id", "payload", "metadata", "model_id", "sequence_number", "created_at"):
        value = getattr(message, field)
        if value is not None and value != {}:
            turn[field] = value
    return turn
