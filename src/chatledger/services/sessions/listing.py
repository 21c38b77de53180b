"""The list of sessions: newest activity first, a page at a time, by index; and how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, func, literal_column, select, tuple_, type_coerce

from chatledger.dialects.constructs import hour_of, json_equals
from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.enums import Status, StatusLike
from chatledger.errors import InvalidInput
from chatledger.schemas import Page, Session
from chatledger.schemas.fields import identifier, moment
from chatledger.services.base import ServiceContext
from chatledger.services.pagination import decode_moment_cursor, encode_cursor, limited
from chatledger.services.prepared import Prepared
from chatledger.services.rows import SESSION, metadata, sessions, to_sessions

_PAGE = 1000
_MAX_ENTRIES = 20
_IDS = ("user_id", "project_id", "model_id")


@dataclass(frozen=True)
class Filters:
    """Which sessions to list or count. None: no condition. Without statuses: all but the expired ones."""

    user_id: str | None = None
    project_id: str | None = None
    model_id: str | None = None
    annotated: str | None = None
    metadata: Mapping[str, Any] | None = None
    status: StatusLike | Iterable[StatusLike] | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_sessions(context: ServiceContext, filters: Filters, *, limit: int, cursor: str | None) -> Page[Session]:
    """Return a page of sessions. The indexes hold the hour of the last activity; within it the exact time decides."""
    limit = limited(limit)
    bound, statuses = _bound(context, filters)
    if cursor is not None:
        bound["last_activity"], bound["last_session"] = decode_moment_cursor("sessions", cursor, str)
    found = to_sessions(context.rows(_page(frozenset(bound), statuses), {**bound, "count": limit + 1}))
    items = found[:limit]
    more = len(found) > limit
    return Page[Session](
        items=tuple(items),
        next_cursor=encode_cursor("sessions", items[-1].last_activity.isoformat(), items[-1].session_id)
        if more
        else None,
    )


def iterate_sessions(context: ServiceContext, filters: Filters) -> Iterator[Session]:
    """Iterate over every page. The first one is read at once, so that an invalid filter is refused before the loop."""

    def following(page: Page[Session]) -> Iterator[Session]:
        yield from page
        while page.next_cursor is not None:
            page = list_sessions(context, filters, limit=_PAGE, cursor=page.next_cursor)
            yield from page

    return following(list_sessions(context, filters, limit=_PAGE, cursor=None))


def count_sessions(context: ServiceContext, filters: Filters) -> int:
    bound, statuses = _bound(context, filters)
    statement = select(func.count()).select_from(sessions).where(*_conditions(frozenset(bound), statuses))
    return int(context.execute(statement, bound).scalar_one())


def _bound(context: ServiceContext, filters: Filters) -> tuple[dict[str, Any], tuple[Status, ...]]:
    """Return the parameters of the conditions, and the statuses.

    Raises:
        InvalidInput: an invalid filter.
    """
    bound: dict[str, Any] = {"owner": context.owner}
    for field in (*_IDS, "annotated"):
        value = getattr(filters, field)
        bound[field] = None if value is None else identifier(value, field)
    bound["since"] = None if filters.since is None else moment(filters.since, "since")
    bound["until"] = None if filters.until is None else moment(filters.until, "until")
    for number, (key, value) in enumerate(_entries(filters.metadata)):
        bound[f"metadata_key_{number}"] = identifier(key, "metadata")
        bound[f"metadata_value_{number}"] = encode_json(value, "metadata")
    statuses = () if filters.status is None else statuses_of(filters.status)
    return {name: value for name, value in bound.items() if value is not None}, statuses


def _entries(metadata: Mapping[str, Any] | None) -> Iterable[tuple[str, Any]]:
    if metadata is None:
        return ()
    if not isinstance(metadata, Mapping):
        raise InvalidInput("metadata", f"must be a dict of keys and values, not {type(metadata).__name__}")
    if len(metadata) > _MAX_ENTRIES:
        raise InvalidInput("metadata", f"must have at most {_MAX_ENTRIES} entries")
    return metadata.items()


@cache
def _page(given: frozenset[str], statuses: tuple[Status, ...]) -> Prepared:
    newest, hour = sessions.c.last_activity, sessions.c.activity_hour
    # With this order only the index of a user, project or model serves its list on PostgreSQL (migration 0001).
    by_hour = hour.desc().nulls_last() if given.intersection(("owner", *_IDS)) else hour.desc()
    order = (by_hour, newest.desc(), sessions.c.session_id.desc())
    statement = select(*SESSION).where(*_conditions(given, statuses)).order_by(*order)
    return Prepared(statement.limit(bindparam("count", type_=Whole)))


def _conditions(given: frozenset[str], statuses: tuple[Status, ...]) -> list[ColumnElement[bool]]:
    """Return the conditions whose parameters are given. The statuses are part of the statement."""
    newest, hour = sessions.c.last_activity, sessions.c.activity_hour
    conditions: list[ColumnElement[bool]] = [
        sessions.c["user_id" if name == "owner" else name] == bindparam(name, type_=Identifier())
        for name in ("owner", *_IDS)
        if name in given
    ]
    if "annotated" in given:
        label = bindparam("annotated", type_=Identifier())
        from chatledger.services.annotations.statements import notes  # noqa: PLC0415 - few lists ask for it

        conditions.append(sessions.c.session_id.in_(select(notes.c.session_id).where(notes.c.label == label)))
    for number in range(_MAX_ENTRIES):
        if f"metadata_key_{number}" in given:
            key = bindparam(f"metadata_key_{number}", type_=Identifier())
            value = bindparam(f"metadata_value_{number}", type_=Text())
            having = select(metadata.c.session_id).where(metadata.c.key == key, json_equals(metadata.c.value, value))
            conditions.append(sessions.c.session_id.in_(having))
    if statuses:
        conditions.append(has_status(*statuses))
    else:
        conditions.append(type_coerce(sessions.c.status, Text) != literal_column(f"'{Status.EXPIRED}'"))
    if "since" in given:
        since = bindparam("since", type_=Timestamp())
        conditions += [newest >= since, hour >= hour_of(since)]
    if "until" in given:
        until = bindparam("until", type_=Timestamp())
        conditions += [newest < until, hour <= hour_of(until)]
    if "last_activity" in given:
        last, session_id = bindparam("last_activity", type_=Timestamp()), bindparam("last_session", type_=Identifier())
        conditions += [hour <= hour_of(last), tuple_(newest, sessions.c.session_id) < tuple_(last, session_id)]
    return conditions


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
