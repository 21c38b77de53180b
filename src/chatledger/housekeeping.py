"""What a ledger does over many short transactions: the sweep, the purge, the repricing, the erasure of a user."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from chatledger.batching import Batching
from chatledger.callbacks import callback
from chatledger.committed import Committed
from chatledger.enums import Status
from chatledger.errors import Busy, ChatledgerError, Unavailable
from chatledger.schemas.fields import acting, flags, moment
from chatledger.services.base import ServiceContext, logger
from chatledger.sweeper import Sweeper

if TYPE_CHECKING:
    from chatledger.schemas import Due, ErasureReceipt, PurgeReport, RepriceReport, SweepReport
    from chatledger.services.timeouts.sweep import Run

R = TypeVar("R")

#: Who a sweep is in the audit log, where nobody else is named.
SWEEPER = "sweeper"


class Housekeeping(Batching):
    """Each works on what can be seen: on a whole ledger, or on what is one user's."""

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
        """Warn, mark idle, and archive with a snapshot, whoever is due: each session in a transaction of its own.

        Any number of sweeps may run at once, in threads, processes and machines: each session is dealt with once. One
        that is killed leaves every session as it was or wholly dealt with, and the next goes on. Sessions that somebody
        writes to at the moment are left to the next sweep. `dry_run` says what would happen and changes nothing.

        A warning is sent (`send`, called with the session) after it was written down that it is: twice never, and not at
        all when the process is killed in between. When `send` raises, the next sweep tries again. `progress` is told
        after each page of up to 500 sessions; `stopping` is asked before each session whether to end early.

        Raises:
            Busy, Unavailable: as `run`. What was done until then stays.
            InvalidInput: a time without a zone.
        """
        flags(dry_run=dry_run)
        from chatledger.services.timeouts import sweep as sweeps  # noqa: PLC0415 - when first asked for, like the next two

        at = self._database.clock() if now is None else moment(now, "now")
        how: dict[str, Any] = {
            "dry_run": dry_run, "send": callback(send, "send"), "progress": callback(progress, "progress"),
            "stopping": callback(stopping, "stopping"),
        }  # fmt: skip
        report = sweeps.sweep(self._reading, self._writing(actor), at, **how)
        self._database.observers.tell("swept", report)
        return report

    def sweeper(
        self,
        interval: timedelta | float = 60.0,
        *,
        send: Callable[[Due], object] | None = None,
        heard: Callable[[SweepReport], object] | None = None,
        actor: str | None = SWEEPER,
    ) -> Sweeper:
        """A `Sweeper` that sweeps every so many seconds, once it is started. `heard` is told of every report.

        Raises:
            InvalidInput: an interval that is none.
        """
        acting(actor)
        send = callback(send, "send")
        made: list[Sweeper] = []

        def sweep() -> SweepReport:
            return self.sweep(send=send, actor=actor, stopping=made[0].stopping)

        made.append(Sweeper(sweep, interval, heard=heard, clock=self._database.clock))
        return made[0]

    def purge(
        self,
        *,
        older_than: timedelta | datetime | float,
        status: Status | str | Iterable[Status | str] = Status.ARCHIVED,
        dry_run: bool = False,
        now: datetime | None = None,
        actor: str | None = None,
        reason: str | None = None,
        progress: Callable[[PurgeReport], object] | None = None,
    ) -> PurgeReport:
        """`uow.timeouts.purge`, in transactions of up to 100 sessions or 5,000 messages (or one session that has more).

        A killed purge leaves whole sessions; the next goes on. `progress` is told after each transaction.

        Raises:
            Busy, Unavailable: as `run`. What was deleted until then stays deleted.
            InvalidInput: an unknown status, or an age that is none.
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
        """`uow.models.reprice`, in transactions of up to 1,000 messages, each with its row in the audit log.

        One that was killed is run again. `progress` is told after each transaction.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            Busy, Unavailable: as `run`. What was priced until then stays.
            InvalidInput: a filter that is none.
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
        """`uow.sessions.erase_user`, in several transactions, and then nothing is left of it in the file.

        `scrub` rewrites a SQLite file, its full-text index and its log, for which writers wait and as much space is
        needed again; on PostgreSQL it is a VACUUM, after which the server's pages, its write-ahead log and its backups
        may still hold the bytes for a while. The receipt says whether it could be done: `scrubbed` is False where the
        disk was full, the file in use or the role may not. Run the same again then.
        `progress` is told the sessions and messages so far. A killed erasure is run again.

        Raises:
            SessionHeld: a session of the user is held, and that was not asked for. Nothing is changed.
            Busy, Unavailable: as `run`. What was erased until then stays erased.
            InvalidInput: another user than the one that this ledger is limited to.
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
        """Whether the files could be rewritten. The user is erased by now, and whatever hinders it costs no receipt."""
        try:
            return self._database.scrub()
        except ChatledgerError as error:
            logger.warning("not scrubbed: erase the user again", extra={"reason": str(error)})
            return False

    def _reading(self, act: Callable[[ServiceContext], R]) -> R:
        with self.read() as uow:
            return act(uow._context)

    def _writing(self, actor: str | None) -> Run:
        acting(actor)  # refused before anything is done, and where there is nothing to do

        def run(act: Callable[[ServiceContext], R]) -> R:
            return self.run(lambda uow: act(uow._context), actor=actor)

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
