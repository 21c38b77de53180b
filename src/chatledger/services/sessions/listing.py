"""The list of sessions: newest activity first or in another order, a page at a time, by index; and how many there are."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, func, literal_column, select, tuple_, type_coerce

from chatledger.dialects.constructs import hour_of, json_equals
from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.enums import SessionOrder, SessionOrderLike, Status, StatusLike
from chatledger.errors import InvalidInput
from chatledger.schemas import Page, Session
from chatledger.schemas.fields import identifier, moment
from chatledger.services.base import ServiceContext
from chatledger.services.pagination import decode_cursor, decode_moment_cursor, encode_cursor, limited
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
    name_prefix: str | None = None
    parent: str | None = None
    forked_from: str | None = None


def list_sessions(
    context: ServiceContext,
    filters: Filters,
    *,
    order: SessionOrderLike = SessionOrder.RECENT,
    limit: int,
    cursor: str | None,
) -> Page[Session]:
    """Return a page of sessions. The indexes hold the hour of the last activity; within it the exact time decides."""
    if order not in list(SessionOrder):
        raise InvalidInput("order", f"is not one of {', '.join(SessionOrder)}")
    order = SessionOrder(order)
    limit = limited(limit)
    bound, statuses = _bound(context, filters)
    column = order.removeprefix("-")
    kind = "sessions" if order is SessionOrder.RECENT else f"sessions {order}"
    if cursor is not None:
        bound["last"], bound["last_session"] = (
            decode_moment_cursor(kind, cursor, str) if column != "name" else _decode_names(kind, cursor)
        )
    found = to_sessions(context.rows(_page(frozenset(bound), statuses, order), {**bound, "count": limit + 1}))
    items = found[:limit]
    following = None
    if len(found) > limit:
        value = getattr(items[-1], column)
        following = encode_cursor(kind, value if column == "name" else value.isoformat(), items[-1].session_id)
    return Page[Session](items=tuple(items), next_cursor=following)


def _decode_names(kind: str, cursor: str) -> tuple[str, str]:
    name, session_id = decode_cursor(kind, cursor, str, str)
    return identifier(name, "cursor"), identifier(session_id, "cursor")


def iterate_sessions(
    context: ServiceContext, filters: Filters, *, order: SessionOrderLike = SessionOrder.RECENT
) -> Iterator[Session]:
    """Iterate over every page. The first one is read at once, so that an invalid filter is refused before the loop."""

    def following(page: Page[Session]) -> Iterator[Session]:
        yield from page
        while page.next_cursor is not None:
            page = list_sessions(context, filters, order=order, limit=_PAGE, cursor=page.next_cursor)
            yield from page

    return following(list_sessions(context, filters, order=order, limit=_PAGE, cursor=None))


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
    for field in (*_IDS, "annotated", "parent", "forked_from"):
        value = getattr(filters, field)
        bound[field] = None if value is None else identifier(value, field)
    if filters.name_prefix is not None:
        bound["name_from"] = identifier(filters.name_prefix, "name_prefix")
        bound["name_before"] = _after_prefix(filters.name_prefix)
    bound["since"] = None if filters.since is None else moment(filters.since, "since")
    bound["until"] = None if filters.until is None else moment(filters.until, "until")
    for number, (key, value) in enumerate(_entries(filters.metadata)):
        bound[f"metadata_key_{number}"] = identifier(key, "metadata")
        bound[f"metadata_value_{number}"] = encode_json(value, "metadata")
    statuses = () if filters.status is None else statuses_of(filters.status)
    return {name: value for name, value in bound.items() if value is not None}, statuses


def _after_prefix(prefix: str) -> str | None:
    """The first text after all those that begin with a prefix, in the order of code points; None if there is none."""
    while prefix:
        following = ord(prefix[-1]) + 1
        if following <= sys.maxunicode:
            # Surrogates are no characters of a text.
            return prefix[:-1] + chr(0xE000 if 0xD800 <= following <= 0xDFFF else following)
        prefix = prefix[:-1]
    return None


def _entries(metadata: Mapping[str, Any] | None) -> Iterable[tuple[str, Any]]:
    if metadata is None:
        return ()
    if not isinstance(metadata, Mapping):
        raise InvalidInput("metadata", f"must be a dict of keys and values, not {type(metadata).__name__}")
    if len(metadata) > _MAX_ENTRIES:
        raise InvalidInput("metadata", f"must have at most {_MAX_ENTRIES} entries")
    return metadata.items()


@cache
def _page(given: frozenset[str], statuses: tuple[Status, ...], order: SessionOrder) -> Prepared:
    descending, column = order.startswith("-"), order.removeprefix("-")
    key = (sessions.c[column], sessions.c.session_id)
    first: tuple[ColumnElement[Any], ...] = (sessions.c.activity_hour,) if column == "last_activity" else ()
    # With this order only the index of a user, project or model serves its list on PostgreSQL (migration 0001).
    theirs = given.intersection(("owner", *_IDS) if first else ("owner", "user_id"))
    indexed = len(first) if column == "last_activity" else len(key) if column == "created_at" else 0
    sorting: list[ColumnElement[Any]] = []
    for place, one in enumerate((*first, *key)):
        directed = one.desc() if descending else one.asc()
        if theirs and place < indexed:
            directed = directed.nulls_last() if descending else directed.nulls_first()
        sorting.append(directed)
    conditions = _conditions(given, statuses)
    if column == "name":
        conditions.append(sessions.c.name.is_not(None))
    if "last" in given:
        kind = Identifier() if column == "name" else Timestamp()
        last, session_id = bindparam("last", type_=kind), bindparam("last_session", type_=Identifier())
        if first:
            hour, its_hour = sessions.c.activity_hour, hour_of(last)
            conditions.append(hour <= its_hour if descending else hour >= its_hour)
        place_of_last = tuple_(last, session_id)
        conditions.append(tuple_(*key) < place_of_last if descending else tuple_(*key) > place_of_last)
    statement = select(*SESSION).where(*conditions).order_by(*sorting)
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
    if "parent" in given:
        conditions.append(sessions.c.parent_id == bindparam("parent", type_=Identifier()))
    if "forked_from" in given:
        conditions.append(sessions.c.forked_from == bindparam("forked_from", type_=Identifier()))
    if "name_from" in given:
        conditions.append(sessions.c.name >= bindparam("name_from", type_=Identifier()))
    if "name_before" in given:
        conditions.append(sessions.c.name < bindparam("name_before", type_=Identifier()))
    if "since" in given:
        since = bindparam("since", type_=Timestamp())
        conditions += [newest >= since, hour >= hour_of(since)]
    if "until" in given:
        until = bindparam("until", type_=Timestamp())
        conditions += [newest < until, hour <= hour_of(until)]
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
