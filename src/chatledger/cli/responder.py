"""Responders: what answers a question. A Python function, or a command fed with the conversation."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import typer

from chatledger.cli.arguments.options import words
from chatledger.cli.output.json_output import encoded
from chatledger.cli.sessions.messages import without_break
from chatledger.enums import Role
from chatledger.errors import ChatledgerError, InvalidInput
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.message import new_message

#: Shows a piece of the answer as it comes.
Show = Callable[[str], None]
#: Answers a conversation.
Responder = Callable[[list[Message], Show], NewMessage]

#: Characters of a responder's own error that are repeated.
_REASON = 300


class ResponderFailed(Exception):
    """There is no answer. The text says why, and `kind` what errors are counted by."""

    kind = "CommandFailed"


def responder_of(function: str | None, command: str | None, timeout: float | None) -> Responder:
    """The one that was asked for; anything but one is misuse."""
    if (function is None) == (command is None):
        raise typer.BadParameter("give one of --responder MODULE:FUNCTION and --exec COMMAND", param_hint="responder")
    if function is not None:
        if timeout is not None:
            raise typer.BadParameter("only a command can be stopped: use it with --exec", param_hint="'--timeout'")
        module, _, name = function.partition(":")
        if not module or not name:
            raise typer.BadParameter("is not MODULE:FUNCTION", param_hint="'--responder'")
        return lambda conversation, show: _call(module, name, conversation, show)
    assert command is not None
    program = words(command, "--exec")
    return lambda conversation, show: _execute(program, timeout, conversation, show)


def _call(module: str, name: str, conversation: list[Message], show: Show) -> NewMessage:
    """Import the function, the current directory first, and make a message of what it returns."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        # What it prints is not the answer.
        with redirect_stdout(sys.stderr):
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
            return _message_of(_settled(found(conversation), show))
    except ChatledgerError as error:
        reason = f"its answer cannot be stored: {error}" if isinstance(error, InvalidInput) else str(error)
        kind = type(error).__name__
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the user's code: whatever it raises, the question is kept
        reason = type(error).__name__ + (f": {error}"[:_REASON] if str(error) else "")
        kind = type(error).__name__
    failure = ResponderFailed(reason)
    failure.kind = kind
    raise failure


def _settled(result: Any, show: Show) -> Any:
    """What a function returned, waited for and put together from its pieces."""
    if inspect.isawaitable(result) or isinstance(result, AsyncIterator):
        return asyncio.run(_awaited(result, show))
    if isinstance(result, Iterator):
        return "".join(_shown(piece, show) for piece in result)
    return result


async def _awaited(result: Any, show: Show) -> Any:
    if inspect.isawaitable(result):
        result = await result
    if isinstance(result, AsyncIterator):
        return "".join([_shown(piece, show) async for piece in result])
    return _settled(result, show) if isinstance(result, Iterator) else result


def _shown(piece: Any, show: Show) -> str:
    if not isinstance(piece, str):
        raise TypeError(f"a responder yields pieces of text, not {type(piece).__name__}")
    show(piece)
    return piece


def _message_of(result: Any) -> NewMessage:
    if isinstance(result, NewMessage):
        return result
    if isinstance(result, str):
        if not result:
            raise ValueError("the answer is empty")
        return new_message({"role": Role.ASSISTANT, "content": result})
    if isinstance(result, Mapping):
        return new_message({"role": Role.ASSISTANT, **result})
    raise TypeError(f"a responder returns text, a dict or a NewMessage, not {type(result).__name__}")


def _execute(program: list[str], timeout: float | None, conversation: list[Message], show: Show) -> NewMessage:
    """Run a command, without a shell: the conversation on its standard input, the answer on its standard output."""
    try:
        done = subprocess.run(
            program,
            input=encoded([_turn(message) for message in conversation]).encode(),
            stdout=subprocess.PIPE,
            timeout=timeout,
            check=False,
        )
        answer = without_break(done.stdout.decode("utf-8"))
        if done.returncode:
            how = f"was ended by signal {-done.returncode}" if done.returncode < 0 else f"exited with {done.returncode}"
            raise ResponderFailed(f"{program[0]!r} {how}")
    except subprocess.TimeoutExpired:
        raise ResponderFailed(f"{program[0]!r} did not answer within {timeout:g} seconds") from None
    except OSError as error:
        raise ResponderFailed(f"{program[0]!r} cannot be run: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ResponderFailed(f"{program[0]!r} answered with something that is not UTF-8") from None
    if not answer:
        raise ResponderFailed(f"{program[0]!r} answered nothing")
    try:
        message = new_message({"role": Role.ASSISTANT, "content": answer})
    except InvalidInput as error:
        raise ResponderFailed(f"its answer cannot be stored: {error}") from None
    show(answer)
    return message


def _turn(message: Message) -> dict[str, Any]:
    """What a command is told of a message: role and content always, the rest where there is any."""
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    for field in ("name", "tool_call_id", "payload", "metadata", "model_id", "sequence_number", "created_at"):
        value = getattr(message, field)
        if value is not None and value != {}:
            turn[field] = value
    return turn
