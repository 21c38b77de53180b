"""The sweep: what is due is found by index, and dealt with one session at a time.

Written once for two ways to run it: `run` gives a function the work of a transaction. Within a unit of work that is the
one transaction there is; a ledger begins one for each session, so that its lock is held for a moment only and a crash
leaves every session as it was or wholly dealt with. Whoever has locked a session (another sweep, a writer) is left to
it: a session in use is not idle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Select, bindparam, or_, select, tuple_, update

from chatledger.dialects.types import Identifier, Timestamp
from chatledger.enums import OPEN, Scope, SweepAction
from chatledger.errors import ChatledgerError, CorruptDatabase
from chatledger.schemas import Due, SweepFailure, SweepReport
from chatledger.services.base import ServiceContext, logger
from chatledger.services.messages import streaming
from chatledger.services.rows import sessions
from chatledger.services.sessions import lifecycle
from chatledger.services.timeouts.limits import defaults, timeouts
from chatledger.services.timeouts.policy import COLUMNS, Decision, Limits, SessionState, decide
from chatledger.services.visibility import this_session, visibility_parameters, visible_to_owner

R = TypeVar("R")

Send = Callable[[Due], object]
"""Tells somebody that a session is about to time out."""

PAGE = 500
"""Sessions that are read at a time, and how many a report names."""
NAMED = 1000


class Run(Protocol):
    """Calls a function with the work of a transaction."""

    def __call__(self, act: Callable[[ServiceContext], R], /) -> R: ...


class Candidate(NamedTuple):
    """A session that may be due, as it was read."""

    state: SessionState
    row: Any

    def due(self, decision: Decision) -> Due:
        """What users hold of it."""
        assert decision.action is not None
        assert decision.limit is not None
        assert decision.at is not None
        row = self.row
        return Due(
            session_id=row.session_id, user_id=row.user_id, project_id=row.project_id, title=row.title,
            status=row.status, action=decision.action, limit=decision.limit, at=decision.at,
            last_activity=row.last_activity, message_count=row.message_count,
        )  # fmt: skip


class Tally:
    """A report in the making."""

    def __init__(self, now: datetime, *, dry_run: bool) -> None:
        self._now, self._dry_run = now, dry_run
        self._counts = dict.fromkeys(SweepAction, 0)
        self._sessions: list[Due] = []
        self._failed = 0
        self._failures: list[SweepFailure] = []
        self.interrupted = 0

    def add(self, due: Due) -> None:
        self._counts[due.action] += 1
        if len(self._sessions) < NAMED:
            self._sessions.append(due)

    def fail(self, session_id: str, reason: str) -> None:
        self._failed += 1
        logger.error("session not swept", extra={"session_id": session_id, "reason": reason})
        if len(self._failures) < NAMED:
            self._failures.append(SweepFailure(session_id=session_id, reason=reason))

    def report(self) -> SweepReport:
        return SweepReport(
            now=self._now,
            dry_run=self._dry_run,
            warned=self._counts[SweepAction.WARN],
            idled=self._counts[SweepAction.IDLE],
            archived=self._counts[SweepAction.ARCHIVE],
            failed=self._failed,
            sessions=tuple(self._sessions),
            failures=tuple(self._failures),
            interrupted=self.interrupted,
        )


def sweep(
    read: Run,
    run: Run,
    now: datetime,
    *,
    actions: Sequence[SweepAction] = tuple(SweepAction),
    dry_run: bool = False,
    send: Send | None = None,
    progress: Callable[[SweepReport], object] | None = None,
    stopping: Callable[[], bool] | None = None,
) -> SweepReport:
    """Deal with every session that is due. `progress` is told after each page, `stopping` asked before each session."""
    tally = Tally(now, dry_run=dry_run)
    for page in pages(read, now):
        if stopping is not None and stopping():  # there may be many pages of sessions that are not due
            break
        decisions = [(candidate, decide(candidate.state, now)) for candidate in page]
        early = [(candidate.state, decision) for candidate, decision in decisions if decision.action is None]
        if early and not dry_run:
            run(lambda context, early=early: postpone(context, early))  # type: ignore[misc]  # the lambda is called at once
        for candidate, decision in decisions:
            if decision.action not in actions:
                continue
            if stopping is not None and stopping():
                return tally.report()
            if dry_run:
                tally.add(candidate.due(decision))
            else:
                _sweep_session(run, candidate.state, now, actions, send, tally)
        if progress is not None:
            progress(tally.report())
    if len(actions) == len(SweepAction):
        tally.interrupted = streaming.interrupt_abandoned(read, run, now, dry_run=dry_run)
    return tally.report()


def _sweep_session(
    run: Run, state: SessionState, now: datetime, actions: Sequence[SweepAction], send: Send | None, tally: Tally
) -> None:
    session_id = state.session_id
    try:
        done = run(lambda context: settle(context, session_id, now, actions))
    except CorruptDatabase as error:  # this one session; the others are swept all the same
        tally.fail(session_id, str(error))
        return
    if done is None:
        return
    if done.action is SweepAction.WARN:
        facts = {"session_id": session_id, "limit": done.limit.value, "at": done.at.isoformat()}
        logger.warning("session about to time out", extra=facts)
        if send is not None and (failure := _sent(send, done)):
            # It counts as not sent: the next sweep tries again, and this one does not meet it on a later page.
            run(lambda context: context.execute(_UNWARN, {"session": session_id, "looked_at": state.next_check_at}))
            tally.fail(session_id, failure)
            return
    tally.add(done)


def _sent(send: Send, due: Due) -> str | None:
    """Send a warning; what went wrong, if anything."""
    try:
        send(due)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other sessions are swept all the same
        # Its text may hold anything; a ledger's own errors hold no content.
        said = str(error) if isinstance(error, ChatledgerError) else type(error).__name__
        return f"the warning could not be sent: {said}"
    return None


def pages(read: Run, until: datetime, size: int = PAGE) -> Iterator[list[Candidate]]:
    """Sessions that may be due at a moment, in the order in which they may."""
    last: tuple[datetime, str] | None = None
    while page := read(lambda context, last=last: look(context, until, last, size)):  # type: ignore[misc]  # called at once
        yield page
        if len(page) < size:
            return
        last = (page[-1].row.next_check_at, page[-1].row.session_id)


def look(context: ServiceContext, until: datetime, last: tuple[datetime, str] | None, size: int) -> list[Candidate]:
    """One page of sessions that may be due, after a place in their order."""
    parameters: dict[str, Any] = {"until": until, "owner": context.owner}
    statement = _CANDIDATES
    if last is not None:
        statement = statement.where(tuple_(_LAST, _LAST_SESSION) < _PLACE)
        parameters |= {"last": last[0], "last_session": last[1]}
    return [_candidate(row) for row in context.execute(statement.limit(size), parameters)]


def state_of(context: ServiceContext, session_id: str) -> Candidate | None:
    """One session with its limits, due or not; None where it is not to be seen."""
    row = context.execute(_ONE, visibility_parameters(context, session_id)).one_or_none()
    return None if row is None else _candidate(row)


def unscheduled(context: ServiceContext) -> Iterator[SessionState]:
    """Open sessions with limits, or under a default, that no sweep would look at. For some that is right."""
    for row in context.execute(_UNSCHEDULED):
        yield _candidate(row).state


def postpone(context: ServiceContext, early: Sequence[tuple[SessionState, Decision]]) -> None:
    """Write down when to look again at sessions that were read too early. What was changed meanwhile stays changed."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for state, decision in sorted(early, key=lambda pair: pair[0].session_id):
        parameters = {"session": state.session_id, "looked_at": state.next_check_at, **_set(decision)}
        groups.setdefault(tuple(decision.columns), []).append(parameters)
    for columns, parameters_of in groups.items():
        statement = update(timeouts).where(timeouts.c.session_id == _SESSION, timeouts.c.next_check_at == _LOOKED_AT)
        context.execute(statement.values(_bound(columns)), parameters_of)


