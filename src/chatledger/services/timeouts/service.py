"""Timeouts: set them for sessions or as defaults, list the sessions that are due, and sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Any

from chatledger.callbacks import callback
from chatledger.enums import LimitKind, Scope, Status, StatusLike, SweepAction
from chatledger.errors import InvalidInput, SessionNotFound
from chatledger.schemas import Due, PurgeReport, SweepReport, Timeout, TimeoutDefault, TimeoutReport
from chatledger.schemas.fields import called, flags, identifier, moment, validated, whole
from chatledger.schemas.session import KEEP, Keep
from chatledger.schemas.timeout import TimeoutChanges
from chatledger.services import audit
from chatledger.services.base import Service
from chatledger.services.retention import purge
from chatledger.services.timeouts import limits
from chatledger.services.timeouts.policy import COLUMNS, Deadline, Limits, deadlines, decide
from chatledger.services.timeouts.sweep import Run, pages, state_of, sweep
from chatledger.services.timeouts.timeout_report import timeout_report
from chatledger.services.visibility import require_visible

Given = timedelta | float | Keep | None
"""A duration as users give it: a timedelta or seconds, None for no limit, KEEP for what was."""


class Timeouts(Service):
    """How long sessions may stay inactive, and how long they may live. Off by default. Every time can be passed in as
    `now`.
    """

    __slots__ = ()

    def configure(
        self,
        session_id: str,
        *,
        idle_timeout: timedelta | float | Keep | None = KEEP,
        archive_timeout: timedelta | float | Keep | None = KEEP,
        hard_timeout: timedelta | float | Keep | None = KEEP,
        warn_before: timedelta | float | Keep | None = KEEP,
    ) -> Timeout:
        """Set the timeouts of a session, as timedeltas or seconds.

        An explicit `None` counts as a setting: it means no limit and overrides every wider default.

        A session is marked idle after `idle_timeout` without activity and archived after `archive_timeout`. It is
        archived at `hard_timeout` after its creation, whatever its activity. It gets a warning `warn_before` a timeout
        (five minutes by default), but not in the first half of it. Timeouts that are not passed stay as they are. If no
        timeout is passed and the session has none, it gets one hour idle and 24 hours hard. Setting timeouts re-enables
        the session's warnings.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: a timeout that is not positive.
        """
        identifier(session_id, "session_id")
        given = _given(idle_timeout, archive_timeout, hard_timeout, warn_before)
        changes = _validated(given)
        require_visible(self._context, session_id)
        before = limits.own_limits(self._context, session_id)
        after = limits.merged(before, given, changes)
        limits.store(self._context, session_id, after)
        audit.record_for(self._context, session_id, "timeouts.configured", details={"scope": "session", **after})
        return self.get(session_id)

    def configure_default(
        self,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        idle_timeout: timedelta | float | Keep | None = KEEP,
        archive_timeout: timedelta | float | Keep | None = KEEP,
        hard_timeout: timedelta | float | Keep | None = KEEP,
        warn_before: timedelta | float | Keep | None = KEEP,
    ) -> TimeoutDefault:
        """Set default timeouts for the sessions of a user, of a project, or of the ledger. The arguments are those of
        `configure`.

        Defaults apply to existing sessions at once: try `sweep(dry_run=True)` first. For each timeout, the session's
        own setting wins over its user's, its project's and the ledger's.

        Raises:
            InvalidInput: both a user and a project, an id that no session can have, a timeout that is not positive, or
                a user other than the one that this ledger is limited to.
        """
        scope, scope_id = self._scope(user_id, project_id)
        given = _given(idle_timeout, archive_timeout, hard_timeout, warn_before)
        changes = _validated(given)
        row = limits.default(self._context, scope, scope_id)
        before = {column: None if row is None else getattr(row, column) for column in COLUMNS}
        after = limits.merged(before, given, changes)
        limits.store_default(self._context, scope, scope_id, after)
        audit.record(self._context, "timeouts.configured", details={"scope": scope.value, **after})
        return _default(limits.default(self._context, scope, scope_id))

    def defaults(self) -> list[TimeoutDefault]:
        """Return the default timeouts that are set."""
        return [_default(row) for row in limits.all_defaults(self._context)]

    def clear(self, session_id: str) -> Timeout:
        """Remove the session's own timeouts, so that the defaults apply.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        identifier(session_id, "session_id")
        require_visible(self._context, session_id)
        before = limits.own_limits(self._context, session_id)
        limits.store(self._context, session_id, dict.fromkeys(COLUMNS))
        if any(limit is not None for limit in before.values()):
            audit.record_for(self._context, session_id, "timeouts.cleared", details={"scope": "session"})
        return self.get(session_id)

    def clear_default(self, *, user_id: str | None = None, project_id: str | None = None) -> bool:
        """Remove default timeouts. Return whether there were any.

        Raises:
            InvalidInput: as `configure_default`.
        """
        scope, scope_id = self._scope(user_id, project_id)
        gone = limits.drop_default(self._context, scope, scope_id)
        if gone:
            audit.record(self._context, "timeouts.cleared", details={"scope": scope.value})
        return gone

    def get(self, session_id: str, *, now: datetime | None = None) -> Timeout:
        """Return the timeouts that apply to a session, and when each is reached if the session has no more activity.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        identifier(session_id, "session_id")
        candidate = state_of(self._context, session_id)
        if candidate is None:
            raise SessionNotFound(session_id)
        state, row = candidate
        effective, sources = Limits.effective(row)
        ahead: dict[LimitKind, Deadline] = {}
        if not state.held:
            ahead = {deadline.kind: deadline for deadline in deadlines(state, self._now(now))}
        limited = any((effective.idle, effective.archive, effective.hard))
        return Timeout(
            session_id=session_id,
            status=row.status,
            idle_timeout=effective.idle,
            archive_timeout=effective.archive,
            hard_timeout=effective.hard,
            warn_before=effective.warn_before if limited else None,
            sources={name.replace("_limit", "_timeout"): source for name, source in sources.items()},
            idle_at=_at(ahead, LimitKind.IDLE),
            archive_at=_at(ahead, LimitKind.ARCHIVE),
            expires_at=_at(ahead, LimitKind.HARD),
            warned_at=row.warned_at,
            held=state.held,
        )

    def due(
        self, now: datetime | None = None, *, within: timedelta | float | None = None, limit: int = 1000
    ) -> list[Due]:
        """Return the sessions a sweep would act on now, in processing order.

        `within` also includes sessions that become due within that time, assuming no further activity.

        Raises:
            InvalidInput: a time without a time zone, or an invalid limit.
        """
        whole(limit, "limit", least=1)
        at = self._now(now)
        until = at if within is None else _ahead(at, within)
        # They are read in the order in which they might be due, which is not that in which they are.
        return nsmallest(limit, self._due(at, until), key=lambda due: (due.at, due.session_id))

    def _due(self, at: datetime, until: datetime) -> Iterator[Due]:
        for page in pages(self._here, until):
            for candidate in page:
                # Now comes first: what is due already is due as it is, and not as it will be by then.
                decision = decide(candidate.state, at)
                if decision.action is None:
                    decision = decide(candidate.state, until)
                if decision.action is not None:
                    yield candidate.due(decision)

    def warn(self, send: Callable[[Due], object] | None = None, *, now: datetime | None = None) -> list[Due]:
        """Warn sessions that are close to a timeout, each once for each time that it comes close. Return the first
        thousand.

        Each warning is a record of the logger `chatledger`, and a call of `send` if it is passed. If `send` raises, the
        session counts as not warned. Within a unit of work, `send` is called before the commit, while every lock of the
        transaction is held; `Ledger.sweep` calls it between its transactions.

        Raises:
            InvalidInput: a time without a time zone.
        """
        to = callback(send, "send")
        report = sweep(self._here, self._here, self._now(now), actions=(SweepAction.WARN,), send=to)
        return list(report.sessions)

    def sweep(
        self, *, dry_run: bool = False, now: datetime | None = None, send: Callable[[Due], object] | None = None
    ) -> SweepReport:
        """Warn about, mark idle, or archive every session that is due, all in this transaction.

        `dry_run` reports what would happen and changes nothing. `Ledger.sweep` does the same in one transaction for
        each session; use it on a ledger that is in use.

        Raises:
            InvalidInput: a time without a time zone.
        """
        flags(dry_run=dry_run)
        return sweep(self._here, self._here, self._now(now), dry_run=dry_run, send=callback(send, "send"))

    def report(self, now: datetime | None = None) -> TimeoutReport:
        """Count the sessions by status and timeout. It reads every session: for people and dashboards, not for each
        request.

        Raises:
            InvalidInput: a time without a time zone.
        """
        return timeout_report(self._context, self._now(now))

    def purge(
        self,
        *,
        older_than: timedelta | datetime | float,
        status: StatusLike | Iterable[StatusLike] = Status.ARCHIVED,
        dry_run: bool = False,
        now: datetime | None = None,
        reason: str | None = None,
    ) -> PurgeReport:
        """Delete the sessions of a status that are older than an age or a time, all in this transaction.

        The age of archived and expired sessions counts from when they were archived or expired, the age of others from
        their last activity. A number is seconds. Everything that belongs to a session is deleted with it, its
        children too, whatever their age; the audit log records the deletion. Sessions on hold, and those with a child on
        hold, are skipped. `Ledger.purge` does the same in several short transactions.

        Raises:
            InvalidInput: an unknown status, or an invalid age.
        """
        flags(dry_run=dry_run)
        wanted = purge.wanted(older_than, status, self._now(now), reason)
        return purge.purge(self._here, self._here, wanted, dry_run=dry_run)

    @property
    def _here(self) -> Run:
        """Everything in the one transaction that there is."""
        return lambda act: act(self._context)

    def _now(self, now: datetime | None) -> datetime:
        return self._context.now() if now is None else moment(now, "now")

    def _scope(self, user_id: str | None, project_id: str | None) -> tuple[Scope, str]:
        owner = self._context.owner
        if user_id is not None and project_id is not None:
            raise InvalidInput("project_id", "cannot be combined with a user: a default applies to one of them")
        if owner is not None:
            if project_id is not None or user_id not in (None, owner):
                raise InvalidInput("user_id", "is not the user that this ledger is limited to")
            return Scope.USER, owner
        if user_id is not None:
            return Scope.USER, called(user_id, "user_id")
        if project_id is not None:
            return Scope.PROJECT, called(project_id, "project_id")
        return Scope.LEDGER, ""


def _given(idle: Given, archive: Given, hard: Given, warn_before: Given) -> dict[str, Given]:
    return {"idle_timeout": idle, "archive_timeout": archive, "hard_timeout": hard, "warn_before": warn_before}


def _validated(given: dict[str, Given]) -> TimeoutChanges:
    return validated(TimeoutChanges, {name: value for name, value in given.items() if value is not KEEP})


def _ahead(now: datetime, within: timedelta | float) -> datetime:
    try:
        ahead = within if isinstance(within, timedelta) else timedelta(seconds=within)
        if ahead >= timedelta(0) and not isinstance(within, bool):
            return now + ahead
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidInput("within", "must be a timedelta or a number of seconds, and not negative")


def _at(ahead: dict[LimitKind, Deadline], kind: LimitKind) -> datetime | None:
    return ahead[kind].at if kind in ahead else None


def _default(row: Any) -> TimeoutDefault:
    return TimeoutDefault(
        scope=row.scope,
        scope_id=row.scope_id or None,
        idle_timeout=_duration(row.idle_limit),
        archive_timeout=_duration(row.archive_limit),
        hard_timeout=_duration(row.hard_limit),
        warn_before=_duration(row.warn_before),
        updated_at=row.updated_at,
    )


def _duration(seconds: int | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds else None
