"""The responder that the options of a command name."""

from __future__ import annotations

import typer

from chatledger.cli.arguments.options import words
from chatledger.cli.responders import functions, programs
from chatledger.cli.responders.answers import Responder


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
        return lambda conversation, show: functions.call(module, name, conversation, show)
    assert command is not None
    program = words(command, "--exec")
    return lambda conversation, show: programs.execute(program, timeout, conversation, show)
