"""Transactions: the one way to work with a ledger, whole or as one user sees it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeVar

from sqlalchemy.orm import Session as OrmSession

from chatledger.callbacks import plain, require_synchronous
from chatledger.database import Database
from chatledger.dialects.base import Mode
from chatledger.errors import Busy, LedgerClosed, NestedWrite, OutOfSpace, Unavailable
from chatledger.schemas.fields import acting
from chatledger.unit_of_work import UnitOfWork

Outcome = TypeVar("Outcome")

#: How often `run` begins again, and the longest it then waits, in seconds.
_ATTEMPTS = 6
_LONGEST_PAUSE = 1.0


class Transactions:
    """Begins transactions: on a whole ledger, or on what one user sees of it."""

    def __init__(self, database: Database, user_id: str | None = None) -> None:
        self._database = database
        self._user_id = user_id

    @property
    def user_id(self) -> str | None:
        """The user that this view is limited to, or None for the whole ledger."""
        return self._user_id

    def begin(self, *, actor: str | None = None) -> AbstractContextManager[UnitOfWork]:
        """One read-write transaction. Commits at the end of the block; any error rolls back all of it and is raised on.

        `actor` is who does it, for the audit log.

        Raises:
            Busy: others held the lock, or every connection, for longer than the settings allow.
            Unavailable: the database cannot be reached or written.
        """
        return _Block(self._database, "write", self._user_id, acting(actor))

    def read(self) -> AbstractContextManager[UnitOfWork]:
        """One read-only snapshot: every read in the block sees the same moment; the database refuses a write.

        Raises:
            Busy, Unavailable: as `begin`.
        """
        return _Block(self._database, "read", self._user_id, None)

    def orm(self) -> OrmSession:
        """A SQLAlchemy session over `chatledger.models`, whose transactions begin as those of `begin` do.

            with ledger.orm() as session:
                session.add(models.Session(messages=[models.Message(role="user", content="Hello")]))
                session.commit()

        A transaction begins with the first statement, waits its turn among the writers, and ends with `commit`,
        `rollback` or the end of the block, which rolls back. Objects stay usable after a commit. A ledger that is
        limited to a user reads and writes the rows of that user only; statements over tables, and SQL in text, are not
        limited. Errors of the database are SQLAlchemy's own; what chatledger refuses is a `ChatledgerError`.

        Raises:
            Busy, Unavailable: as `begin`, at the first statement.
        """
        from chatledger.models.writing.context import WriterContext  # noqa: PLC0415 - services need none of it
        from chatledger.orm_session import LedgerSession  # noqa: PLC0415

        database = self._database
        return LedgerSession(lambda: database.transaction("write"), WriterContext(self._user_id, database.clock))

    def run(self, work: Callable[[UnitOfWork], Outcome], *, actor: str | None = None) -> Outcome:
        """`begin`, call `work`, commit; again when the database was busy or the connection broke before the commit.

        Gives up after about twice `busy_timeout`. `work` may be called several times and must not do what cannot be done
        twice outside of the transaction. When the connection breaks during the commit itself, nobody knows whether it
        happened: that is raised and not tried again. Appends with `key=` can be repeated safely.

        Raises:
            InvalidInput: `work` is a coroutine or generator function, or returned something of the kind: calling it ran
                nothing. Nothing is committed.
        """
        require_synchronous(work, "work")
        # An attempt may wait for the whole of busy_timeout: there is time for a second one, and not for six.
        deadline = time.monotonic() + 1.5 * self._database.settings.busy_timeout
        for attempt in range(1, _ATTEMPTS + 1):
            committing = False
            try:
                with self.begin(actor=actor) as uow:
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


class _Block:
    """A transaction with the services on it."""

    __slots__ = ("_actor", "_clock", "_observers", "_transaction", "_uow", "_user_id")

    _uow: UnitOfWork

    def __init__(self, database: Database, mode: Mode, user_id: str | None, actor: str | None) -> None:
        self._transaction = database.transaction(mode)
        self._observers = database.observers
        self._user_id = user_id
        self._clock = database.clock
        self._actor = actor

    def __enter__(self) -> UnitOfWork:
        connection = self._transaction.__enter__()
        try:
            self._uow = UnitOfWork(connection, user_id=self._user_id, clock=self._clock, actor=self._actor)
        except BaseException as error:  # an interrupt
            self._transaction.__exit__(type(error), error, error.__traceback__)
            raise
        return self._uow

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self._uow.complete()
            except BaseException as broken:
                self._transaction.__exit__(type(broken), broken, broken.__traceback__)
                raise
        self._transaction.__exit__(kind, error, trace)
        if error is None and self._observers and (count := self._uow._context.appended):
            self._observers.tell("appended", count)
