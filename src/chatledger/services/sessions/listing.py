"""The list of sessions: newest activity first, a page at a time, by index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, literal_column, select, tuple_, type_coerce

from chatledger.dialects.constructs import hour_of
from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.enums import Status, StatusLike
from chatledger.errors import InvalidInput
from chatledger.schemas import Page, Session
from chatledger.schemas.fields import identifier, moment
from chatledger.services.base import ServiceContext
from chatledger.services.pagination import decode_moment_cursor, encode_cursor, limited
from chatledger.services.prepared import Prepared
from chatledger.services.rows import SESSION, sessions, to_sessions


@dataclass(frozen=True)
class Filters:
    """What to list. None: whatever."""

    user_id: str | None = None
    project_id: str | None = None
    model_id: str | None = None
    annotated: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_sessions(
    context: ServiceContext,
    filters: Filters,
    *,
    status: StatusLike | Iterable[StatusLike] | None,
    limit: int,
    cursor: str | None,
) -> Page[Session]:
    """A page of sessions. The hour of activity is what the indexes hold; within it the exact time decides."""
    limit = limited(limit)
    bound: dict[str, Any] = {"owner": context.owner}
    for field in (*_IDS, "annotated"):
        value = getattr(filters, field)
        bound[field] = None if value is None else identifier(value, field)
    bound["since"] = None if filters.since is None else moment(filters.since, "since")
    bound["until"] = None if filters.until is None else moment(filters.until, "until")
    if cursor is not None:
        bound["last_activity"], bound["last_session"] = decode_moment_cursor("sessions", cursor, str)
    given = {name: value for name, value in bound.items() if value is not None}
    statement = _statement(frozenset(given), () if status is None else statuses_of(status))
    found = to_sessions(context.rows(statement, {**given, "count": limit + 1}))
    items = found[:limit]
    more = len(found) > limit
    return Page[Session](
        items=tuple(items),
        next_cursor=encode_cursor("sessions", items[-1].last_activity.isoformat(), items[-1].session_id)
        if more
        else None,
    )


_IDS = ("user_id", "project_id", "model_id")


@cache
def _statement(given: frozenset[str], statuses: tuple[Status, ...]) -> Prepared:
    newest, hour = sessions.c.last_activity, sessions.c.activity_hour
    statement = select(*SESSION)
    for name in ("owner", *_IDS):
        if name in given:
            column = sessions.c["user_id" if name == "owner" else name]
            statement = statement.where(column == bindparam(name, type_=Identifier()))
    if "annotated" in given:
        label = bindparam("annotated", type_=Identifier())
        from chatledger.services.annotations.statements import notes  # noqa: PLC0415 - where somebody asks for it

        statement = statement.where(sessions.c.session_id.in_(select(notes.c.session_id).where(notes.c.label == label)))
    # None stands for all but the expired.
    if statuses:
        statement = statement.where(has_status(*statuses))
    else:
        statement = statement.where(type_coerce(sessions.c.status, Text) != literal_column(f"'{Status.EXPIRED}'"))
    if "since" in given:
        since = bindparam("since", type_=Timestamp())
        statement = statement.where(newest >= since, hour >= hour_of(since))
    if "until" in given:
        until = bindparam("until", type_=Timestamp())
        statement = statement.where(newest < until, hour <= hour_of(until))
    if "last_activity" in given:
        last, session_id = bindparam("last_activity", type_=Timestamp()), bindparam("last_session", type_=Identifier())
        statement = statement.where(
            hour <= hour_of(last), tuple_(newest, sessions.c.session_id) < tuple_(last, session_id)
        )
    # With this order only the index of a user, project or model serves its list on PostgreSQL (migration 0001).
    by_hour = hour.desc().nulls_last() if given.intersection(("owner", *_IDS)) else hour.desc()
    order = (by_hour, newest.desc(), sessions.c.session_id.desc())
    return Prepared(statement.order_by(*order).limit(bindparam("count", type_=Whole)))


def has_status(*statuses: Status) -> ColumnElement[bool]:
    """A session of these statuses, spelled out so that the planner can see which partial index holds it."""
    status = type_coerce(sessions.c.status, Text)
    if len(statuses) == 1:
        return status == literal_column(f"'{statuses[0]}'")
    return status.in_([literal_column(f"'{word}'") for word in statuses])


def statuses_of(wanted: StatusLike | Iterable[StatusLike]) -> tuple[Status, ...]:
    """The statuses asked for, in one order.

    Raises:
        InvalidInput: none, or a word that is no status.
    """
    try:
        statuses = {Status(status) for status in ([wanted] if isinstance(wanted, str) else wanted)}
    except (ValueError, TypeError):
        statuses = set()
    if not statuses:
        raise InvalidInput("status", f"is not one of {', '.join(Status)}")
    return tuple(sorted(statuses))
