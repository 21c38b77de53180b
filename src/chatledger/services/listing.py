"""The list of sessions: newest activity first, a page at a time, by index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import literal, select, tuple_

from chatledger.dialects.constructs import minute_of
from chatledger.dialects.types import Identifier, Timestamp
from chatledger.errors import InvalidInput
from chatledger.schemas import Page, Session
from chatledger.schemas.fields import identifier, moment
from chatledger.services.cursors import NOT_A_CURSOR, limited, pack, unpack
from chatledger.services.rows import SESSION, sessions, to_sessions
from chatledger.services.work import Work
from chatledger.vocabulary import Status


@dataclass(frozen=True)
class Filters:
    """What to list. None: whatever."""

    user_id: str | None = None
    project_id: str | None = None
    model_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_sessions(
    work: Work,
    filters: Filters,
    *,
    status: Status | str | Iterable[Status | str] | None,
    limit: int,
    cursor: str | None,
) -> Page[Session]:
    """A page of sessions. The minute of activity is what the indexes hold; within it the exact time decides."""
    limit = limited(limit)
    newest, minute = sessions.c.last_activity, sessions.c.activity_minute
    statement = select(*SESSION)
    if work.owner is not None:
        statement = statement.where(sessions.c.user_id == work.owner)
    for field in ("user_id", "project_id", "model_id"):
        value = getattr(filters, field)
        if value is not None:
            statement = statement.where(sessions.c[field] == identifier(value, field))
    statement = statement.where(_status(status))
    if filters.since is not None:
        since = literal(moment(filters.since, "since"), Timestamp())
        statement = statement.where(newest >= since, minute >= minute_of(since))
    if filters.until is not None:
        until = literal(moment(filters.until, "until"), Timestamp())
        statement = statement.where(newest < until, minute <= minute_of(until))
    if cursor is not None:
        text, session_id = unpack("sessions", cursor, str, str)
        last = literal(_moment_of(text, session_id), Timestamp())
        statement = statement.where(
            minute <= minute_of(last),
            tuple_(newest, sessions.c.session_id) < tuple_(last, literal(session_id, Identifier())),
        )
    statement = statement.order_by(minute.desc(), newest.desc(), sessions.c.session_id.desc()).limit(limit + 1)
    found = to_sessions(work.execute(statement).all())
    items = found[:limit]
    more = len(found) > limit
    return Page[Session](
        items=tuple(items),
        next_cursor=pack("sessions", items[-1].last_activity.isoformat(), items[-1].session_id) if more else None,
    )


def _status(wanted: Status | str | Iterable[Status | str] | None) -> Any:
    if wanted is None:
        return sessions.c.status != Status.EXPIRED
    try:
        statuses = [Status(status) for status in ([wanted] if isinstance(wanted, str) else wanted)]
    except (ValueError, TypeError):
        statuses = []
    if not statuses:
        raise InvalidInput("status", f"is not one of {', '.join(Status)}")
    return sessions.c.status == statuses[0] if len(statuses) == 1 else sessions.c.status.in_(statuses)


def _moment_of(text: str, session_id: str) -> datetime:
    """The time in a cursor, whose id is looked at too: a cursor may be forged."""
    try:
        identifier(session_id, "cursor")
        return moment(datetime.fromisoformat(text), "cursor")
    except ValueError:
        pass
    raise InvalidInput("cursor", NOT_A_CURSOR)
