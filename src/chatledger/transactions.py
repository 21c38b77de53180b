"""Transactions of a ledger: one context object with the services on it, and `run`, which begins again when it may."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, TypeVar

from chatledger.callbacks import plain, require_synchronous
from chatledger.clock import Clock
from chatledger.database import BaseTransaction, Database
from chatledger.dialects.base import Mode
from chatledger.errors import (
    AccessDenied,
    Busy,
    CommitUnknown,
    ConnectionFailed,
    LedgerClosed,
    NestedWrite,
    OutOfSpace,
    Unavailable,
)
from chatledger.schemas.fields import number
from chatledger.settings import Durability, Settings
from chatledger.unit_of_work import UnitOfWork

Outcome = TypeVar("Outcome")

# How often `run` begins again where the database is busy, and the longest pause before it does, in seconds.
_ATTEMPTS = 6
_LONGEST_PAUSE = 1.0


class Transactions(Protocol):
    """Whatever begins transactions: a ledger, whole or as one user sees it."""

    @property
    def user_id(self) -> str | None: ...

    @property
    def clock(self) -> Clock: ...

    def begin(
        self, *, actor: str | None = None, durability: Durability | None = None
    ) -> AbstractContextManager[UnitOfWork]: ...

    def read(self, *, after: str | None = None) -> AbstractContextManager[UnitOfWork]: ...

    def run(
        self,
        work: Callable[[UnitOfWork], Outcome],
        *,
        actor: str | None = None,
        retry_timeout: float | None = None,
        durability: Durability | None = None,
    ) -> Outcome: ...


class UnitOfWorkTransaction(BaseTransaction):
    """A transaction that yields a unit of work, limited to a user where one is given."""

    __slots__ = ("_actor", "_uow", "_user_id")

    _uow: UnitOfWork

    def __init__(
        self,
        database: Database,
        mode: Mode,
        user_id: str | None,
        actor: str | None = None,
        durability: Durability | None = None,
    ) -> None:
        super().__init__(database, mode, durability)
        self._user_id = user_id
        self._actor = actor

    def __enter__(self) -> UnitOfWork:
        connection = self.begin()
        try:
            if self._user_id is not None:
                self._database.name_user(connection, self._user_id)
            self._uow = UnitOfWork(connection, user_id=self._user_id, clock=self._database.clock, actor=self._actor)
        except BaseException as error:  # such as an interrupt
            self.end(error)
            raise
        return self._uow

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self._uow.complete()
            except BaseException as broken:
                self.end(broken)
                raise
        self.end(error)
        if self._uow._context.is_index_behind:
            self._database.catch_up_index()
        if error is None and self._observers is not None and (count := self._uow._context.appended):
            self._observers.notify("appended", count)


def run(
    begin: Callable[[], AbstractContextManager[UnitOfWork]],
    work: Callable[[UnitOfWork], Outcome],
    *,
    patience: Patience,
) -> Outcome:
    """Begin, call `work` and commit; again when the database was busy or away. See `Ledger.run` for what is promised."""
    require_synchronous(work, "work")
    while True:
        try:
            with begin() as uow:
                return plain(work(uow), "work")
        except (Busy, Unavailable) as error:
            if not patience.allows_retry(error):
                raise
        patience.pause()


class Patience:
    """Whether `run` begins again after a failure, and when.

    When `stopped` is set, nobody waits for the outcome any more: nothing is tried again. `since` is when the caller
    began to wait, on the monotonic clock.

    Raises:
        InvalidInput: `retry_timeout` is not a number of seconds.
    """

    def __init__(
        self,
        settings: Settings,
        retry_timeout: float | None = None,
        stopped: threading.Event | None = None,
        since: float | None = None,
    ) -> None:
        if retry_timeout is None:
            retry_timeout = settings.retry_timeout
        else:
            retry_timeout = number(retry_timeout, "retry_timeout", 0.0, 3600.0)
        self._retry_timeout = retry_timeout
        self._stopped = stopped or threading.Event()
        # An attempt may wait for the whole of busy_timeout: there is time for a second one, and not for six.
        self._busy_until = (time.monotonic() if since is None else since) + 1.5 * settings.busy_timeout
        self._failures = 0
        self._lost_since: float | None = None

    def allows_retry(self, error: Busy | Unavailable) -> bool:
        """Whether it may be tried again after this failure."""
        now = time.monotonic()
        self._failures += 1
        if self._stopped.is_set():
            return False
        if isinstance(error, ConnectionFailed):
            if self._lost_since is None:
                self._lost_since = now
            return now < self._lost_since + self._retry_timeout
        # Waiting does not help: the caller would wait for itself, or must look at what was committed first.
        if isinstance(error, NestedWrite | LedgerClosed | OutOfSpace | AccessDenied | CommitUnknown):
            return False
        return self._failures < _ATTEMPTS and now < self._busy_until

    def pause(self) -> None:
        """Wait a little, at random, longer after more failures."""
        self._stopped.wait(random.random() * min(_LONGEST_PAUSE, 0.01 * 2 ** min(self._failures, 7)))
