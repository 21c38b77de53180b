"""One transaction, awaited, with the services as attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from chatledger.aio.method import AsyncService, Caller
from chatledger.aio.services import (
    AsyncAnnotations,
    AsyncAudit,
    AsyncBatches,
    AsyncComparisons,
    AsyncMessages,
    AsyncMetadata,
    AsyncMetrics,
    AsyncModels,
    AsyncProjects,
    AsyncSearch,
    AsyncSessions,
    AsyncSnapshots,
    AsyncState,
    AsyncStatistics,
    AsyncTimeouts,
    AsyncWorkflows,
)
from chatledger.callbacks import required_callback
from chatledger.clock import Clock, utc_now
from chatledger.errors import InvalidInput
from chatledger.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

R = TypeVar("R")

_SERVICES: dict[str, type[AsyncService]] = {
    "sessions": AsyncSessions,
    "messages": AsyncMessages,
    "metadata": AsyncMetadata,
    "state": AsyncState,
    "search": AsyncSearch,
    "timeouts": AsyncTimeouts,
    "snapshots": AsyncSnapshots,
    "audit": AsyncAudit,
    "projects": AsyncProjects,
    "models": AsyncModels,
    "statistics": AsyncStatistics,
    "metrics": AsyncMetrics,
    "annotations": AsyncAnnotations,
    "comparisons": AsyncComparisons,
    "batches": AsyncBatches,
    "workflows": AsyncWorkflows,
}


class AsyncUnitOfWork:
    """The services of one transaction, awaited. One task at a time: calls run in the order they were made.

    A ledger makes these: `async with ledger.begin() as uow`. An application that has a transaction already passes its
    `AsyncSession` (or `AsyncConnection`) instead, on any asynchronous driver; its rows and our messages are then
    committed together, by it:

        async with SessionMaker.begin() as session:
            session.add(order)
            await AsyncUnitOfWork(session).messages.append(chat_id, "tool", "Order placed.")

    `user_id` limits what is seen to one user's; `actor` is who does it, for the audit log.

    Nothing here commits. An error raised by a service leaves the transaction to whoever began it.

    Raises:
        InvalidInput: `session` is not an `AsyncSession` or `AsyncConnection`.
    """

    sessions: AsyncSessions
    messages: AsyncMessages
    metadata: AsyncMetadata
    state: AsyncState
    search: AsyncSearch
    timeouts: AsyncTimeouts
    snapshots: AsyncSnapshots
    audit: AsyncAudit
    projects: AsyncProjects
    models: AsyncModels
    statistics: AsyncStatistics
    metrics: AsyncMetrics
    annotations: AsyncAnnotations
    comparisons: AsyncComparisons
    batches: AsyncBatches
    workflows: AsyncWorkflows

    def __init__(
        self,
        session: AsyncSession | AsyncConnection,
        *,
        user_id: str | None = None,
        actor: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        joined: Any = session
        if hasattr(joined, "registry"):  # an `async_scoped_session`
            joined = joined()
        synchronous = getattr(joined, "sync_session", None) or getattr(joined, "sync_connection", None)
        if synchronous is None:
            raise InvalidInput("session", "must be a SQLAlchemy AsyncSession, or an AsyncConnection that is connected")

        async def call(function: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
            def act(_: object) -> R:
                return function(*args, **kwargs)

            result: R = await joined.run_sync(act)
            return result

        self._uow = UnitOfWork(synchronous, user_id=user_id, actor=actor, clock=clock)
        self._call: Caller = call

    @classmethod
    def _of(cls, uow: UnitOfWork, call: Caller) -> AsyncUnitOfWork:
        """A unit of work whose calls travel elsewhere, as to the thread that holds its transaction."""
        made = cls.__new__(cls)
        made._uow = uow
        made._call = call
        return made

    if not TYPE_CHECKING:  # or a type checker would take any name for a service

        def __getattr__(self, name: str) -> Any:
            """The service of that name, awaited."""
            try:
                cls = _SERVICES[name]
            except KeyError:
                raise AttributeError(f"a {type(self).__name__} has no {name!r}", name=name, obj=self) from None
            service = cls(getattr(self._uow, name), self._call)
            self.__dict__[name] = service
            return service

    async def run(self, work: Callable[[UnitOfWork], R]) -> R:
        """Call a synchronous function with the synchronous unit of work of this transaction.

        Raises:
            InvalidInput: a coroutine or generator function, or one that returned something of the kind.
        """
        return await self._call(required_callback(work, "work"), self._uow)
