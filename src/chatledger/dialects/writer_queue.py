"""A fair queue for the writers of one process.

SQLite's busy handler is no queue: of eight writers one may wait for seconds while another commits thousands of times.
So the writers of a process take turns here, in the order of their coming, and only the one whose turn it is asks the
file for its lock.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType

from chatledger.errors import Busy, NestedWrite, PoolExhausted

#: Everything to be reset in the child of a fork.
_all: weakref.WeakSet[Gate | Places] = weakref.WeakSet()

#: The turns that were taken by the code that runs here. Not by the thread: frameworks enter a block in one thread of a
#: pool and leave it in another, each within a context of the request, and use the first for somebody else meanwhile.
_inside: ContextVar[tuple[object, ...]] = ContextVar("chatledger_turns", default=())
#: Turns on as many other databases are remembered; one that is left in another context is never taken out.
_NESTED = 7


class Gate:
    """A lock that is handed from each holder to the one who has waited longest."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every holder and waiter: after a fork they are in another process."""
        self._mutex = threading.Lock()
        self._waiting: deque[tuple[threading.Lock, int]] = deque()
        self._holder: int | None = None
        self._key: object = None
        #: Since when holders wait for a connection of the pool, one after another; None once one has got it.
        self.starving: float | None = None

    def acquire(self, timeout: float) -> None:
        """Wait for the turn.

        Raises:
            Busy: after `timeout` seconds.
            PoolExhausted: so, and the writers before it got no connection.
            NestedWrite: this thread has the turn already, and would wait for itself.
        """
        me = threading.get_ident()
        with self._mutex:
            if self._holder is None:
                self._holder = me
                self._take_note()
                return
            if self._holder == me and self._key in _inside.get():
                raise NestedWrite
            ticket = threading.Lock()
            ticket.acquire()
            place = (ticket, me)
            self._waiting.append(place)
        try:
            served = ticket.acquire(timeout=timeout)
        except BaseException:  # an interrupt in the middle of the wait
            self._withdraw(place)
            raise
        # A turn that came in the last moment is taken all the same: `release` has handed it over.
        if not served and self._withdraw(place, keep=True):
            if self.starving is not None:
                raise PoolExhausted
            raise Busy(f"units of work of this process have been writing for {timeout:g} s: keep them short")

        self._take_note()

    def _take_note(self) -> None:
        """This is the turn of the code that runs here, whose writing blocks would wait for it."""
        self._key = object()
        _inside.set((*_inside.get()[-_NESTED:], self._key))

    def _withdraw(self, place: tuple[threading.Lock, int], *, keep: bool = False) -> bool:
        """Leave the queue; whether that was in time. A turn that has come meanwhile is kept or passed on."""
        with self._mutex:
            if place in self._waiting:
                self._waiting.remove(place)
                return True
        if not keep:
            self.release()
        return False

    def is_mine(self) -> bool:
        """Whether this very thread took the turn. (A block may be left on another thread than it was entered on.)"""
        return self._holder == threading.get_ident()

    def release(self) -> None:
        inside = _inside.get()
        if self._key in inside:
            _inside.set(tuple(key for key in inside if key is not self._key))
        with self._mutex:
            if not self._waiting:
                self._holder = None
                return
            ticket, self._holder = self._waiting.popleft()
            ticket.release()


class Places:
    """So many places, handed in order of arrival to those who wait. A pool's own queue lets newcomers pass."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.reset()
        _all.add(self)

    def reset(self) -> None:
        """Forget every holder and waiter: after a fork they are in another process."""
        self._mutex = threading.Lock()
        self._free = self._number
        self._waiting: deque[threading.Lock] = deque()

    def take(self) -> bool:
        """Have a place without waiting; False where there is none, or others wait already."""
        with self._mutex:
            if not self._free or self._waiting:
                return False
            self._free -= 1
            return True

    def acquire(self, timeout: float) -> None:
        """Wait for a place. Raises PoolExhausted after `timeout` seconds."""
        with self._mutex:
            if self._free and not self._waiting:
                self._free -= 1
                return
            ticket = threading.Lock()
            ticket.acquire()
            self._waiting.append(ticket)
        try:
            served = ticket.acquire(timeout=timeout)
        except BaseException:  # an interrupt in the middle of the wait
            self._withdraw(ticket)
            raise
        if not served and self._withdraw(ticket, keep=True):
            raise PoolExhausted

    def _withdraw(self, ticket: threading.Lock, *, keep: bool = False) -> bool:
        with self._mutex:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                return True
        if not keep:
            self.release()
        return False

    def release(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


class NoQueue:
    """Where writers need not queue, since the database lets several write."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def connection_wait(self, since: float, timeout: float) -> float:
        """How long a writer may wait for a connection."""
        return timeout

    def connected(self) -> None:
        """It has one."""


class Turn(NoQueue):
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

    def connection_wait(self, since: float, timeout: float) -> float:
        """How long the writer whose turn it is, and who came at `since`, may wait for a connection.

        Those behind it wait for the same connection: their time runs as well, or waits would add up.
        """
        now = time.monotonic()
        if self._gate.starving is None:
            self._gate.starving = now
        return max(0.0, max(since, self._gate.starving) + timeout - now)

    def connected(self) -> None:
        self._gate.starving = None


#: One gate per database and process, shared by every ledger on it.
_gates: weakref.WeakValueDictionary[str, Gate] = weakref.WeakValueDictionary()
_gates_lock = threading.Lock()


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
        if isinstance(gate, Gate) and not gate.is_mine():
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
