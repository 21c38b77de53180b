"""What commands do with the signals that end a process."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Signals that end the process as Ctrl-C does: with what was begun cleaned up.
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP came."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def exit_code_of(stop: KeyboardInterrupt) -> int:
    """Return what a shell reports of a process that a signal has ended: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (stop.number if isinstance(stop, Terminated) else signal.SIGINT)


@contextmanager
def terminable() -> Iterator[None]:
    """Raise `Terminated` in this block when SIGTERM or SIGHUP comes. One that is ignored, as by nohup, stays so."""

    def on_signal(number: int, _: object) -> None:
        raise Terminated(number)

    changed = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    with suppress(ValueError):  # not in the main thread
        for number in changed:
            signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number in changed:
            if signal.getsignal(number) is on_signal:
                signal.signal(number, signal.SIG_DFL)


@contextmanager
def until_stopped(stop: Callable[[], Any]) -> Iterator[list[int]]:
    """Call `stop` at SIGTERM or SIGINT, and yield the signals that came. A second Ctrl-C has its usual effect.

    SIGTERM often comes twice, once for the process and once for its group.
    """
    stop_requests: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(number: int, _: object) -> None:
        stop_requests.append(number)
        if number == signal.SIGINT:
            signal.signal(number, before[signal.SIGINT])
        stop()

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield stop_requests
    finally:
        restore()
        if signal.SIGTERM in stop_requests:  # the process is about to end by itself
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
