"""A fair queue for the writers of one process.

SQLite's busy handler is no queue: of eight writers one may wait for seconds while another commits thousands of times.
So the writers of a process take turns here, in the order of their coming, and only the one whose turn it is asks the
file for its lock.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from types import TracebackType
from typing import Any

from sqlalchemy import Engine

from chatledger.errors import Busy


class Gate:
    """A lock that is handed from each holder to the one who has waited longest. Not reentrant."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def acquire(self, timeout: float) -> None:
        """Wait for the turn. Raises Busy after `timeout` seconds."""
        with self._mutex:
            if not self._held:
                self._held = True
                return
            ticket = threading.Lock()
            ticket.acquire()
            self._waiting.append(ticket)
        if ticket.acquire(timeout=timeout):
            return
        with self._mutex:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                raise Busy(
                    f"another thread of this process has been writing for {timeout:g} s: keep transactions short"
                )
        # The turn came in the last moment, after all: `release` has handed it over.

    def release(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


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
_gate_of_engine: weakref.WeakKeyDictionary[Any, Gate] = weakref.WeakKeyDictionary()


def gate_of(engine: Engine, name: str | None) -> Gate:
    """The gate of an engine: one for all engines of this process with the same name, or one of its own."""
    pool = engine.pool  # shared by the views of an engine
    gate = _gate_of_engine.get(pool)
    if gate is None:
        with _gates_lock:
            gate = (_gates.get(name) if name else None) or Gate()
            if name:
                _gates[name] = gate
            _gate_of_engine[pool] = gate
    return gate


def _after_fork() -> None:
    # A gate that was held in the parent would never open in the child.
    global _gates_lock
    _gates_lock = threading.Lock()
    _gates.clear()
    _gate_of_engine.clear()


os.register_at_fork(after_in_child=_after_fork)
