"""Transactions of a ledger: one context object with the services on it, and `run`, which begins again when it may."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, TypeVar

from chatledger.callbacks import plain, require_synchronous
from chatledger.clock import Clock
from chatledger.database import BaseTransaction, Database
from chatledger.dialects.base import Mode
from chatledger.errors import Busy, LedgerClosed, NestedWrite, OutOfSpace, Unavailable
from chatledger.unit_of_work import UnitOfWork

Outcome = TypeVar("Outcome")

# How often `run` begins again, and the longest it then waits, in seconds.
_ATTEMPTS = 6
_LONGEST_PAUSE = 1.0


class Transactions(Protocol):
    """Whatever begins transactions: a ledger, whole or as one user sees it."""

    @property
    def user_id(self) -> str | None: ...

    @property
    def clock(self) -> Clock: ...

    def begin(self, *, actor: str | None = None) -> AbstractContextManager[UnitOfWork]: ...

    def read(self) -> AbstractContextManager[UnitOfWork]: ...

    def run(self, work: Callable[[UnitOfWork], Outcome], *, actor: str | None = None) -> Outcome: ...


class UnitOfWorkTransaction(BaseTransaction):
    """A transaction that yields a unit of work, limited to a user where one is given."""

    __slots__ = ("_actor", "_uow", "_user_id")

    _uow: UnitOfWork

    def __init__(self, database: Database, mode: Mode, user_id: str | None, actor: str | None = None) -> None:
        super().__init__(database, mode)
        self._user_id = user_id
        self._actor = actor

    def __enter__(self) -> UnitOfWork:
        connection = self.begin()
        try:
            self._uow = UnitOfWork(connection, user_id=self._user_id, clock=self._database.clock, actor=self._actor)
        except BaseException as error:  # an interrupt
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
        if error is None and self._observers is not None and (count := self._uow._context.appended):
            self._observers.notify("appended", count)


def run(
    database: Database,
    begin: Callable[[], AbstractContextManager[UnitOfWork]],
    work: Callable[[UnitOfWork], Outcome],
) -> Outcome:
    """Begin, call `work` and commit; again when the database was busy or away. See `Ledger.run` for what is promised."""
    require_synchronous(work, "work")
    # An attempt may wait for the whole of busy_timeout: there is time for a second one, and not for six.
    deadline = time.monotonic() + 1.5 * database.settings.busy_timeout
    for attempt in range(1, _ATTEMPTS + 1):
        committing = False
        try:
            with begin() as uow:
                outcome = plain(work(uow), "work")
                committing = True
            return outcome
        except NestedWrite:  # waiting does not help
            raise
        except Busy:
            if attempt == _ATTEMPTS or time.monotonic() >= deadline:
                raise
        except Unavailable as error:
            final = isinstance(error, LedgerClosed | OutOfSpace)
            if committing or final or attempt == _ATTEMPTS or time.monotonic() >= deadline:
                raise
        time.sleep(random.random() * min(_LONGEST_PAUSE, 0.01 * 2**attempt))
    raise AssertionError("the loop returns or raises")
