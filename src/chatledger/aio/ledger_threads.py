"""The synchronous ledger behind an asynchronous one, and the threads that use it."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from chatledger.aio.bridge import Answer, answering, result_of, uncancelled
from chatledger.aio.threads import Workers
from chatledger.aio.transaction_thread import TransactionThread
from chatledger.clock import Clock
from chatledger.errors import Busy, LedgerClosed, NestedWrite, PoolExhausted
from chatledger.ledger.ledger import Ledger
from chatledger.settings import Settings
from chatledger.unit_of_work import UnitOfWork

R = TypeVar("R")


class LedgerThreads:
    """The synchronous ledger, opened at first use, and the threads that use it."""

    def __init__(
        self, make: Callable[[], Ledger], settings: Settings, clock: Clock, *, keep_open: bool = False
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.workers = Workers(settings.pool_size + settings.max_overflow)
        self._make = make
        self._keep_open = keep_open
        self._lock = threading.Lock()
        self._ledger: Ledger | None = None
        self._closed = False
        self._open: weakref.WeakSet[TransactionThread] = weakref.WeakSet()

    def ledger(self) -> Ledger:
        """The ledger. Opens it, and so may block: called in a worker thread."""
        with self._lock:
            if self._closed:
                raise LedgerClosed
            if self._ledger is None:
                self._ledger = self._make()
            return self._ledger

    def transaction(
        self, opening: Callable[[], AbstractContextManager[UnitOfWork]], *, writing: bool = False
    ) -> TransactionThread:
        """A transaction that is yet to be entered."""
        if writing:
            self.require_no_writer()
        transaction = TransactionThread(opening, self.workers, self.settings.pool_timeout, writing=writing)
        self._open.add(transaction)
        return transaction

    def require_outside(self) -> None:
        """Raise Busy inside a block of this task, which would wait for itself."""
        if any(transaction.is_open_in_this_task() for transaction in list(self._open)):
            raise Busy("a unit of work of this task is still open: leave its block before you close the ledger")

    def require_no_writer(self) -> None:
        """Raise NestedWrite inside a writing block of this task."""
        if any(transaction.writing and transaction.is_open_in_this_task() for transaction in list(self._open)):
            raise NestedWrite

    async def call(self, function: Callable[[], R], *, cancelled: Callable[[], object] | None = None) -> R:
        """Run a function in a thread. When cancelled meanwhile, call `cancelled` and wait until the function ends.

        Raises:
            PoolExhausted: every thread was busy for `pool_timeout`.
        """
        answer: Answer[R] = Answer(loop=asyncio.get_running_loop())
        job = self.workers.submit(lambda: answering(answer, function))
        if job.waits:
            try:
                await asyncio.wait([answer], timeout=self.settings.pool_timeout)
            except asyncio.CancelledError:
                if not job.cancel():
                    if cancelled is not None:
                        cancelled()
                    await uncancelled(answer, cancelled)
                raise
            if not answer.done() and job.cancel():
                raise PoolExhausted
        return await result_of(answer, cancelled)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._ledger is not None and not self._keep_open:
                self._ledger.close()
