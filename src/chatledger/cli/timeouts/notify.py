"""Warnings handed to a command: each session that is about to time out, as JSON on its standard input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from chatledger.cli.arguments.options import words
from chatledger.cli.output.json_output import encoded
from chatledger.errors import ChatledgerError
from chatledger.execution.child_process import ChildFailed, ChildTimedOut, run_program
from chatledger.schemas import Due

# Seconds that a command may take: the next session waits for it.
_TIMEOUT = 30

NotifyExec = Annotated[
    str | None,
    typer.Option(
        "--notify-exec",
        metavar="COMMAND",
        help="Run without a shell for each warning, which it gets as JSON on its standard input.",
        show_default=False,
    ),
]


class NotNotified(ChatledgerError):
    """The command did not take the warning: it will be sent again."""


def notifier(command: str | None) -> Callable[[Due], None] | None:
    """What sends a warning to a command; None where there is none.

    A command that fails, or takes longer than 30 seconds, has not sent it. What it prints goes to standard error.
    """
    if command is None:
        return None
    program = words(command, "--notify-exec")
    return lambda due: _notify(program, due)


def _notify(program: list[str], due: Due) -> None:
    try:
        run_program(program, encoded(due).encode() + b"\n", timeout=_TIMEOUT)
    except ChildTimedOut:
        raise NotNotified(f"{program[0]!r} did not end within {_TIMEOUT} seconds") from None
    except ChildFailed as failure:
        raise NotNotified(str(failure)) from None