def settle(context: ServiceContext, session_id: str, now: datetime, actions: Sequence[SweepAction]) -> Due | None:
    """Do with one session what is due now; None where nothing is, or somebody else has locked it."""
    row = context.execute(_LOCKED, {**visibility_parameters(context, session_id), "until": now}).one_or_none()
    if row is None:
        return None
    candidate = _candidate(row)
    decision = decide(candidate.state, now)
    if decision.action is not None and decision.action not in actions:
        return None
    if decision.action is SweepAction.IDLE:
        lifecycle.transition(context, session_id, "mark_idle")
    elif decision.action is SweepAction.ARCHIVE:
        lifecycle.archive(context, session_id, reason=f"{decision.limit} limit reached", at=now)
    statement = update(timeouts).where(timeouts.c.session_id == _SESSION).values(_bound(tuple(decision.columns)))
    context.execute(statement, {"session": session_id, **_set(decision)})
    return None if decision.action is None else candidate.due(decision)


def _candidate(row: Any) -> Candidate:
    limits, _ = Limits.effective(row)
    return Candidate(
        SessionState(
            row.session_id, row.status, row.held_at is not None, row.created_at, row.last_activity, row.last_sequence,
            limits, row.next_check_at, row.warned_for, row.idle_from, row.idle_sequence, row.hard_from,
        ),
        row,
    )  # fmt: skip


