"""Worker functions and the threads that call them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from chatledger.services.error_text import error_message

T = TypeVar("T")


@dataclass(frozen=True)
class Finished(Generic[T]):
    """A call of a worker function has ended: what it was called with, and what it returned or raised."""

    item: T
    value: Any = None
    error: BaseException | None = None


def call_worker(worker: Callable[[T], Any], item: T) -> Finished[T]:
    """Call a worker function. Whatever it raises, even SystemExit, is the failure of this item and of nothing else."""
    try:
        return Finished(item, worker(item))
    except StopIteration as error:  # as Python does when a coroutine raises it, so that both fail alike
        return Finished(item, error=RuntimeError(f"StopIteration: {error_message(error)}"))
    except BaseException as error:  # noqa: BLE001 - see above
        return Finished(item, error=error)


class WorkerThreads(Generic[T]):
    """Threads that call worker functions, one for each call, and the queue of those that have finished.

    It is not a pool, because a thread cannot be stopped: a call that hangs must not keep the next one from starting. The
    threads are daemons, so that such a call does not keep the process alive either.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Finished[T] | None] = SimpleQueue()
        # By identity: items need not be hashable.
        self._running: dict[int, T] = {}

    def start(self, worker: Callable[[T], Any], item: T, name: str) -> None:
        """Call `worker(item)` in a new thread."""
        self._running[id(item)] = item

        def work() -> None:
            self._queue.put(call_worker(worker, item))

        threading.Thread(target=work, name=name, daemon=True).start()

    def abandon(self, item: T) -> None:
        """Ignore what the call with this item returns. Its thread goes on."""
        self._running.pop(id(item), None)

    def wait(self, seconds: float) -> list[Finished[T]]:
        """Wait until a call has finished, at most so many seconds. Return all that have finished, in their order."""
        finished: list[Finished[T]] = []
        with suppress(Empty):
            one = self._queue.get(timeout=seconds) if seconds > 0 else self._queue.get_nowait()
            while True:
                if one is not None and self._running.pop(id(one.item), None) is not None:
                    finished.append(one)
                one = self._queue.get_nowait()
        return finished

    def wake(self) -> None:
        """End a `wait` now. A signal handler may call this."""
        self._queue.put(None)


def process_name() -> str:
    """Return the machine and the process, which show people who works on something."""
    return f"{socket.gethostname()[:200]}:{os.getpid()}"
