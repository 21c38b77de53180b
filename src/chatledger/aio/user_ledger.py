"""What an asynchronous ledger does for one user, or for all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy.orm import Session as OrmSession

from chatledger.aio.ledger_threads import LedgerThreads
from chatledger.aio.method import direct_method, interruptible_method, ledger_method
from chatledger.aio.stream import AsyncStream
from chatledger.aio.unit_of_work import AsyncUnitOfWork
from chatledger.callbacks import callback, require_synchronous
from chatledger.clock import Clock
from chatledger.enums import RoleLike
from chatledger.ledger.stream import LEASE, Stream
from chatledger.ledger.sweeper import Sweeper
from chatledger.ledger.user_ledger import BATCH_LEASE, SWEEPER, UserLedger
from chatledger.schemas import BatchItem, BatchProgress, Due, SweepReport
from chatledger.settings import Durability
from chatledger.unit_of_work import UnitOfWork

R = TypeVar("R")


class AsyncUserLedger:
    """`UserLedger`, awaited. A cancelled task waits for the transaction under way; the rest is left undone.

    Callbacks are synchronous, and called in a worker thread.
    """

    def __init__(self, threads: LedgerThreads, user_id: str | None) -> None:
        self._threads = threads
        self._user_id = user_id

    @property
    def clock(self) -> Clock:
        """What tells this ledger the time."""
        return self._threads.clock

    @property
    def user_id(self) -> str | None:
        """The user that this view is limited to, or None for the whole ledger."""
        return self._user_id

    def begin(
        self, *, actor: str | None = None, durability: Durability | None = None
    ) -> AbstractAsyncContextManager[AsyncUnitOfWork]:
        """One read-write transaction, as `Ledger.begin`.

        Leaving the block waits for the statement in flight, also when the task was cancelled, and then commits or rolls
        back: nothing is left half way.
        """
        return self._threads.transaction(
            lambda: self._synchronous().begin(actor=actor, durability=durability), writing=True
        )

    def read(self, *, after: str | None = None) -> AbstractAsyncContextManager[AsyncUnitOfWork]:
        """One read-only snapshot, as `Ledger.read`."""
        return self._threads.transaction(lambda: self._synchronous().read(after=after))

    async def run(
        self,
        work: Callable[[UnitOfWork], R],
        *,
        actor: str | None = None,
        retry_timeout: float | None = None,
        durability: Durability | None = None,
    ) -> R:
        """As `Ledger.run`. `work` is synchronous and runs in a worker thread: one hop for the whole transaction.

        A cancelled task waits for the attempt under way, and `work` is not tried again.

        Raises:
            InvalidInput: a coroutine function, which is for `async with ledger.begin()`; and as `Ledger.run`.
        """
        require_synchronous(work, "work")
        self._require_no_writer()
        stopped = threading.Event()

        def run() -> R:
            return self._synchronous()._run(work, actor, retry_timeout, durability, stopped)

        return await self._threads.call(run, cancelled=stopped.set)

    async def view(self, work: Callable[[UnitOfWork], R], *, after: str | None = None) -> R:
        """As `Ledger.view`. `work` is synchronous and runs in a worker thread: one hop for the whole snapshot.

        Raises:
            InvalidInput: a coroutine function, which is for `async with ledger.read()`; and as `Ledger.view`.
        """
        require_synchronous(work, "work")
        stopped = threading.Event()
        return await self._threads.call(lambda: self._synchronous()._view(work, after, stopped), cancelled=stopped.set)

    async def orm(self, work: Callable[[OrmSession], R]) -> R:
        """Call `work` in a worker thread with a session of `Ledger.orm`, and commit.

        An error rolls back and is raised. The objects that `work` returns stay usable. To await each statement, use
        SQLAlchemy's `AsyncSession` on your own engine: the models can be written there in the same way.

        Raises:
            InvalidInput: `work` is a coroutine or generator function.
        """
        require_synchronous(work, "work")

        def write() -> R:
            with self._synchronous().orm() as session, session.begin():
                return work(session)

        return await self._threads.call(write)

    create = direct_method(UserLedger.create)
    append = direct_method(UserLedger.append)
    append_many = direct_method(UserLedger.append_many)
    history = direct_method(UserLedger.history, writes=False)

    def stream(
        self,
        session_id: str,
        role: RoleLike = "assistant",
        *,
        save_every: float = 1.0,
        lease: float = LEASE,
        **fields: Any,
    ) -> AsyncStream:
        """As `Ledger.stream`, with `async with` and `await reply.write(piece)`.

        A task that is cancelled waits until what was written is stored.
        """
        stream = Stream(
            lambda work: self._synchronous().run(work), session_id, {"role": role, **fields}, save_every=save_every,
            lease=lease, clock=self._threads.clock,
        )  # fmt: skip
        return AsyncStream(stream, self._threads)

    async def run_batch(
        self,
        job_id: str,
        worker: Callable[[BatchItem], Any] | Callable[[BatchItem], Awaitable[Any]],
        *,
        concurrency: int = 4,
        lease: timedelta | float = BATCH_LEASE,
        name: str | None = None,
        grace: float = 10.0,
        progress: Callable[[BatchProgress], object] | None = None,
        stopping: Callable[[], bool] | None = None,
    ) -> BatchProgress:
        """See `Ledger.run_batch`. Each item has a task; a worker that is not async runs in threads.

        A task that takes longer than the job's time limit, or whose lease was lost, is cancelled. When the run itself is
        cancelled (by Ctrl-C for example), its tasks are cancelled and their items given back. The `record` function of a
        `BatchResult` is synchronous.
        """
        from chatledger.aio.batches import run_batch  # noqa: PLC0415 - few programs run batches

        return await run_batch(
            self, worker, stopping, job_id=job_id, concurrency=concurrency, lease=lease, name=name, grace=grace,
            progress=progress,
        )  # fmt: skip

    sweep = interruptible_method(UserLedger.sweep, by="stopping")
    purge = interruptible_method(UserLedger.purge)
    position = ledger_method(UserLedger.position)
    reprice = interruptible_method(UserLedger.reprice)
    erase_user = interruptible_method(UserLedger.erase_user)

    def sweeper(
        self,
        interval: timedelta | float = 60.0,
        *,
        send: Callable[[Due], object] | None = None,
        on_report: Callable[[SweepReport], object] | None = None,
        actor: str | None = SWEEPER,
    ) -> AsyncSweeper:
        """As `Ledger.sweeper`. It sweeps in a thread of its own, where `send` and `on_report` are called."""
        send = callback(send, "send")
        made: list[Sweeper] = []

        def sweep() -> SweepReport:
            return self._synchronous().sweep(send=send, actor=actor, stopping=made[0].stopping)

        made.append(Sweeper(sweep, interval, on_report=on_report, clock=self._threads.clock))
        return AsyncSweeper(made[0])

    def _synchronous(self) -> UserLedger:
        """The same ledger for threads. Opens it, and so may block."""
        ledger = self._threads.ledger()
        return ledger if self._user_id is None else ledger.for_user(self._user_id)

    def _require_no_writer(self) -> None:
        self._threads.require_no_writer()

    async def _call(self, function: Callable[[Any], R], /, *, cancelled: Callable[[], object] | None = None) -> R:
        """Call a function with the synchronous ledger, in a worker thread."""
        return await self._threads.call(lambda: function(self._synchronous()), cancelled=cancelled)


class AsyncSweeper:
    """`Sweeper`, awaited.

    async with ledger.sweeper(interval=60):
        await serve()
    """

    def __init__(self, sweeper: Sweeper) -> None:
        self._sweeper = sweeper

    @property
    def running(self) -> bool:
        """As `Sweeper.running`."""
        return self._sweeper.running

    @property
    def last_report(self) -> SweepReport | None:
        """As `Sweeper.last_report`."""
        return self._sweeper.last_report

    async def start(self) -> Self:
        """As `Sweeper.start`."""
        self._sweeper.start()
        return self

    async def stop(self, timeout: float | None = None) -> bool:
        """As `Sweeper.stop`. The event loop is not blocked meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(None, self._sweeper.stop, timeout)

    async def once(self) -> SweepReport | None:
        """As `Sweeper.once`."""
        return await asyncio.get_running_loop().run_in_executor(None, self._sweeper.once)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
