"""A fair queue for the writers of one process.

SQLite's busy handler is no queue: of eight writers one may wait for seconds while another commits thousands of times.
So the writers of a process take turns here, in the order of their coming, and only the one whose turn it is asks the
file for its lock.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from contextlib import suppress
from types import TracebackType

from chatledger.errors import Busy


class Gate:
    """A lock that is handed from each holder to the one who has waited longest."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every holder and waiter: after a fork they are in another process."""
        self._mutex = threading.Lock()
        self._waiting: deque[tuple[threading.Lock, int]] = deque()
        self._holder: int | None = None

    def acquire(self, timeout: float) -> None:
        """Wait for the turn.

        Raises:
            Busy: after `timeout` seconds, or at once when this thread holds it already and would wait for itself.
        """
        me = threading.get_ident()
        with self._mutex:
            if self._holder is None:
                self._holder = me
                return
            if self._holder == me:
                raise Busy("this thread is writing in another transaction: use that unit of work, or end it first")
            ticket = threading.Lock()
            ticket.acquire()
            place = (ticket, me)
            self._waiting.append(place)
        if ticket.acquire(timeout=timeout):
            return
        with self._mutex:
            if place in self._waiting:
                self._waiting.remove(place)
                raise Busy(
                    f"another thread of this process has been writing for {timeout:g} s: keep transactions short"
                )
        # The turn came in the last moment, after all: `release` has handed it over.

    def release(self) -> None:
        with self._mutex:
            if not self._waiting:
                self._holder = None
                return
            ticket, self._holder = self._waiting.popleft()
            ticket.release()


class Turn:
    """One writer's turn, as a context manager."""

    __slots__ = ("_gate", "_timeout")

    def __init__(self, gate: Gate, timeout: float) -> None:
        self._gate = gate
        self._timeout = timeout

    def __enter__(self) -> None:
        self._gate.acquire(self._timeout)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate.release()


#: One gate per database and process, shared by every ledger on it.
_gates: weakref.WeakValueDictionary[str, Gate] = weakref.WeakValueDictionary()
_gates_lock = threading.Lock()
_all: weakref.WeakSet[Gate] = weakref.WeakSet()


def gate_of(name: str | None) -> Gate:
    """The gate of a database: the same one for the same name, one of its own without."""
    with _gates_lock:
        gate = _gates.get(name) if name else None
        if gate is None:
            gate = Gate()
            _all.add(gate)
            if name:
                _gates[name] = gate
        return gate


#: Gates that are held because the process is forking.
_closed: list[Gate] = []
#: Seconds that a fork waits for each writer.
_FORK_WAIT = 5.0


def close_gates() -> None:
    """Before a fork: wait until nobody writes. A writer that takes too long, or forks itself, is let be."""
    for gate in list(_all):
        with suppress(Busy):
            gate.acquire(_FORK_WAIT)
            _closed.append(gate)


def open_gates(*, child: bool = False) -> None:
    """After a fork: go on. In the child the other writers are gone, and with them what they held."""
    global _gates_lock
    if child:
        _gates_lock = threading.Lock()
        for gate in list(_all):
            gate.reset()
    else:
        for gate in _closed:
            gate.release()
    _closed.clear()
