"""What the services of one unit of work share: a way to run statements, the dialect, the owner and the clock."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from sqlalchemy import Connection, Engine, Table
from sqlalchemy import exc as sa
from sqlalchemy.engine import CursorResult, Result

from chatledger.clock import Clock
from chatledger.dialects import dialect_of
from chatledger.dialects.base import Dialect
from chatledger.errors import ChatledgerError, UnitOfWorkEnded
from chatledger.services.prepared import Prepared

if TYPE_CHECKING:
    from sqlalchemy.orm import Session as OrmSession

R = TypeVar("R")

logger = logging.getLogger("chatledger")
# Or a warning would be printed by a program that has not set up logging.
logger.addHandler(logging.NullHandler())


class Operation(ABC, Generic[R]):
    """What a service does, with its arguments validated, before a connection is needed.

    If one statement does all of it, `DirectContext` runs that statement as a transaction of its own.
    """

    __slots__ = ()

    writes: ClassVar[bool] = True
    appends: ClassVar[int] = 0
    """Messages that it appends when `statement` does it."""

    @property
    def is_repeatable(self) -> bool:
        """Whether doing it twice has the effect of doing it once."""
        return not self.writes

    def statement(self, context: ServiceContext) -> tuple[Prepared, dict[str, Any]] | None:  # noqa: ARG002 - for others
        """The statement that does it, with its parameters, or None if it takes more than one."""
        return None

    def result(self, rows: Sequence[Sequence[Any]]) -> R:
        """What the statement's rows mean. If there are none, `perform` says why."""
        raise NotImplementedError

    @abstractmethod
    def perform(self, context: ServiceContext) -> R:
        """Do it within a unit of work."""


class ServiceContext:
    """The transaction as the services see it."""

    __slots__ = (
        "_bind",
        "_connection",
        "actor",
        "appended",
        "clock",
        "dialect",
        "engine",
        "is_index_behind",
        "is_over",
        "orm",
        "owner",
        "registered",
    )

    def __init__(
        self, bind: OrmSession | Connection, owner: str | None, clock: Clock, actor: str | None = None
    ) -> None:
        self._bind = bind
        # An application's session flushes what it holds before each statement, so it must run the statement itself.
        self._connection = bind if isinstance(bind, Connection) else None
        self.engine: Engine = bind.engine if isinstance(bind, Connection) else bind.get_bind().engine
        self.dialect: Dialect = dialect_of(self.engine.dialect.name)
        # The user whose sessions alone are visible, or None for all.
        self.owner = owner
        # Who does this, for the audit log.
        self.actor = actor
        self.clock = clock
        # Models that this transaction has registered.
        self.registered: set[str] = set()
        # Messages that were appended so far, for those who watch.
        self.appended = 0
        # The SQLAlchemy session beside the connection, where somebody has asked for it.
        self.orm: OrmSession | None = None
        # Whether a search has found messages that the full-text index does not hold yet.
        self.is_index_behind = False
        # Whether a failed flush has rolled the transaction back.
        self.is_over = False

    def execute(self, statement: Any, parameters: Any = None) -> Result[Any]:
        """Run one statement. A driver's error becomes a chatledger error, without the values that the driver repeats."""
        try:
            if self.orm is not None:
                self.flush()
            return self._bind.execute(statement, parameters)
        except (sa.SQLAlchemyError, OverflowError, UnicodeError) as error:
            translated = self._translate(error)
        raise translated  # outside of the handler: the driver's error, with its values, is not chained to ours

    def rows(self, prepared: Prepared, parameters: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a statement of a hot path; its rows."""
        if self._connection is None:
            return self.execute(prepared.statement, parameters).all()
        try:
            if self.orm is not None:
                self.flush()
            return prepared.fetch(self._connection, self.dialect, parameters)
        except Exception as error:
            if isinstance(error, ChatledgerError) or not self.dialect.recognises(error):
                raise
            translated = self._translate(error)
        raise translated

    def perform(self, operation: Operation[R]) -> R:
        """Do what a service has prepared."""
        return operation.perform(self)

    def planned_rows(
        self, prepared: Prepared, parameters: Mapping[str, Any], *, by_index: bool = False
    ) -> Sequence[Sequence[Any]]:
        """Run a statement whose plan depends on its values; its rows in stored form. See `Dialect.fetch_planned`."""
        try:
            return prepared.fetch_planned(self.connected(), self.dialect, parameters, by_index=by_index)
        except Exception as error:
            if isinstance(error, ChatledgerError) or not self.dialect.recognises(error):
                raise
            translated = self._translate(error)
        raise translated

    def flush(self) -> None:
        """Write what `orm` holds, so that a service sees it.

        Raises:
            UnitOfWorkEnded: an earlier flush failed, which rolled the transaction back.
        """
        if self.is_over:
            raise UnitOfWorkEnded
        orm = self.orm
        if orm is not None and (orm.new or orm.dirty or orm.deleted):
            orm.flush()

    def insert_rows(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert many rows in one round trip."""
        try:
            self.dialect.insert_rows(self.connected(), table, rows)
            return
        except Exception as error:
            if isinstance(error, ChatledgerError) or not (
                isinstance(error, OverflowError | UnicodeError) or self.dialect.recognises(error)
            ):
                raise
            translated = self._translate(error)
        raise translated

    def delete_dependents(self, tables: Iterable[Table], session_ids: Sequence[str]) -> None:
        """Delete the rows of sessions in these tables, unless foreign keys do so when the sessions are deleted."""
        try:
            self.dialect.delete_dependents(self.connected(), tables, session_ids)
            return
        except (sa.SQLAlchemyError, OverflowError, UnicodeError) as error:
            translated = self._translate(error)
        raise translated

    def connected(self) -> Connection:
        """The connection itself, with everything flushed to it, for what a dialect does."""
        if self._connection is not None:
            if self.orm is not None:
                self.flush()
            return self._connection
        assert not isinstance(self._bind, Connection)
        self._bind.flush()  # what the session holds may be what the rows refer to
        return self._bind.connection()

    def change(self, statement: Any, parameters: Any = None) -> int:
        """Run one statement; how many rows it changed."""
        result = self.execute(statement, parameters)
        assert isinstance(result, CursorResult)
        return result.rowcount

    def now(self, given: datetime | None = None) -> datetime:
        return self.clock() if given is None else given

    def _translate(self, error: BaseException) -> ChatledgerError:
        cause = getattr(error, "orig", None)
        if isinstance(cause, ChatledgerError):  # refused while a value was bound
            return cause
        if isinstance(error, sa.ResourceClosedError | sa.PendingRollbackError):
            return UnitOfWorkEnded()
        return self.dialect.translate(error)


class Service:
    """Holds nothing but the work it is part of."""

    __slots__ = ("_context",)

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
