"""What goes wrong becomes one line on standard error and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from chatledger.cli.output.escaping import one_line
from chatledger.cli.signals import exit_code_of, terminable

FAILED = 1
INTERRUPTED = 130


def report(message: str) -> None:
    """One line on standard error."""
    typer.echo(f"chatledger: {one_line(message)}", err=True)


def fail(message: str) -> NoReturn:
    """Say what went wrong and end the command."""
    report(message)
    raise typer.Exit(FAILED)


def needs_yes(what: str) -> NoReturn:
    """Say what a command without `--yes` would do, and end it."""
    fail(f"{what}: add --yes to do it")


class Commands(TyperGroup):
    """A group of commands whose errors are one line each."""

    # Any: the class of a context depends on the release of typer.
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except OSError as error:
            message = _of_file(error)
        except Exception as error:
            # Here, because `--version` and `--help` need nothing of the ledger.
            from chatledger.errors import ChatledgerError  # noqa: PLC0415

            if not isinstance(error, ChatledgerError):
                raise
            message = str(error)
        fail(message)


@contextmanager
def process() -> Iterator[None]:
    """Around the whole command: streams that are closed, encodings that fail, pipes that break and internal errors.

    None of them ends in a traceback.
    """
    _reopen_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows its escape.
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code: Any = 0
    try:
        with terminable():
            yield
    except SystemExit as exit_:
        code = exit_.code
    except KeyboardInterrupt as stop:
        code = exit_code_of(stop)
    except BrokenPipeError:
        code = FAILED
    except OSError as error:
        report(_of_file(error))
        code = FAILED
    except typer.Abort:
        code = INTERRUPTED
    except typer.Exit as exit_:
        code = exit_.exit_code
    except Exception as error:  # noqa: BLE001 - its text may hold what a user stored, so only its place is told
        code = _misuse(error)
        if code is None:
            report(f"internal error in chatledger ({_place(error)}): please report it. No partial change was saved.")
            code = FAILED
    raise SystemExit(_flushed(code))


def _reopen_standard_streams() -> None:
    """Send to nowhere what is written to a stream that is closed, as by `>&-`.

    Python has None in its place then, and the next file that is opened would get its number.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(handle)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for as long as the process


def _misuse(error: Exception) -> int | None:
    """Say what was wrong with the words of the command, on one line; the exit code, or None for another error."""
    say = getattr(error, "format_message", None)
    code = getattr(error, "exit_code", None)
    if say is None or not isinstance(code, int):
        return None
    context = getattr(error, "ctx", None)
    report(f"{say().rstrip('.')} (see `{getattr(context, 'command_path', 'chatledger')} --help`)")
    return code


def _flushed(code: Any) -> Any:
    """Write out what is buffered now: the interpreter would complain about a reader who has left."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        report(_of_file(error))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or FAILED
    return code


def _of_file(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    return f"{str(error.filename)!r}: {reason}" if error.filename else reason


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return type(error).__name__ + where
