"""What a ledger does for one user, or for all: transactions, batches, and operations of many short transactions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, TypeVar

from chatledger.callbacks import callback
from chatledger.clock import Clock
from chatledger.database import Database
from chatledger.enums import RoleLike, Status, StatusLike
from chatledger.errors import Busy, ChatledgerError, Unavailable
from chatledger.ledger.direct import DirectContext, direct_method
from chatledger.ledger.partial_commit import Committed
from chatledger.ledger.stream import LEASE, Stream
from chatledger.replicas import checked_position
from chatledger.schemas.fields import acting, flags, moment
from chatledger.services.base import ServiceContext, logger
from chatledger.services.messages.service import Messages
from chatledger.settings import Durability, checked_durability
from chatledger.transactions import Outcome, Patience, UnitOfWorkTransaction
from chatledger.transactions import run as run_transaction
from chatledger.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from sqlalchemy.orm import Session as OrmSession

    from chatledger.ledger.sweeper import Sweeper
    from chatledger.schemas import (
        BatchItem,
        BatchProgress,
        Due,
        ErasureReceipt,
        PurgeReport,
        RepriceReport,
        Session,
        SweepReport,
    )
    from chatledger.services.timeouts.sweep import Run

R = TypeVar("R")

# Who a sweep is in the audit log, where nobody else is named.
SWEEPER = "sweeper"
# How long the items of a run over a batch are its own, unless it renews its lease (three times as often).
BATCH_LEASE = timedelta(minutes=1)


class UserLedger:
    """A view of a ledger that is limited to one user: other users' sessions do not exist in it. `Ledger.for_user`
    returns it.

    A `Ledger` has the same methods, for the sessions of all users.
    """

    def __init__(self, database: Database, user_id: str | None, stopped: threading.Event | None = None) -> None:
        self._database = database
        self._user_id = user_id
        self._stopped = stopped
        self._direct = DirectContext(database, user_id, stopped)

    @property
    def user_id(self) -> str | None:
        """The user that this view is limited to, or None for the whole ledger."""
        return self._user_id

    def _until(self, stopped: threading.Event) -> UserLedger:
        """The same, for a caller that sets `stopped` when it does not wait any more: nothing is tried again then."""
        return UserLedger(self._database, self._user_id, stopped)

    @property
    def clock(self) -> Clock:
        """The clock of this ledger."""
        return self._database.clock

    def begin(
        self, *, actor: str | None = None, durability: Durability | None = None
    ) -> AbstractContextManager[UnitOfWork]:
        """Begin a read-write transaction. It commits at the end of the block; any error rolls it back and is raised
        again.

        `actor` is recorded in the audit log as who made the changes. `durability` is that of this transaction instead of
        the ledger's: a commit with `full` survives a power cut; with `normal`, SQLite may lose the last commits in one,
        and PostgreSQL does as its `synchronous_commit` says.

        Raises:
            InvalidInput: `actor` or `durability` is not valid.
            Busy: other writers held the lock, or every connection was in use, for longer than the settings allow.
            Unavailable: the database cannot be reached or written.
            CommitUnknown: the connection was lost during the commit at the end of the block.
        """
        checked = checked_durability(durability)
        return UnitOfWorkTransaction(self._database, "write", self._user_id, acting(actor), checked)

    def read(self, *, after: str | None = None) -> AbstractContextManager[UnitOfWork]:
        """Begin a read-only snapshot: every read in the block sees the same moment, and the database refuses writes.

        A ledger with a `reader` reads from it once it has replayed everything that this ledger has committed, and
        `after`: a position that another process got from its `position()`. Until then, or if the reader is away, the
        primary is read. Without a reader, `after` changes nothing.

        Raises:
            Busy, Unavailable: as `begin`.
            InvalidInput: `after` is not a position.
        """
        return self._database.reading(self._snapshot, checked_position(after))

    def _snapshot(self, database: Database) -> UnitOfWorkTransaction:
        return UnitOfWorkTransaction(database, "read", self._user_id)

    def position(self) -> str | None:
        """Return a position in the server's log that is at or after every commit of this ledger, or None on SQLite.

        Pass it to `read(after=…)` or `view(after=…)` in another process, which then sees these commits, whichever server
        it reads from. Without a reader, or after a commit, this asks the primary.

        Raises:
            Busy, Unavailable: as `begin`.
        """
        return self._database.position()

    def orm(self) -> OrmSession:
        """Return a SQLAlchemy session over `chatledger.models`, whose transactions begin like those of `begin`.

            with ledger.orm() as session:
                session.add(models.Session(messages=[models.Message(role="user", content="Hello")]))
                session.commit()

        A transaction begins with the first statement, waits its turn among the writers, and ends with `commit`,
        `rollback` or the end of the block, which rolls back. Objects stay usable after a commit. A ledger that is
        limited to a user reads and writes only that user's rows; statements on tables, and SQL given as text, are not
        limited. Errors of the database are SQLAlchemy's own; what chatledger refuses is a `ChatledgerError`.

        Raises:
            Busy, Unavailable: as `begin`, at the first statement.
        """
        from chatledger.models.writing.context import WriterContext  # noqa: PLC0415 - services need none of it
        from chatledger.orm_session import LedgerSession  # noqa: PLC0415

        database, user_id = self._database, self._user_id
        return LedgerSession(lambda: database.transaction("write", user_id), WriterContext(user_id, database.clock))

    def run(
        self,
        work: Callable[[UnitOfWork], Outcome],
        *,
        actor: str | None = None,
        retry_timeout: float | None = None,
        durability: Durability | None = None,
    ) -> Outcome:
        """Call `work` inside a `begin` block, and again if the database was busy or the connection was lost.
        `actor` and `durability` are those of `begin`.

        After `Busy` it gives up after about twice `busy_timeout`. While the server cannot be reached it tries again for
        `retry_timeout` seconds (None: those of the settings), so that it survives a restart or a failover. `work` may
        be called several times and must not do what cannot be done twice outside of the transaction.

        If the connection is lost during the commit itself, nobody knows whether it happened: `CommitUnknown` is raised,
        and `work` is not called again. Repeat it if its appends have a `key=`, else look for what it wrote first.

        Raises:
            InvalidInput: `work` is a coroutine or generator function, or returned something of the kind: calling it ran
                nothing. Nothing is committed. Also as `begin`.
            CommitUnknown: see above.
            Busy, Unavailable: as `begin`, after the attempts described above.
        """
        return self._run(work, actor, retry_timeout, durability)

    def _run(
        self,
        work: Callable[[UnitOfWork], Outcome],
        actor: str | None,
        retry_timeout: float | None,
        durability: Durability | None,
        stopped: threading.Event | None = None,
    ) -> Outcome:
        def begin() -> AbstractContextManager[UnitOfWork]:
            return self.begin(actor=actor, durability=durability)

        patience = Patience(self._database.settings, retry_timeout, stopped or self._stopped)
        return run_transaction(begin, work, patience=patience)

    def view(self, work: Callable[[UnitOfWork], Outcome], *, after: str | None = None) -> Outcome:
        """Call `work` inside a `read` block and return its result. It is called again when the database was busy or
        away, and then on the primary. `after` is a position, as for `read`.

            messages = ledger.view(lambda uow: uow.messages.history(session_id, last=20))

        Raises:
            InvalidInput: `work` is a coroutine or generator function, or returned something of the kind.
            Busy, Unavailable: as `read`, after about twice `busy_timeout`, or `retry_timeout` without a connection.
        """
        return self._view(work, after)

    def _view(
        self, work: Callable[[UnitOfWork], Outcome], after: str | None, stopped: threading.Event | None = None
    ) -> Outcome:
        patience = Patience(self._database.settings, stopped=stopped or self._stopped)
        begin = chain([self.read(after=after)], map(self._snapshot, repeat(self._database)))
        return run_transaction(lambda: next(begin), work, patience=patience)

    def create(
        self,
        session_id: str | None = None,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        model_id: str | None = None,
        title: str | None = None,
        system_prompt: str | None = None,
        context: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        idle_timeout: timedelta | float | None = None,
        archive_timeout: timedelta | float | None = None,
        hard_timeout: timedelta | float | None = None,
        name: str | None = None,
        parent: str | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """Create a session, as `uow.sessions.create`, in a transaction of its own, which is tried again as by `run`.

        Raises:
            SessionExists: the id is taken.
            SessionNameTaken, SessionNotFound: as `uow.sessions.create`.
            NestedWrite: inside a writing block of the same thread.
            CommitUnknown: the connection was lost while the session was created.
            InvalidInput, Busy, Unavailable: as `uow.sessions.create` and `run`.
        """
        from chatledger.services.sessions.service import Sessions  # noqa: PLC0415 - an append does without

        return Sessions(self._direct).create(
            session_id, user_id=user_id, project_id=project_id, model_id=model_id, title=title,
            system_prompt=system_prompt, context=context, metadata=metadata, idle_timeout=idle_timeout,
            archive_timeout=archive_timeout, hard_timeout=hard_timeout, name=name, parent=parent,
            created_at=created_at,
        )  # fmt: skip

    append = direct_method(Messages, Messages.append)
    """As `uow.messages.append`, in a transaction of its own: one statement and, on a server, one round trip.

    The message is validated, encoded and digested before the call waits for other writers; its time is that of the
    call. Tried again as by `run`. If the connection is lost while the statement runs, an append with a `key` is
    repeated, and any other raises `CommitUnknown`. Inside a writing block of the same thread it is refused
    (`NestedWrite`): use the block's unit of work.
    """

    append_many = direct_method(Messages, Messages.append_many)
    """As `uow.messages.append_many`, in a transaction of its own. A single message costs what `append` costs."""

    history = direct_method(Messages, Messages.history)
    """As `uow.messages.history`, of what is committed at this moment."""

    def stream(
        self,
        session_id: str,
        role: RoleLike = "assistant",
        *,
        save_every: float = 1.0,
        lease: float = LEASE,
        **fields: Any,
    ) -> Stream:
        """A message that is written while it is generated. What has come is kept if the stream breaks.

            with ledger.stream(session_id, "assistant", model_id="gpt-5") as reply:
                for piece in model:
                    reply.write(piece)
                reply.set(output_tokens=12)

        The first piece makes a row; later ones are stored at most every `save_every` seconds, and all of it at the end
        of the block. Until then the message has the outcome `streaming` and is not found by search; saves count as
        activity of the session. In the end the outcome is `complete`, `error` if an exception leaves the block, or
        `interrupted` if the task or the generator around it is cancelled, at Ctrl-C, or after `reply.interrupt()`. If the
        process is killed, the last save is kept, and a sweep marks the message as interrupted once `lease` seconds have
        passed since. `fields` are those of `messages.append`, such as `model_id`, `payload` or `key`. A message that was
        interrupted under the same key is written again.

        No transaction is open between saves. An exception inside the block is never replaced: if the end cannot be stored
        then, a warning is logged.

        Raises:
            InvalidInput: a field that is not valid. What the session refuses is raised by `write`.
        """
        return Stream(
            lambda work: self.run(work), session_id, {"role": role, **fields}, save_every=save_every, lease=lease,
            clock=self._database.clock,
        )  # fmt: skip

    def run_batch(
        self,
        job_id: str,
        worker: Callable[[BatchItem], Any],
        *,
        concurrency: int = 4,
        lease: timedelta | float = BATCH_LEASE,
        name: str | None = None,
        grace: float = 10.0,
        progress: Callable[[BatchProgress], object] | None = None,
        stopping: Callable[[], bool] | None = None,
    ) -> BatchProgress:
        """Work on a job until nothing is left to do. Up to `concurrency` items run at once, each in a thread.

        `worker` is called with a claimed item, outside of any transaction, and returns its result: any JSON value, or a
        `BatchResult`, which also writes something in the transaction that completes the item. An exception is a failed
        attempt; `Retry` chooses when the next attempt is, and `GiveUp` makes the failure final. Any number of runs may
        work on one job, in threads, processes and machines. A run waits while the job is paused, while other runs work
        on items that may return to the queue, and for a minute when the database is away.

        Leases are renewed while items run. A thread cannot be stopped: an attempt that takes longer than the job's time
        limit has failed, and what its thread returns later is not recorded.

        `stopping` is called about once a second. When it returns True, and at Ctrl-C in the main thread, no more items
        are started, running items have `grace` seconds to end, and the others are given back. KeyboardInterrupt is then
        raised in the end; a second Ctrl-C raises at once. `progress` is called about once a second.

        Raises:
            BatchNotFound: no such job, or it belongs to another user.
            Busy, Unavailable: the database was away for a minute. Running items return when their lease ends.
            InvalidInput: an argument is not valid, or the worker is async (use `AsyncLedger` for that).
        """
        from chatledger.execution.batches.threads import run_in_threads  # noqa: PLC0415 - few programs run batches

        return run_in_threads(
            self, worker, stopping, job_id=job_id, concurrency=concurrency, lease=lease, name=name, grace=grace,
            progress=progress,
        )  # fmt: skip

    def sweep(
        self,
        *,
        now: datetime | None = None,
        dry_run: bool = False,
        send: Callable[[Due], object] | None = None,
        actor: str | None = SWEEPER,
        progress: Callable[[SweepReport], object] | None = None,
        stopping: Callable[[], bool] | None = None,
    ) -> SweepReport:
        """Warn about, mark idle, or archive every session that is due, each in a transaction of its own.

        Any number of sweeps may run at once, in threads, processes and machines: each session is processed once. A
        sweep that is killed leaves each session either unchanged or fully processed, and the next sweep goes on. A
        session that another writer has locked is left to the next sweep. `dry_run` reports what would happen and
        changes nothing.

        A warning is recorded before `send` is called with the session. If the process is killed in between, the warning
        may be lost, but it is never sent twice. If `send` raises, the next sweep tries again. `progress` is called
        after each page of up to 500 sessions. `stopping` is called before each session; if it returns True, the sweep
        ends early.

        Raises:
            Busy, Unavailable: as `run`. What was done until then stays.
            InvalidInput: a time without a time zone.
        """
        flags(dry_run=dry_run)
        from chatledger.services.timeouts import sweep as sweeps  # noqa: PLC0415 - when first asked for, like the next two

        at = self._database.clock() if now is None else moment(now, "now")
        how: dict[str, Any] = {
            "dry_run": dry_run, "send": callback(send, "send"), "progress": callback(progress, "progress"),
            "stopping": callback(stopping, "stopping"),
        }  # fmt: skip
        # Whoever may ask it to stop sweeps again: it must not sit out an outage first.
        run = self._writing(actor, retry_timeout=None if stopping is None else 0)
        report = sweeps.sweep(self._reading, run, at, **how)
        self._database.observers.notify("swept", report)
        return report

    def sweeper(
        self,
        interval: timedelta | float = 60.0,
        *,
        send: Callable[[Due], object] | None = None,
        on_report: Callable[[SweepReport], object] | None = None,
        actor: str | None = SWEEPER,
    ) -> Sweeper:
        """Return a `Sweeper`, which sweeps every `interval` seconds once it is started. `on_report` is called with each
        report.

        Raises:
            InvalidInput: the interval is not valid.
        """
        from chatledger.ledger.sweeper import Sweeper  # noqa: PLC0415 - most programs do without

        acting(actor)
        send = callback(send, "send")
        made: list[Sweeper] = []

        def sweep() -> SweepReport:
            return self.sweep(send=send, actor=actor, stopping=made[0].stopping)

        made.append(Sweeper(sweep, interval, on_report=on_report, clock=self._database.clock))
        return made[0]

    def purge(
        self,
        *,
        older_than: timedelta | datetime | float,
        status: StatusLike | Iterable[StatusLike] = Status.ARCHIVED,
        dry_run: bool = False,
        now: datetime | None = None,
        actor: str | None = None,
        reason: str | None = None,
        progress: Callable[[PurgeReport], object] | None = None,
    ) -> PurgeReport:
        """`uow.timeouts.purge`, in transactions of up to 100 sessions or 5,000 messages (or one session that has more).

        A killed purge leaves whole sessions, and the next one goes on. `progress` is called after each transaction.

        Raises:
            Busy, Unavailable: as `run`. What was deleted until then stays deleted.
            InvalidInput: an unknown status, or an invalid age.
        """
        flags(dry_run=dry_run)
        from chatledger.services.retention import purge  # noqa: PLC0415

        at = self._database.clock() if now is None else moment(now, "now")
        wanted = purge.wanted(older_than, status, at, reason)
        run = self._writing(actor)
        done = Committed(None if dry_run else lambda report: _deleted(report.sessions, report.messages), progress)
        with done:
            return purge.purge(
                self._reading, run, wanted, dry_run=dry_run, progress=done, conclude=lambda act: _conclude(run, act)
            )

    def reprice(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        model_id: str | None = None,
        project_id: str | None = None,
        session_id: str | None = None,
        overwrite_given: bool = False,
        dry_run: bool = False,
        actor: str | None = None,
        reason: str | None = None,
        progress: Callable[[RepriceReport], object] | None = None,
    ) -> RepriceReport:
        """`uow.models.reprice`, in transactions of up to 1,000 messages, each with an entry in the audit log.

        If it is killed, run it again. `progress` is called after each transaction.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            Busy, Unavailable: as `run`. What was priced until then stays.
            InvalidInput: an invalid filter.
        """
        flags(overwrite_given=overwrite_given, dry_run=dry_run)
        from chatledger.services.registry import repricing  # noqa: PLC0415

        wanted = repricing.wanted(since, until, model_id, project_id, session_id, overwrite_given, reason)
        run = self._writing(actor)
        done = Committed(None if dry_run else lambda report: f"{report.changed} messages were repriced", progress)
        with done:
            return repricing.reprice(self._reading, run, wanted, dry_run=dry_run, progress=done)

    def erase_user(
        self,
        user_id: str,
        *,
        keep_totals: bool = False,
        include_held: bool = False,
        dry_run: bool = False,
        scrub: bool = True,
        actor: str | None = None,
        reason: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> ErasureReceipt:
        """`uow.sessions.erase_user`, in several transactions. Afterwards the files are rewritten, so that no bytes are
        left.

        `scrub` rewrites a SQLite file, its full-text index and its write-ahead log. Writers wait for that, and it needs
        as much free space again. On PostgreSQL it is a VACUUM; the server's pages, its write-ahead log and its backups
        may still hold the bytes for a while. `scrubbed` in the receipt is False if it could not be done because the
        disk was full, the file in use, or the role not permitted: then run the same call again. `progress` is called
        with the sessions and messages so far. If an erasure is killed, run it again.

        Raises:
            SessionHeld: a session of the user is on hold, and `include_held` was not passed. Nothing is changed.
            Busy, Unavailable: as `run`. What was erased until then stays erased.
            InvalidInput: a user other than the one that this ledger is limited to.
        """
        flags(keep_totals=keep_totals, include_held=include_held, dry_run=dry_run, scrub=scrub)
        from chatledger.services.retention import erasure  # noqa: PLC0415

        wanted = erasure.wanted(self._user_id, user_id, keep_totals, include_held, reason)
        run = self._writing(actor)
        done = Committed(None if dry_run else _deleted, progress)
        with done:
            receipt = erasure.erase(run, wanted, dry_run=dry_run, progress=done)
        if dry_run or not scrub:
            return receipt
        return receipt.model_copy(update={"scrubbed": self._scrubbed()})

    def _scrubbed(self) -> bool:
        """Whether the files could be rewritten. The user is erased already, so a failure here must not cost the
        receipt.
        """
        try:
            return self._database.remove_deleted_content()
        except ChatledgerError as error:
            logger.warning("not scrubbed: erase the user again", extra={"reason": str(error)})
            return False

    def _reading(self, act: Callable[[ServiceContext], R]) -> R:
        # On the primary: what is found is acted upon.
        with self._snapshot(self._database) as uow:
            return act(uow._context)

    def _writing(self, actor: str | None, retry_timeout: float | None = None) -> Run:
        acting(actor)  # refused before anything is done, and where there is nothing to do

        def run(act: Callable[[ServiceContext], R]) -> R:
            return self.run(lambda uow: act(uow._context), actor=actor, retry_timeout=retry_timeout)

        return run


def _deleted(sessions: int, messages: int) -> str:
    return f"{sessions} sessions with {messages} messages were deleted"


def _conclude(run: Run, act: Callable[[ServiceContext], object]) -> None:
    """Write the entry of the audit log about a purge that is committed, or say that it is missing.

    Each deletion has left an entry of its own, and raising would say that nothing was deleted.
    """
    try:
        run(act)
    except (Busy, Unavailable) as error:
        logger.warning("purged, but not summed up in the audit log", extra={"reason": str(error)})
