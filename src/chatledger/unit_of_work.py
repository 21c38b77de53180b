"""One transaction, with the services as its attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import SQLAlchemyError

from chatledger.clock import Clock, utc_now
from chatledger.errors import InvalidInput
from chatledger.schemas.fields import acting
from chatledger.services.base import ServiceContext

if TYPE_CHECKING:
    from sqlalchemy.orm import Session as OrmSession
    from sqlalchemy.orm import SessionTransaction, scoped_session

    from chatledger.services.annotations.service import Annotations
    from chatledger.services.audit import Audit
    from chatledger.services.batches.service import Batches
    from chatledger.services.comparisons.service import Comparisons
    from chatledger.services.messages.service import Messages
    from chatledger.services.metadata import Metadata
    from chatledger.services.metrics.service import Metrics
    from chatledger.services.registry.models import Models
    from chatledger.services.registry.projects import Projects
    from chatledger.services.search.service import Search
    from chatledger.services.sessions.service import Sessions
    from chatledger.services.snapshots.service import Snapshots
    from chatledger.services.state import State
    from chatledger.services.statistics.service import Statistics
    from chatledger.services.timeouts.service import Timeouts
    from chatledger.services.workflows.service import Workflows


# Where each service is found. Two are needed by nearly every program; the others are imported when they are asked for.
_SERVICES = {
    "sessions": ("chatledger.services.sessions.service", "Sessions"),
    "messages": ("chatledger.services.messages.service", "Messages"),
    "metadata": ("chatledger.services.metadata", "Metadata"),
    "state": ("chatledger.services.state", "State"),
    "search": ("chatledger.services.search.service", "Search"),
    "timeouts": ("chatledger.services.timeouts.service", "Timeouts"),
    "snapshots": ("chatledger.services.snapshots.service", "Snapshots"),
    "audit": ("chatledger.services.audit", "Audit"),
    "projects": ("chatledger.services.registry.projects", "Projects"),
    "models": ("chatledger.services.registry.models", "Models"),
    "statistics": ("chatledger.services.statistics.service", "Statistics"),
    "metrics": ("chatledger.services.metrics.service", "Metrics"),
    "annotations": ("chatledger.services.annotations.service", "Annotations"),
    "comparisons": ("chatledger.services.comparisons.service", "Comparisons"),
    "batches": ("chatledger.services.batches.service", "Batches"),
    "workflows": ("chatledger.services.workflows.service", "Workflows"),
}


class UnitOfWork:
    """The services of one transaction.

    A ledger creates these: `with ledger.begin() as uow`. An application that already has a transaction passes its
    session (or connection) instead. Its own rows and our messages are then committed together:

        with SessionMaker.begin() as session:
            session.add(order)
            UnitOfWork(session).messages.append(chat_id, "tool", "Order placed.")

    `user_id` limits what is visible to the sessions of one user. `actor` is recorded in the audit log as who made the
    changes.

    Nothing here commits. If a service raises an error, whoever began the transaction decides what happens to it.
    """

    sessions: Sessions
    messages: Messages
    metadata: Metadata
    state: State
    search: Search
    timeouts: Timeouts
    snapshots: Snapshots
    audit: Audit
    projects: Projects
    models: Models
    statistics: Statistics
    metrics: Metrics
    annotations: Annotations
    comparisons: Comparisons
    batches: Batches
    workflows: Workflows

    def __init__(
        self,
        session: OrmSession | scoped_session[OrmSession] | Connection,
        *,
        user_id: str | None = None,
        actor: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._bind = session if isinstance(session, Connection) else _orm_session(session)
        self._context = ServiceContext(self._bind, user_id, clock, acting(actor))

    if not TYPE_CHECKING:  # or a type checker would take any name for a service

        def __getattr__(self, name: str) -> Any:
            """A service, made when it is first asked for: most transactions need one or two."""
            try:
                module, cls = _SERVICES[name]
            except KeyError:
                raise AttributeError(
                    f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
                ) from None
            service = getattr(import_module(module), cls)(self._context)
            # Found there from now on.
            self.__dict__[name] = service
            return service

    @cached_property
    def session(self) -> OrmSession:
        """The SQLAlchemy session of this transaction, for reading and writing `chatledger.models`.

        It is flushed before a service runs a statement, and it is limited to the same user as the unit of work
        (statements on tables, and SQL given as text, are not). If the ledger began the transaction, `commit` and
        `rollback` are refused. If a flush fails, the transaction is rolled back and the unit of work has ended; use
        `savepoint()` around anything that may fail.
        """
        if not isinstance(self._bind, Connection):
            return self._bind
        from chatledger.models.writing.context import WriterContext  # noqa: PLC0415 - services need none of it
        from chatledger.orm_session import JoinedSession  # noqa: PLC0415

        connection, context = self._bind, self._context

        def rolled_back(_session: OrmSession, _transaction: SessionTransaction) -> None:
            context.is_over = not connection.in_transaction()

        context.orm = JoinedSession(connection, WriterContext(context.owner, context.clock))
        event.listen(context.orm, "after_soft_rollback", rolled_back)
        return context.orm

    def interrupt(self) -> None:
        """Called from another thread: interrupt the running statement, so that a cancelled task does not wait for it."""
        connection = self._bind if isinstance(self._bind, Connection) else self._bind.connection()
        with suppress(Exception):  # nothing may be running any more
            self._context.dialect.interrupt(connection)

    def complete(self) -> None:
        """Flush what `session` still holds. The ledger calls this before it commits."""
        if self._context.orm is not None:
            self._translated(self._context.flush)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A block that can fail by itself: an error rolls back the block and is raised again.

        Unflushed changes of `session` are rolled back too.
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
            translated = self._context._translate(error)
        raise translated


def _orm_session(session: Any) -> OrmSession:
    """The session that an application's transaction is in."""
    # Here and not above, because a program that only calls services needs no mapper, which takes a while to import.
    from sqlalchemy.orm import Session, scoped_session  # noqa: PLC0415

    if isinstance(session, scoped_session):
        session = session()
    if not isinstance(session, Session):
        raise InvalidInput("session", "must be a SQLAlchemy Session or Connection (within run_sync where it is async)")
    return session
