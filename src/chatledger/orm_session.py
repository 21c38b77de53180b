"""SQLAlchemy sessions over a ledger: one with transactions of its own, and one inside a transaction of the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import SessionTransaction

from chatledger.database import Transaction
from chatledger.errors import ChatledgerError
from chatledger.models.writing import install
from chatledger.models.writing.context import CONTEXT, WriterContext


class LedgerSession(OrmSession):
    """A session whose transactions begin as a writer's: in the queue of writers, and with the lock on databases that have
    one. A transaction begins with the first statement and ends with `commit`, `rollback` or `close`.
    """

    def __init__(self, begin: Callable[[], Transaction], context: WriterContext) -> None:
        install()  # or the first statement of the process would not meet the events that limit it to a user
        options = {CONTEXT: context}
        super().__init__(expire_on_commit=False, info=dict(options), execution_options=options)
        self._begin_transaction = begin
        self._ledger_transaction: Transaction | None = None
        self._ledger_connection: Connection | None = None
        self._committed = False
        event.listen(self, "after_commit", _note_commit)
        event.listen(self, "after_soft_rollback", _note_rollback)
        event.listen(self, "after_transaction_end", _end)

    def get_bind(self, mapper: Any = None, *, bind: Any = None, **arguments: Any) -> Engine | Connection:
        """The connection of the transaction, which is begun where there is none yet."""
        if bind is not None:
            return super().get_bind(mapper, bind=bind, **arguments)
        if not self.in_transaction():
            self.begin()  # or nothing would end the transaction of a session that is asked for its connection only
        if self._ledger_connection is None:
            transaction = self._begin_transaction()
            self._ledger_connection = transaction.__enter__()
            self._ledger_transaction = transaction
        return self._ledger_connection

    def _leave(self) -> None:
        """Give the connection back, if there is one."""
        ended, committed = self._ledger_transaction, self._committed
        self._ledger_transaction = self._ledger_connection = None
        self._committed = False
        if ended is None:
            return
        if committed:
            ended.__exit__(None, None, None)
        else:
            ended.__exit__(_RolledBack, _RolledBack(), None)


class _RolledBack(Exception):
    """Tells a transaction that it was not committed."""


def _note_commit(session: OrmSession) -> None:
    assert isinstance(session, LedgerSession)
    session._committed = True


def _end(session: OrmSession, transaction: SessionTransaction) -> None:
    """Leave the queue when the outermost transaction has ended."""
    assert isinstance(session, LedgerSession)
    if transaction.parent is None:
        session._leave()


def _note_rollback(session: OrmSession, _transaction: SessionTransaction) -> None:
    """Leave the queue at once when a failed flush has rolled back, not only when the session itself is rolled back."""
    assert isinstance(session, LedgerSession)
    connection = session._ledger_connection
    if connection is not None and not connection.in_transaction():
        session._leave()


class JoinedSession(OrmSession):
    """A session inside a transaction that somebody else began and will end."""

    def __init__(self, connection: Connection, context: WriterContext) -> None:
        install()  # as above
        options = {CONTEXT: context}
        super().__init__(
            connection,
            expire_on_commit=False,
            # A flush that fails takes the whole transaction back: what services wrote in it must not stay alone.
            join_transaction_mode="rollback_only",
            info=dict(options),
            execution_options=options,
        )

    def commit(self) -> None:
        """Refused."""
        raise ChatledgerError(
            "commit: the transaction is committed at the end of its block, or by whoever began it; flush() writes now"
        )

    def rollback(self) -> None:
        """Refused."""
        raise ChatledgerError(
            "rollback: services have written in this transaction too: raise an error to undo all of it, "
            "or use uow.savepoint() for a part"
        )
