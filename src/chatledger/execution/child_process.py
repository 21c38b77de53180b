"""Commands that are run without a shell, each in a process group of its own that ends with it."""

from __future__ import annotations

import atexit
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO

MAX_OUTPUT = 50_000_000
"""Bytes that a command may print."""

# Seconds that a command gets to end by itself after SIGTERM.
_GRACE = 1.0
# Seconds between two calls of `check`.
_POLL = 0.1
_CHUNK = 1 << 16

_running: set[subprocess.Popen[bytes]] = set()


class ChildFailed(Exception):
    """A command was stopped or failed. The text says why, after the name of the command."""


class ChildTimedOut(ChildFailed):
    """A command was stopped because it took too long."""


def run_program(
    program: Sequence[str],
    given: bytes,
    *,
    on_output: Callable[[bytes], object] | None = None,
    timeout: float | None = None,
    check: Callable[[], object] = lambda: None,
    limit: int = MAX_OUTPUT,
) -> None:
    """Run a command with `given` as its standard input, and wait for its end.

    `on_output` is called with each piece of its standard output as it comes; without it, the output goes to standard
    error. `check` is called every tenth of a second. Whatever it raises, a timeout (in seconds), more output than
    `limit` bytes, KeyboardInterrupt and the end of this process stop the command together with its children: SIGTERM,
    and after a second SIGKILL.

    Raises:
        ChildFailed: it cannot be run, exited with another code than 0, was ended by a signal, or printed too much.
        ChildTimedOut: it was stopped because of the timeout.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    with tempfile.TemporaryFile() as stdin:
        # A file, so that nothing waits for a command that does not read.
        stdin.write(given)
        stdin.seek(0)
        with _started(program, stdin.fileno(), piped=on_output is not None) as process:
            if on_output is not None:
                _pass_on(program, process, on_output, deadline, check, limit)
            while True:
                try:
                    code = process.wait(_remaining(program, deadline))
                    break
                except subprocess.TimeoutExpired:
                    check()
    if code:
        how = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
        raise ChildFailed(f"{program[0]!r} {how}")


def _pass_on(
    program: Sequence[str],
    process: subprocess.Popen[bytes],
    on_output: Callable[[bytes], object],
    deadline: float | None,
    check: Callable[[], object],
    limit: int,
) -> None:
    """Call `on_output` with what the command prints, until it closes its standard output."""
    pieces: queue.Queue[bytes] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=_read, args=(process.stdout, pieces, limit), daemon=True).start()
    size = 0
    while True:
        try:
            piece = pieces.get(timeout=_remaining(program, deadline))
        except queue.Empty:
            check()
            continue
        if not piece:
            return
        size += len(piece)
        on_output(piece[: len(piece) - max(0, size - limit)])
        if size > limit:
            raise ChildFailed(f"{program[0]!r} printed more than {limit:,} bytes")


def _read(stdout: IO[bytes], pieces: queue.Queue[bytes], limit: int) -> None:
    """Read until the end, or until there is more than `limit`: what nobody takes stays within it."""
    size = 0
    piece = b"."
    # Closed by this thread only: another file might get the same number while this one still reads.
    with stdout:
        while piece and size <= limit:
            piece = os.read(stdout.fileno(), _CHUNK)
            size += len(piece)
            pieces.put(piece)


def _remaining(program: Sequence[str], deadline: float | None) -> float:
    """Return how long to wait at most before the next look.

    Raises:
        ChildTimedOut: the time is over.
    """
    if deadline is None:
        return _POLL
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise ChildTimedOut(f"{program[0]!r} did not end in time")
    return min(_POLL, remaining)


@contextmanager
def _started(program: Sequence[str], stdin: int, *, piped: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command, and stop it and its children when the block fails."""
    try:
        # In a session of its own: Ctrl-C is for this process, which then stops the command with its children.
        process = subprocess.Popen(program, stdin=stdin, stdout=subprocess.PIPE if piped else 2, start_new_session=True)
    except OSError as error:
        raise ChildFailed(f"{program[0]!r} cannot be run: {error.strerror}") from None
    _running.add(process)
    try:
        yield process
    except BaseException:
        _stop(process)
        raise
    finally:
        _running.discard(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if not hasattr(os, "killpg"):
        process.kill()
        process.wait()
        return
    _signal(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    # The children that are left.
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    # PermissionError: on some systems, of a group whose processes have all ended.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@atexit.register
def _stop_all() -> None:
    """Stop what threads have left that were given up."""
    for process in list(_running):
        _stop(process)
