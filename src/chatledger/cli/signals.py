"""What a command that runs until it is stopped does with signals."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


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
