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
    #: Without activity for so long, it is marked idle.
    idle_timeout: timedelta | None
    #: Without activity for so long, it is archived.
    archive_timeout: timedelta | None
    #: So long after its creation (or after it was reopened), it is archived, whatever happens in it.
    hard_timeout: timedelta | None
    #: How long before a limit to warn; at most half of that limit.
    warn_before: timedelta | None
    #: From where each limit that is set comes: `session`, `user`, `project` or `ledger`.
    sources: dict[str, str]
    idle_at: datetime | None
    archive_at: datetime | None
    expires_at: datetime | None
    #: When the last warning was sent.
    warned_at: datetime | None
    held: bool


class TimeoutDefault(Record):
    """The limits of sessions that have none of their own."""

    scope: Scope
    #: Which user or project; None for the whole ledger.
    scope_id: str | None
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
    #: Its status before the sweep.
    status: Status
    action: SweepAction
    #: Which limit is reached, or for a warning will be reached first.
    limit: LimitKind
    #: When that limit was, or will be, reached.
    at: datetime
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
    #: The first thousand sessions, in the order in which they were dealt with.
    sessions: tuple[Due, ...]
    failures: tuple[SweepFailure, ...]
    interrupted: int = 0
    """Messages whose stream was abandoned by its writer, and which now have the outcome `interrupted`."""


class TimeoutReport(Record):
    """How many sessions stand where."""

    now: datetime
    #: Sessions by status; every status is there.
    by_status: dict[str, int]
    held: int
    #: Open sessions for which a limit may hold.
    limited: int
    #: Of these, those that the next sweep would warn, mark idle or archive, by the limit that is reached.
    to_warn: int
    at_idle_limit: int
    at_archive_limit: int
    at_hard_limit: int
    #: When a session may next be due.
    next_check_at: datetime | None
