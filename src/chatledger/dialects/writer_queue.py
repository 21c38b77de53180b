"""A fair queue for the writers of one process, and one for its connections.

SQLite's busy handler is not a queue: of eight writers, one may wait for seconds while another commits thousands of
times. So the writers of a process take turns here, in order of arrival, and only the writer whose turn it is asks for
the lock of the file.
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

# Everything to be reset in the child of a fork.
_all: weakref.WeakSet[FairLock | ConnectionSlots] = weakref.WeakSet()

# The turns taken by the running code. Not by thread: frameworks enter a block in one thread of a pool and leave it in
# another, each within the context of the request, and use the first thread for another request meanwhile.
_inside: ContextVar[tuple[object, ...]] = ContextVar("chatledger_turns", default=())
# Turns on as many other databases are remembered; one that is left in another context is never taken out.
_NESTED = 7


class FairLock:
    """A lock that is handed from each holder to the one who has waited longest."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every holder and waiter: after a fork they are in another process."""
        self._mutex = threading.Lock()
        self._waiting: deque[tuple[threading.Lock, int]] = deque()
        self._holder: int | None = None
        self._key: object = None
        # Since when holders wait for a connection of the pool, one after another; None once one has got it.
        self.starving: float | None = None

    def acquire(self, timeout: float, *, brief: bool = False) -> None:
        """Wait for the turn. `brief`: for a single statement, inside of which no block can be entered.

        Raises:
            Busy: after `timeout` seconds.
            PoolExhausted: so, and the writers before it got no connection.
            NestedWrite: this thread has the turn already, and would wait for itself.
        """
        me = threading.get_ident()
        with self._mutex:
            if self._holder is None:
                self._holder = me
                self._take_note(brief=brief)
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

        self._take_note(brief=brief)

    def try_acquire(self) -> bool:
        """Take the turn without waiting. Return False if somebody has it."""
        with self._mutex:
            if self._holder is not None:
                return False
            self._holder = threading.get_ident()
        self._take_note()
        return True

    def _take_note(self, *, brief: bool = False) -> None:
        """This is the turn of the code that runs here, whose writing blocks would wait for it."""
        if brief:
            self._key = None
            return
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
        if self._key is not None:
            inside = _inside.get()
            if self._key in inside:
                _inside.set(tuple(key for key in inside if key is not self._key))
        with self._mutex:
            if not self._waiting:
                self._holder = None
                return
            ticket, self._holder = self._waiting.popleft()
            ticket.release()


class ConnectionSlots:
    """A fixed number of slots, given to waiting threads in order of arrival. A pool's own queue lets newcomers pass."""

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
        """Take a slot without waiting. Return False if none is free or others are waiting."""
        with self._mutex:
            if not self._free or self._waiting:
                return False
            self._free -= 1
            return True

    def acquire(self, timeout: float) -> None:
        """Wait for a slot.

        Raises:
            PoolExhausted: after `timeout` seconds.
        """
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
    """For a database that lets several writers write at once: nobody waits."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def enter_briefly(self) -> None:
        """Enter for a single statement, inside of which no block can be entered."""

    def try_enter(self) -> bool:
        """Enter without waiting. Return False if somebody else is in it."""
        return True

    def connection_wait(self, since: float, timeout: float) -> float:
        """Return how many seconds a writer may wait for a connection. `since` is when it began to wait for its turn."""
        return timeout

    def connected(self) -> None:
        """The writer has got its connection."""


class WriterQueue(NoQueue):
    """A context manager that waits for the writer's turn in the process. Can be entered again and again."""

    __slots__ = ("_lock", "_timeout")

    def __init__(self, lock: FairLock, timeout: float) -> None:
        self._lock = lock
        self._timeout = timeout

    def __enter__(self) -> None:
        self._lock.acquire(self._timeout)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def enter_briefly(self) -> None:
        self._lock.acquire(self._timeout, brief=True)

    def try_enter(self) -> bool:
        return self._lock.try_acquire()

    def connection_wait(self, since: float, timeout: float) -> float:
        """How long the writer whose turn it is, and who came at `since`, may wait for a connection.

        Those behind it wait for the same connection: their time runs as well, or waits would add up.
        """
        now = time.monotonic()
        if self._lock.starving is None:
            self._lock.starving = now
        return max(0.0, max(since, self._lock.starving) + timeout - now)

    def connected(self) -> None:
        self._lock.starving = None


# One lock per database and process, shared by every ledger on the database.
_locks: weakref.WeakValueDictionary[str, FairLock] = weakref.WeakValueDictionary()
_locks_mutex = threading.Lock()


def writer_lock(name: str | None) -> FairLock:
    """Return the lock of a database: the same lock for the same name, a new one if there is no name."""
    with _locks_mutex:
        lock = _locks.get(name) if name else None
        if lock is None:
            lock = FairLock()
            _all.add(lock)
            if name:
                _locks[name] = lock
        return lock


# Locks that are held because the process is forking.
_held: list[FairLock] = []
# Seconds that a fork waits for each writer.
_FORK_WAIT = 5.0


def pause_writers() -> None:
    """Before a fork: wait until nobody writes. A writer that takes too long, or that forks itself, is not waited for."""
    for lock in list(_all):
        if isinstance(lock, FairLock) and not lock.is_mine():
            with suppress(Busy):
                lock.acquire(_FORK_WAIT)
                _held.append(lock)


def resume_writers(*, child: bool = False) -> None:
    """After a fork: let writers continue. The child has no other writers, so everything that they held is reset."""
    global _locks_mutex
    if child:
        _locks_mutex = threading.Lock()
        for each in list(_all):
            each.reset()
    else:
        for lock in _held:
            lock.release()
    _held.clear()
