"""Stopping a run early: because `stopping` returned True, or because of Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class StopRequest:
    """Call it to ask whether the run should stop.

    `stopping` is the caller's function. `wake` is called at Ctrl-C in a signal handler, so that a run that waits for its
    workers notices at once.
    """

    def __init__(self, stopping: Callable[[], bool] | None, wake: Callable[[], object] = lambda: None) -> None:
        self._stopping = stopping
        self._wake = wake
        self.interrupted = False
        """Whether the run stops because of Ctrl-C."""

    def __call__(self) -> bool:
        return self.interrupted or (self._stopping is not None and self._stopping())

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Turn the first Ctrl-C into a request to stop, and raise KeyboardInterrupt at the end of the block.

        A second Ctrl-C raises at once. This holds in the main thread, unless the program has a handler of its own for
        Ctrl-C: that one is left in place.
        """
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or handler is not signal.default_int_handler:
            yield
        else:
            signal.signal(signal.SIGINT, self._on_signal)
            try:
                yield
            finally:
                signal.signal(signal.SIGINT, handler)
        if self.interrupted:
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: Any) -> None:
        if self.interrupted:
            signal.default_int_handler(number, frame)
        self.interrupted = True
        self._wake()
