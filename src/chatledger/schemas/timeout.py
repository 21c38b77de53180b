"""Limits, and what comes of them, as users hand them in and hold them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from chatledger.enums import LimitKind, Scope, Status, SweepAction
from chatledger.schemas.fields import Duration, Input, Record


class TimeoutChanges(Input):
    """Limits to set. None: no limit, whatever the defaults say."""

    idle_timeout: Duration | None = None
    archive_timeout: Duration | None = None
    hard_timeout: Duration | None = None
    warn_before: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(days=36500))] | None = None


class Timeout(Record):
    """The limits that hold for a session, and when each is reached if nothing happens until then."""

    session_id: str
    status: Status
    idle_timeout: timedelta | None
    """Without activity for so long, it is marked idle."""
    archive_timeout: timedelta | None
    """Without activity for so long, it is archived."""
    hard_timeout: timedelta | None
    """So long after its creation (or after it was reopened), it is archived, whatever happens in it."""
    warn_before: timedelta | None
    """How long before a limit to warn; at most half of that limit."""
    sources: dict[str, str]
    """From where each limit that is set comes: `session`, `user`, `project` or `ledger`."""
    idle_at: datetime | None
    archive_at: datetime | None
    expires_at: datetime | None
    warned_at: datetime | None
    """When the last warning was sent."""
    held: bool


class TimeoutDefault(Record):
    """The limits of sessions that have none of their own."""

    scope: Scope
    scope_id: str | None
    """Which user or project; None for the whole ledger."""
    idle_timeout: timedelta | None
    archive_timeout: timedelta | None
    hard_timeout: timedelta | None
    warn_before: timedelta | None
    updated_at: datetime


class Due(Record):
    """A session that a sweep would do something with, or has done it."""

    session_id: str
    user_id: str | None
    project_id: str | None
    title: str | None
    status: Status
    """Its status before the sweep."""
    action: SweepAction
    limit: LimitKind
    """Which limit is reached, or for a warning will be reached first."""
    at: datetime
    """When that limit was, or will be, reached."""
    last_activity: datetime
    message_count: int


class SweepFailure(Record):
    """A session that a sweep could not deal with, or a warning that could not be sent. The next sweep tries again."""

    session_id: str
    reason: str


class SweepReport(Record):
    """What a sweep did, or with `dry_run` would do."""

    now: datetime
    dry_run: bool
    warned: int
    idled: int
    archived: int
    failed: int
    sessions: tuple[Due, ...]
    """The first thousand sessions, in the order in which they were dealt with."""
    failures: tuple[SweepFailure, ...]
    interrupted: int = 0
    """Messages whose stream was abandoned by its writer, and which now have the outcome `interrupted`."""


class TimeoutReport(Record):
    """How many sessions stand where."""

    now: datetime
    by_status: dict[str, int]
    """Sessions by status; every status is there."""
    held: int
    limited: int
    """Open sessions for which a limit may hold."""
    to_warn: int
    """Of these, those that the next sweep would warn, mark idle or archive, by the limit that is reached."""
    at_idle_limit: int
    at_archive_limit: int
    at_hard_limit: int
    next_check_at: datetime | None
    """When a session may next be due."""
