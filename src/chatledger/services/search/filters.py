"""Which messages a search reads: the filters of a call and the conditions within its query, as one scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, and_, bindparam, func, not_, or_, select

from chatledger.dialects.constructs import is_among
from chatledger.dialects.full_text import Reader, Scope
from chatledger.dialects.types import Identifier, Names
from chatledger.enums import Role, RoleLike, Status
from chatledger.errors import InvalidInput
from chatledger.schemas.fields import identifier, moment
from chatledger.services.rows import messages, sessions

# Sessions whose messages are counted to choose a plan; a scope of more is not small.
_COUNTED = 4000


def _is_of_model(is_this: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """On a message: its own model, else that of its session."""
    its_session = sessions.alias("its_session")
    of_session = select(its_session.c.session_id).where(
        its_session.c.session_id == messages.c.session_id, is_this(its_session.c.model_id)
    )
    return or_(
        and_(messages.c.model_id.is_not(None), is_this(messages.c.model_id)),
        and_(messages.c.model_id.is_(None), of_session.correlate(messages).exists()),
    )


def _is_one_of(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return is_among(column, bindparam(name, type_=Names()))


def _is_none_of(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column.is_(None) | not_(_is_one_of(column, name))


# The condition of each filter on a session, with a parameter of its name.
_OF_SESSION: dict[str, ColumnElement[bool]] = {
    "owner": sessions.c.user_id == bindparam("owner"),
    "user_id": sessions.c.user_id == bindparam("user_id"),
    "typed_user": sessions.c.user_id == bindparam("typed_user"),
    "not_user": _is_none_of(sessions.c.user_id, "not_user"),
    "project_id": sessions.c.project_id == bindparam("project_id"),
    "session_id": sessions.c.session_id == bindparam("session_id"),
    "titled": _is_one_of(sessions.c.session_id, "titled"),
    "not_titled": _is_none_of(sessions.c.session_id, "not_titled"),
}
# The same on a message.
_OF_MESSAGE: dict[str, ColumnElement[bool]] = {
    "session_id": messages.c.session_id == bindparam("session_id"),
    "role": messages.c.role == bindparam("role"),
    "typed_role": messages.c.role == bindparam("typed_role"),
    "not_role": not_(_is_one_of(messages.c.role, "not_role")),
    "typed_model": _is_of_model(lambda column: column == bindparam("typed_model", type_=Identifier())),
    "not_model": not_(_is_of_model(lambda column: _is_one_of(column, "not_model"))),
    "since": messages.c.created_at >= bindparam("since"),
    "until": messages.c.created_at < bindparam("until"),
}
# The filters on the session that an original shares with its copies, if both are in the scope.
_OF_OWNERS = {"owner": "user_id", "user_id": "user_id", "typed_user": "user_id", "project_id": "project_id"}
# The filters that leave few sessions.
_NARROW = ("owner", "user_id", "typed_user", "project_id", "session_id", "titled")


def filters_of_call(
    owner: str | None,
    user_id: str | None,
    session_id: str | None,
    project_id: str | None,
    role: RoleLike | None,
    since: datetime | None,
    until: datetime | None,
) -> dict[str, Any]:
    """The filters that a caller gave, by name.

    Raises:
        InvalidInput: a filter that cannot be one, by name.
    """
    found: dict[str, Any] = {}
    for name, value in (("user_id", user_id), ("session_id", session_id), ("project_id", project_id)):
        if value is not None:
            found[name] = identifier(value, name)
    if owner is not None:
        found["owner"] = owner
    if role is not None:
        known = next((word for word in Role if word == role), None)
        if known is None:
            raise InvalidInput("role", f"is not one of {', '.join(Role)}")
        found["role"] = known.value
    for name, time in (("since", since), ("until", until)):
        if time is not None:
            found[name] = moment(time, name)
    return found


def with_typed(filters: Mapping[str, Any], typed: Mapping[str, Any]) -> dict[str, Any]:
    """The filters of a call with those of the query. Of two times the narrower counts."""
    both = {**filters, **typed}
    since, until = both.pop("typed_since", None), both.pop("typed_until", None)
    if since is not None:
        both["since"] = max(since, both.get("since", since))
    if until is not None:
        both["until"] = min(until, both.get("until", until))
    return both


class Include(NamedTuple):
    """Which messages are searched that are left out otherwise."""

    copies: bool = False
    hidden: bool = False


@cache
def scope_of(names: tuple[str, ...], include: Include) -> Scope:
    """The scope of a search with the filters of these names."""
    of_message = [_OF_MESSAGE[name] for name in names if name in _OF_MESSAGE]
    if not include.copies:
        of_message.append(_is_original(names))
    if not include.hidden:
        of_message.append(messages.c.hidden.is_(None))
    of_session = tuple(_OF_SESSION[name] for name in names if name in _OF_SESSION)
    return Scope(
        messages,
        sessions,
        _is_live(sessions),
        of_session,
        tuple(of_message),
        is_filtered=bool(names),
        is_about_messages=any(name in _OF_MESSAGE and name not in ("session_id", "since", "until") for name in names),
    )


def is_about_messages(filters: Mapping[str, Any]) -> bool:
    """Whether a filter asks for something that a title does not have."""
    return any(name in _OF_MESSAGE and name != "session_id" for name in filters)


def _is_live(table: FromClause) -> ColumnElement[bool]:
    """Messages of expired sessions are not found."""
    is_live: ColumnElement[bool] = table.c.status != Status.EXPIRED
    return is_live


def _is_original(names: tuple[str, ...]) -> ColumnElement[bool]:
    """Leave out a copy if its original is in the scope of the search, too. Role and time of both are the same.

    A subquery with one value, because PostgreSQL may read all sessions for an EXISTS.
    """
    original = sessions.alias("original")
    found = select(original.c.session_id).where(
        original.c.session_id == messages.c.copied_from,
        _is_live(original),
        *(original.c[column] == bindparam(name) for name, column in _OF_OWNERS.items() if name in names),
        *([_is_one_of(original.c.session_id, "titled")] if "titled" in names else ()),
    )
    return messages.c.copied_from.is_(None) | found.correlate(messages).scalar_subquery().is_(None)


def size_of(reader: Reader, filters: Mapping[str, Any]) -> int | None:
    """How many messages the scope holds, or None if that would take long to count."""
    named = tuple(name for name in _NARROW if name in filters)
    if not named:
        return None
    counted, held = reader.rows(_size(named), {name: filters[name] for name in named})[0]
    return None if counted > _COUNTED else int(held or 0)


@cache
def _size(names: tuple[str, ...]) -> Select[Any]:
    """Count the sessions that the filters of these names let through, and their messages."""
    few = select(sessions.c.message_count).where(*(_OF_SESSION[name] for name in names)).limit(_COUNTED + 1)
    counted = few.subquery()
    sums: list[ColumnElement[Any]] = [
        func.count().label("sessions"),
        func.sum(counted.c.message_count).label("messages"),
    ]
    return select(*sums).select_from(counted)


def marks_of(given: Any) -> tuple[str, str]:
    """What stands before and after a match. Raises InvalidInput where that is not two texts."""
    if isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(mark, str) for mark in given):
        return given[0], given[1]
    raise InvalidInput("highlight", "must be two texts: what stands before a match and what after it")