def _bound(columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: bindparam(f"new_{name}", type_=timeouts.c[name].type) for name in columns}


def _set(decision: Decision) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in decision.columns.items()}


_SESSION = bindparam("session", type_=Identifier())
_LOOKED_AT = bindparam("looked_at", type_=Timestamp())
_UNTIL = bindparam("until", type_=Timestamp())
_LAST, _LAST_SESSION = bindparam("last", type_=Timestamp()), bindparam("last_session", type_=Identifier())
_PLACE = tuple_(timeouts.c.next_check_at, timeouts.c.session_id)

_of_user = defaults.alias("of_user")
_of_project = defaults.alias("of_project")
_of_ledger = defaults.alias("of_ledger")
_limits_of = {"session": timeouts, Scope.USER: _of_user, Scope.PROJECT: _of_project, Scope.LEDGER: _of_ledger}

# A session with its limits, its own and those of each scope. Few rows of defaults are read over and over: by their key.
_SEEN: Select[Any] = (
    select(
        sessions.c.session_id, sessions.c.user_id, sessions.c.project_id, sessions.c.title, sessions.c.status,
        sessions.c.held_at, sessions.c.created_at, sessions.c.last_activity, sessions.c.last_sequence,
        sessions.c.message_count, timeouts.c.next_check_at, timeouts.c.warned_at, timeouts.c.warned_for,
        timeouts.c.idle_from, timeouts.c.idle_sequence, timeouts.c.hard_from,
        *(table.c[column].label(f"{source}_{column}") for source, table in _limits_of.items() for column in COLUMNS),
    )
)  # fmt: skip

# Where a limit may come from, and the column that says whether there is one.
_HAS = ((timeouts, "session_id"), (_of_user, "scope"), (_of_project, "scope"), (_of_ledger, "scope"))


def _with_limits(source: Any) -> Select[Any]:
    return _SEEN.select_from(
        source.outerjoin(_of_user, (_of_user.c.scope == Scope.USER) & (_of_user.c.scope_id == sessions.c.user_id))
        .outerjoin(
            _of_project, (_of_project.c.scope == Scope.PROJECT) & (_of_project.c.scope_id == sessions.c.project_id)
        )
        .outerjoin(_of_ledger, _of_ledger.c.scope == Scope.LEDGER)
    )


_SAME = sessions.c.session_id == timeouts.c.session_id
_LOOKED_AFTER = _with_limits(timeouts.join(sessions, _SAME))
_CANDIDATES = _LOOKED_AFTER.where(timeouts.c.next_check_at <= _UNTIL, visible_to_owner()).order_by(
    timeouts.c.next_check_at, timeouts.c.session_id
)
_UNSCHEDULED = _with_limits(sessions.outerjoin(timeouts, _SAME)).where(
    sessions.c.status.in_(OPEN),
    sessions.c.held_at.is_(None),
    timeouts.c.next_check_at.is_(None),
    or_(*(table.c[key].is_not(None) for table, key in _HAS)),
)
_ONE = _with_limits(sessions.outerjoin(timeouts, _SAME)).where(this_session())
_LOCKED = _LOOKED_AFTER.where(this_session(), timeouts.c.next_check_at <= _UNTIL).with_for_update(
    key_share=True, skip_locked=True, of=[sessions, timeouts]
)
_UNWARN = update(timeouts).where(timeouts.c.session_id == _SESSION).values(
    warned_at=None, warned_for=None, next_check_at=_LOOKED_AT
)  # fmt: skip
