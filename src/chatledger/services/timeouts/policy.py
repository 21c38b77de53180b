"""Decides whether a session is due. It reads and writes nothing: it takes the state of a session and the time, and
returns what to do.

A clock that was wrong for a while must archive nobody who was active, and must keep nobody for ever. So time that runs
backwards counts as no time, and an activity that lies in the future counts as now: from the sweep that meets it first,
until a message comes or its time is reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from chatledger.enums import OPEN, LimitKind, Scope, Status, SweepAction

WARN_BEFORE = timedelta(minutes=5)
"""When a session whose own limits say nothing else is warned before a limit is reached."""

COLUMNS = ("idle_limit", "archive_limit", "hard_limit", "warn_before")
"""The columns of limits, in the tables of sessions and of defaults."""


@dataclass(frozen=True)
class Limits:
    """The limits that hold for one session."""

    idle: timedelta | None = None
    archive: timedelta | None = None
    hard: timedelta | None = None
    warn_before: timedelta = WARN_BEFORE

    @classmethod
    def effective(cls, row: Any) -> tuple[Limits, dict[str, str]]:
        """From a row that has each column once for the session and once for each scope, and where each comes from."""
        found: dict[str, timedelta | None] = {}
        sources: dict[str, str] = {}
        for column in COLUMNS:
            for source in ("session", *Scope):
                seconds = getattr(row, f"{source}_{column}")
                if seconds is not None:
                    # Zero: no limit, whatever the wider scopes say.
                    found[column] = timedelta(seconds=seconds) if seconds else None
                    sources[column] = source
                    break
        warn_before = found.get("warn_before", WARN_BEFORE) or timedelta(0)
        limits = cls(found.get("idle_limit"), found.get("archive_limit"), found.get("hard_limit"), warn_before)
        return limits, sources

    def lead(self, kind: LimitKind) -> timedelta:
        """How long before a limit to warn. A short limit is warned of half way."""
        limit = {LimitKind.IDLE: self.idle, LimitKind.ARCHIVE: self.archive, LimitKind.HARD: self.hard}[kind]
        return min(self.warn_before, (limit or timedelta(0)) / 2)


@dataclass(frozen=True)
class SessionState:
    """A session as a sweep reads it."""

    session_id: str
    status: Status
    held: bool
    created_at: datetime
    last_activity: datetime
    last_sequence: int
    limits: Limits
    next_check_at: datetime | None = None
    warned_for: datetime | None = None
    idle_from: datetime | None = None
    idle_sequence: int | None = None
    hard_from: datetime | None = None


class Deadline(NamedTuple):
    """A limit of a session, and when it is reached if nothing happens until then."""

    at: datetime
    kind: LimitKind
    warn_at: datetime
    """When to warn of it."""


class Decision(NamedTuple):
    """What to do with a session, and what to store about it."""

    action: SweepAction | None
    limit: LimitKind | None
    """The limit that the action is about, and its moment."""
    at: datetime | None
    columns: dict[str, Any]
    """The columns of `session_timeouts`, after the action."""


def decide(state: SessionState, now: datetime) -> Decision:
    """Decide what to do with a session at a moment: nothing if it is held or closed."""
    if state.held or state.status not in OPEN:
        return Decision(None, None, None, {"next_check_at": None})
    columns = _memory(state, now)
    every = list(deadlines(state, now))
    columns["expires_at"] = next((deadline.at for deadline in every if deadline.kind is LimitKind.HARD), None)
    reached = [deadline for deadline in every if deadline.at <= now]
    for kind in (LimitKind.HARD, LimitKind.ARCHIVE, LimitKind.IDLE):
        for deadline in reached:
            if deadline.kind is kind and kind is not LimitKind.IDLE:
                return Decision(SweepAction.ARCHIVE, kind, deadline.at, {**columns, "next_check_at": None})
            if deadline.kind is kind:
                rest = [other for other in every if other.kind is not LimitKind.IDLE]
                columns["next_check_at"] = _next(rest, state.warned_for, now)
                return Decision(SweepAction.IDLE, kind, deadline.at, columns)
    # One warning speaks of all limits that are near; one that moved away is warned of again when it comes near again.
    near = [deadline for deadline in every if deadline.warn_at <= now and _is_new(deadline, state.warned_for)]
    if not near:
        return Decision(None, None, None, {**columns, "next_check_at": _next(every, state.warned_for, now)})
    first, warned_for = min(near), max(near).at
    columns |= {"warned_at": now, "warned_for": warned_for, "next_check_at": _next(every, warned_for, now)}
    return Decision(SweepAction.WARN, first.kind, first.at, columns)


def deadlines(state: SessionState, now: datetime) -> Iterator[Deadline]:
    """The limits that hold for a session in its status. A pause keeps those of inactivity away."""
    activity, started = _activity(state, now), _start(state, now)
    limits = state.limits
    for kind, start, limit, statuses in (
        (LimitKind.IDLE, activity, limits.idle, (Status.ACTIVE,)),
        (LimitKind.ARCHIVE, activity, limits.archive, (Status.ACTIVE, Status.IDLE)),
        (LimitKind.HARD, started, limits.hard, OPEN),
    ):
        if limit is not None and state.status in statuses:
            at = _later(start, limit)
            lead = limits.lead(kind)
            yield Deadline(at, kind, at - lead if lead else datetime.max.replace(tzinfo=at.tzinfo))


def _activity(state: SessionState, now: datetime) -> datetime:
    if state.last_activity <= now:
        return state.last_activity
    remembered = state.idle_from is not None and state.idle_from <= now and state.idle_sequence == state.last_sequence
    return state.idle_from if remembered and state.idle_from is not None else now


def _start(state: SessionState, now: datetime) -> datetime:
    if state.created_at <= now:
        # A session that was reopened started over then.
        return max(state.created_at, state.hard_from) if state.hard_from is not None else state.created_at
    return state.hard_from if state.hard_from is not None and state.hard_from <= now else now


def _memory(state: SessionState, now: datetime) -> dict[str, Any]:
    """What the next sweep needs to know of a time that lies in the future."""
    columns: dict[str, Any] = {}
    if state.last_activity > now and _activity(state, now) == now:
        columns |= {"idle_from": now, "idle_sequence": state.last_sequence}
    if state.created_at > now and _start(state, now) == now:
        columns["hard_from"] = now
    return columns


def _next(every: list[Deadline], warned_for: datetime | None, now: datetime) -> datetime | None:
    """When something may have to be done next: at this very moment is left to the next sweep."""
    after = _later(now, timedelta(microseconds=1))
    moments = [
        min(deadline.at, max(deadline.warn_at, after)) if _is_new(deadline, warned_for) else deadline.at
        for deadline in every
    ]
    return min(moments, default=None)


def _is_new(deadline: Deadline, warned_for: datetime | None) -> bool:
    return warned_for is None or deadline.at > warned_for


def _later(start: datetime, limit: timedelta) -> datetime:
    try:
        return start + limit
    except OverflowError:
        return datetime.max.replace(tzinfo=start.tzinfo)
