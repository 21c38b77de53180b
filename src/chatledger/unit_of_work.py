"""One transaction, with the services as its attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import SessionTransaction, scoped_session

from chatledger.clock import Clock, utc_now
from chatledger.errors import InvalidInput
from chatledger.schemas.fields import acting
from chatledger.services.messages import Messages
from chatledger.services.sessions import Sessions
from chatledger.services.work import Work

if TYPE_CHECKING:
    from chatledger.services.annotations import Annotations
    from chatledger.services.audit import Audit
    from chatledger.services.batches import Batches
    from chatledger.services.comparisons import Comparisons
    from chatledger.services.metadata import Metadata
    from chatledger.services.metrics import Metrics
    from chatledger.services.models import Models
    from chatledger.services.projects import Projects
    from chatledger.services.search import Search
    from chatledger.services.snapshots import Snapshots
    from chatledger.services.statistics import Statistics
    from chatledger.services.timeouts import Timeouts
    from chatledger.services.workflows import Workflows


class UnitOfWork:
    """The services of one transaction.

    A ledger makes these: `with ledger.begin() as uow`. An application that has a transaction already passes its session
    (or connection) instead; its rows and our messages are then committed together, by it:

        with SessionMaker.begin() as session:
            session.add(order)
            UnitOfWork(session).messages.append(chat_id, "tool", "Order placed.")

    `user_id` limits what is seen to one user's; `actor` is who does it, for the audit log.

    Nothing here commits. An error raised by a service leaves the transaction to whoever began it.
    """

    def __init__(
        self,
        session: OrmSession | scoped_session[OrmSession] | Connection,
        *,
        user_id: str | None = None,
        actor: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        if isinstance(session, scoped_session):
            session = session()
        if not isinstance(session, OrmSession | Connection):
            raise InvalidInput(
                "session", "must be a SQLAlchemy Session or Connection (within run_sync where it is async)"
            )
        self._bind = session
        self._work = Work(session, user_id, clock, acting(actor))

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(self._work)

    @cached_property
    def messages(self) -> Messages:
        return Messages(self._work)

    @cached_property
    def metadata(self) -> Metadata:
        from chatledger.services.metadata import Metadata  # noqa: PLC0415 - when first asked for

        return Metadata(self._work)

    @cached_property
    def search(self) -> Search:
        from chatledger.services.search import Search  # noqa: PLC0415 - when first asked for

        return Search(self._work)

    @cached_property
    def timeouts(self) -> Timeouts:
        from chatledger.services.timeouts import Timeouts  # noqa: PLC0415 - when first asked for

        return Timeouts(self._work)

    @cached_property
    def snapshots(self) -> Snapshots:
        from chatledger.services.snapshots import Snapshots  # noqa: PLC0415 - when first asked for

        return Snapshots(self._work)

    @cached_property
    def audit(self) -> Audit:
        from chatledger.services.audit import Audit  # noqa: PLC0415 - when first asked for

        return Audit(self._work)

    @cached_property
    def projects(self) -> Projects:
        from chatledger.services.projects import Projects  # noqa: PLC0415 - when first asked for

        return Projects(self._work)

    @cached_property
    def models(self) -> Models:
        from chatledger.services.models import Models  # noqa: PLC0415 - when first asked for

        return Models(self._work)

    @cached_property
    def statistics(self) -> Statistics:
        from chatledger.services.statistics import Statistics  # noqa: PLC0415 - when first asked for

        return Statistics(self._work)

    @cached_property
    def metrics(self) -> Metrics:
        from chatledger.services.metrics import Metrics  # noqa: PLC0415 - when first asked for

        return Metrics(self._work)

    @cached_property
    def annotations(self) -> Annotations:
        from chatledger.services.annotations import Annotations  # noqa: PLC0415 - when first asked for

        return Annotations(self._work)

    @cached_property
    def comparisons(self) -> Comparisons:
        from chatledger.services.comparisons import Comparisons  # noqa: PLC0415 - when first asked for

        return Comparisons(self._work)

    @cached_property
    def batches(self) -> Batches:
        from chatledger.services.batches import Batches  # noqa: PLC0415 - when first asked for

        return Batches(self._work)

    @cached_property
    def workflows(self) -> Workflows:
        from chatledger.services.workflows import Workflows  # noqa: PLC0415 - when first asked for

        return Workflows(self._work)

    @cached_property
    def session(self) -> OrmSession:
        """The SQLAlchemy session of this transaction, to read and write `chatledger.models` with.

        It is flushed before a service runs a statement, and limited to the user that the unit of work is limited to
        (statements over tables, and SQL in text, are not). Where the ledger began the transaction, `commit` and
        `rollback` are refused. If a flush fails, the transaction has been rolled back and the unit of work is over; put
        what may fail into `savepoint()`.
        """
        if isinstance(self._bind, OrmSession):
            return self._bind
        from chatledger.models.writing.context import WriterContext  # noqa: PLC0415 - services need none of it
        from chatledger.orm_session import JoinedSession  # noqa: PLC0415

        connection, work = self._bind, self._work

        def rolled_back(_session: OrmSession, _transaction: SessionTransaction) -> None:
            work.is_over = not connection.in_transaction()

        work.orm = JoinedSession(connection, WriterContext(work.owner, work.clock))
        event.listen(work.orm, "after_soft_rollback", rolled_back)
        return work.orm

    def interrupt(self) -> None:
        """From another thread: end the statement that is running, so that a cancelled task need not wait for it."""
        connection = self._bind if isinstance(self._bind, Connection) else self._bind.connection()
        with suppress(Exception):  # nothing may be running any more
            self._work.dialect.interrupt(connection)

    def complete(self) -> None:
        """Write what `session` still holds. The ledger calls this before it commits."""
        if self._work.orm is not None:
            self._translated(self._work.flush)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction that can fail by itself: an error undoes the part and is raised on.

        What `session` holds is undone with it.
        """
        nested: Any = self._translated(self._begin_nested)
        nested.__enter__()
        try:
            yield
        except BaseException as error:
            told = (type(error), error, error.__traceback__)
            self._translated(lambda: nested.__exit__(*told))
            raise
        self._translated(lambda: nested.__exit__(None, None, None))

    def _begin_nested(self) -> SessionTransaction:
        nested = self.session.begin_nested()
        self.session.connection()  # a session sends SAVEPOINT when it first needs the connection, and services do not ask
        return nested

    def _translated(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except SQLAlchemyError as error:  # as of a connection that is lost: `Ledger.run` has to know it
            translated = self._work._translate(error)
        raise translated
