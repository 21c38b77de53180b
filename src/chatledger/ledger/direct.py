"""The short way: an operation that one statement does is that statement, sent by itself.

`ledger.append` validates, encodes and digests before it waits for anything. Then it takes the writer's turn and a
connection, as a unit of work does, and runs one statement in autocommit: a single round trip to a server, and as little
time as possible in the way of other writers. Whatever does not fit is done in a unit of work, with the same result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import wraps
from time import monotonic, perf_counter
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from chatledger.database import Database
from chatledger.dialects.base import has_listeners
from chatledger.errors import Busy, ChatledgerError, CommitUnknown, LedgerClosed, OutOfSpace, StandbyServer, Unavailable
from chatledger.services.base import Operation, Service, ServiceContext
from chatledger.transactions import Patience, UnitOfWorkTransaction, run

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Service)

_Rows = Sequence[Sequence[Any]]


class DirectContext(ServiceContext):
    """What a service works with when each of its operations is a transaction of its own.

    `stopped` is set when nobody waits for the outcome any more: then nothing is tried again.
    """

    __slots__ = ("_database", "_stopped")

    def __init__(self, database: Database, owner: str | None, stopped: threading.Event | None = None) -> None:
        # There is no transaction to bind to, and nothing that belongs to one.
        self._database = database
        self._stopped = stopped
        self.engine = database.engine
        self.dialect = database.dialect
        self.owner = owner
        self.actor = None
        self.clock = database.clock

    def perform(self, operation: Operation[R]) -> R:
        """Do it in one statement, or else as `Ledger.run` or `Ledger.view`.

        Raises:
            NestedWrite: inside a writing block of this thread.
            CommitUnknown: the connection was lost while the statement ran, and it must not be run twice.
            Busy, Unavailable: as `Ledger.run`.
        """
        database, since, patience = self._database, monotonic(), None
        prepared = operation.statement(self) if self._is_possible() else None
        if prepared is not None:
            statement, parameters = prepared
            try:
                rows = self._fetch(operation, *statement.spelled_alone(self.engine, self.dialect, parameters))
                if rows:
                    if operation.writes:
                        database.has_written = True
                    return operation.result(rows)
            except (Busy, Unavailable) as error:
                patience = Patience(database.settings, stopped=self._stopped, since=since)
                if not patience.allows_retry(error):
                    raise
                patience.pause()
        mode, owner = "write" if operation.writes else "read", self.owner
        return run(
            lambda: UnitOfWorkTransaction(database, mode, owner),  # type: ignore[arg-type]
            lambda uow: operation.perform(uow._context),
            patience=patience or Patience(database.settings, stopped=self._stopped, since=since),
        )

    def _is_possible(self) -> bool:
        """Whether a statement may be sent past SQLAlchemy: nobody listens to statements, and the engine is ours."""
        database = self._database
        if database.is_closed:
            raise LedgerClosed
        if self.owner is not None and database.may_be_limited:
            return False  # the transaction has to name its user first
        return database.is_own and not has_listeners(database.engine)

    def _fetch(self, operation: Operation[Any], sql: str, values: Any) -> _Rows | None:
        database = self._database
        if not database.observers:
            return _fetch(database, operation, sql, values, _nobody)
        asked = began = perf_counter()

        def on_begin() -> None:
            nonlocal began
            began = perf_counter()

        def notify(outcome: str) -> None:
            mode = "write" if operation.writes else "read"
            database.observers.notify("transaction", mode, outcome, began - asked, perf_counter() - began)

        try:
            rows = _fetch(database, operation, sql, values, on_begin)
        except BaseException as error:
            if began == asked:
                began = perf_counter()
            notify("busy" if isinstance(error, Busy) else "failed")
            raise
        if rows:  # else the unit of work that says why has something to tell
            notify("committed")
            if operation.writes and operation.appends:
                database.observers.notify("appended", operation.appends)
        return rows


class HasDirectContext(Protocol):
    """A ledger, whole or as one user sees it."""

    @property
    def _direct(self) -> DirectContext: ...


def direct_method(
    service: type[S], method: Callable[Concatenate[S, P], R]
) -> Callable[Concatenate[HasDirectContext, P], R]:
    """A service's method as a method of the ledger: each call is a transaction of its own."""

    @wraps(method)
    def direct(self: HasDirectContext, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(service(self._direct), *args, **kwargs)

    return direct


def _fetch(
    database: Database, operation: Operation[Any], sql: str, values: Any, on_begin: Callable[[], None]
) -> _Rows | None:
    writing, dialect = operation.writes, database.dialect
    if writing:
        database.refuse_nested()
    connection = database.take(lambda: dialect.connection_alone(database.engine), writing=writing, brief=True)
    try:
        try:
            return dialect.fetch_alone(connection, sql, values, writing=writing, on_begin=on_begin)
        finally:
            if connection.is_valid:
                connection.close()
    except Exception as error:
        if isinstance(error, ChatledgerError) or not dialect.recognises(error):
            raise
        failure = dialect.translate(error)
    finally:
        database.leave(writing=writing)
    is_lost = isinstance(failure, Unavailable) and not isinstance(failure, OutOfSpace | StandbyServer)
    if is_lost and not operation.is_repeatable:
        # The statement commits by itself, so nobody knows whether it did.
        failure = CommitUnknown(failure.code)
    raise failure


def _nobody() -> None:
    """Nobody wants to know when a transaction begins."""
