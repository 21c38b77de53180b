"""The threads of an AsyncLedger.

Not `concurrent.futures`: its threads are joined when the interpreter ends, so that a transaction left open by a task that
never finished would keep the process alive for ever. These end with the process, and the database rolls back.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

from chatledger.errors import LedgerClosed


class Job:
    """A function that waits for a thread."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function
        self.waits = False
        """Whether every thread was busy when it came."""
        self._taken = threading.Lock()

    def take(self) -> bool:
        """Whether it is still to be done; asked by the thread that would do it."""
        return self._taken.acquire(blocking=False)

    def cancel(self) -> bool:
        """Take it back, if no thread has begun it; whether that was in time."""
        return self._taken.acquire(blocking=False)


class Workers:
    """Up to so many threads, started when they are needed. Jobs are begun in the order of their coming."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._mutex = threading.Lock()
        self._wake = threading.Condition(self._mutex)
        self._jobs: deque[Job] = deque()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._closed = False

    def submit(self, function: Callable[[], None]) -> Job:
        """Have a function called, which must not raise.

        Raises:
            LedgerClosed: after `shutdown`.
        """
        if self._process != os.getpid() and not self._closed:
            self._begin()  # threads do not survive a fork
        job = Job(function)
        with self._mutex:
            if self._closed:
                raise LedgerClosed
            self._jobs.append(job)
            if len(self._jobs) <= self._idle:
                self._wake.notify()
            elif len(self._threads) < self._limit:
                thread = threading.Thread(target=self._work, name="chatledger", daemon=True)
                self._threads.add(thread)
                thread.start()
            else:
                job.waits = True
        return job

    def shutdown(self) -> None:
        """Take no more jobs, and wait until those there are have been done."""
        with self._mutex:
            self._closed = True
            self._wake.notify_all()
            threads = set(self._threads)
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._mutex:
                while not self._jobs:
                    if self._closed:
                        return
                    self._idle += 1
                    self._wake.wait()
                    self._idle -= 1
                job = self._jobs.popleft()
            if job.take():
                job.function()
            del job  # what it holds must not live as long as the thread
