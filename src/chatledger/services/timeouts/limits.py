"""The limits of sessions, their own and the defaults, as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, exists, literal, or_, select, update

from chatledger.dialects.types import Identifier, Timestamp
from chatledger.enums import OPEN, Scope, Status
from chatledger.errors import InvalidInput, SessionNotFound
from chatledger.models import tables
from chatledger.schemas import NewSession
from chatledger.schemas.session import Keep
from chatledger.schemas.timeout import TimeoutChanges
from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions
from chatledger.services.timeouts.policy import COLUMNS, Limits, SessionState, decide
from chatledger.services.visibility import SESSION_KEY, keep_session, this_session, visibility_parameters

timeouts = tables.session_timeouts
defaults = tables.timeout_defaults

# Of the arguments of users, the columns.
_COLUMN_OF = {
    "idle_timeout": "idle_limit",
    "archive_timeout": "archive_limit",
    "hard_timeout": "hard_limit",
    "warn_before": "warn_before",
}
_LIMITS = ("idle_timeout", "archive_timeout", "hard_timeout")
SWITCHED_ON = {"idle_timeout": timedelta(hours=1), "hard_timeout": timedelta(hours=24)}
"""The limits of those who name none."""

_NOW = bindparam("now", type_=Timestamp())
_NEW = bindparam("new", type_=Identifier())


def has_own(new: NewSession) -> bool:
    """Whether a session to create has limits of its own."""
    return any(getattr(new, name) is not None for name in _LIMITS)


def begin(context: ServiceContext, new: NewSession, now: datetime) -> None:
    """The own limits of a session that has just been made, where it has any. Defaults are seen to by a trigger."""
    if not has_own(new):
        return
    assert new.session_id is not None
    for name in ("idle_timeout", "archive_timeout", "hard_timeout"):
        _require_an_end(now, name, getattr(new, name))
    own = {column: _seconds(getattr(new, name, None)) for name, column in _COLUMN_OF.items()}
    limits = Limits(new.idle_timeout, new.archive_timeout, new.hard_timeout)
    # As a sweep would see it, before anything has happened in it. A beginning that lies ahead is met at once.
    columns = decide(
        SessionState(new.session_id, Status.ACTIVE, False, now, now, 0, limits), min(now, context.now())
    ).columns
    added = context.dialect.insert(timeouts).values(
        session_id=new.session_id, **own, **columns, created_at=now, updated_at=now
    )
    # Where a default holds as well the row is there, and is to be looked at by the next sweep: that stays.
    changed = {column: added.excluded[column] for column in COLUMNS}
    context.execute(added.on_conflict_do_update(index_elements=[timeouts.c.session_id], set_=changed))


def arm(context: ServiceContext, session_id: str) -> None:
    """Have the next sweep look at an open session, when a default may hold for it or it has limits of its own."""
    source = select(sessions.c.session_id, _NOW, _NOW, _NOW).where(
        this_session(), sessions.c.status.in_(OPEN), or_(_has_default(), _has_limits())
    )
    _upsert(context, source, {**visibility_parameters(context, session_id), "now": context.now()})


def look_again(context: ServiceContext, session_id: str) -> None:
    """Have the next sweep look at a session that has been looked at before."""
    context.execute(_LOOK_AGAIN, {**visibility_parameters(context, session_id), "now": context.now()})


def begin_anew(context: ServiceContext, session_id: str) -> None:
    """The hard limit of a session that was reopened counts from now, and it is warned again.

    That is written down where no limit holds yet, too: one may be set later.
    """
    parameters = {**visibility_parameters(context, session_id), "now": context.now()}
    _upsert(context, select(sessions.c.session_id, _NOW, _NOW, _NOW).where(this_session()), parameters)
    context.execute(_BEGIN_ANEW, parameters)


def copy(context: ServiceContext, session_id: str, new: str) -> None:
    """Give a fork the limits of its original."""
    given = [timeouts.c[column] for column in COLUMNS]
    source = select(_NEW, *given, _NOW, _NOW, _NOW).where(timeouts.c.session_id == SESSION_KEY)
    names = ["session_id", *COLUMNS, "next_check_at", "created_at", "updated_at"]
    added = context.dialect.insert(timeouts).from_select(names, source, include_defaults=False)
    changed = {column: added.excluded[column] for column in COLUMNS}
    statement = added.on_conflict_do_update(index_elements=[timeouts.c.session_id], set_=changed)
    context.execute(statement, {"session": session_id, "new": new, "now": context.now()})


def own_limits(context: ServiceContext, session_id: str) -> dict[str, int | None]:
    """The limits that a session itself has, in seconds, by column. The row is locked."""
    row = context.execute(_OWN, {"session": session_id}).one_or_none()
    return {column: None if row is None else getattr(row, column) for column in COLUMNS}


def merged(
    before: Mapping[str, int | None], given: Mapping[str, Any], changes: TimeoutChanges
) -> dict[str, int | None]:
    """Limits after a change: what is not given stays; where nothing was and none is named, the usual ones are set."""
    named = [name for name in _COLUMN_OF if not isinstance(given[name], Keep)]
    after = dict(before) | {_COLUMN_OF[name]: _seconds(getattr(changes, name)) or 0 for name in named}
    if set(named) <= {"warn_before"} and all(before[_COLUMN_OF[name]] is None for name in _LIMITS):
        after |= {_COLUMN_OF[name]: _seconds(limit) for name, limit in SWITCHED_ON.items()}
    return after


def store(context: ServiceContext, session_id: str, limits: Mapping[str, int | None]) -> None:
    """Set the limits of a session itself. It is warned again, and looked at by the next sweep."""
    now = context.now()
    given = [literal(limits[column], timeouts.c[column].type) for column in COLUMNS]
    source = select(sessions.c.session_id, *given, _when_open(), _NOW, _NOW).where(this_session())
    source = keep_session(source)
    names = ["session_id", *COLUMNS, "next_check_at", "created_at", "updated_at"]
    added = context.dialect.insert(timeouts).from_select(names, source, include_defaults=False)
    changed = {name: added.excluded[name] for name in (*COLUMNS, "next_check_at", "updated_at")}
    statement = added.on_conflict_do_update(
        index_elements=[timeouts.c.session_id], set_={**changed, "warned_at": None, "warned_for": None}
    )
    if not context.change(statement, {**visibility_parameters(context, session_id), "now": now}):
        raise SessionNotFound(session_id)  # deleted meanwhile


def default(context: ServiceContext, scope: Scope, scope_id: str) -> Any:
    """The row of a default, or None."""
    return context.execute(_DEFAULT, {"scope": scope, "scope_id": scope_id}).one_or_none()


def all_defaults(context: ServiceContext) -> list[Any]:
    """Every default that may be seen, the ledger's first."""
    statement = select(defaults).order_by(defaults.c.scope, defaults.c.scope_id)
    if context.owner is not None:
        statement = statement.where(defaults.c.scope == Scope.USER, defaults.c.scope_id == context.owner)
    return list(context.execute(statement).all())


def store_default(context: ServiceContext, scope: Scope, scope_id: str, limits: Mapping[str, int | None]) -> None:
    """Set a default, and have the next sweep look at every open session that it may hold for."""
    now = context.now()
    values = {"scope": scope, "scope_id": scope_id, **limits, "created_at": now, "updated_at": now}
    added = context.dialect.insert(defaults).values(values)
    changed = {name: added.excluded[name] for name in (*COLUMNS, "updated_at")}
    context.execute(added.on_conflict_do_update(index_elements=[defaults.c.scope, defaults.c.scope_id], set_=changed))
    _look_at_all(context, scope, scope_id)


def drop_default(context: ServiceContext, scope: Scope, scope_id: str) -> bool:
    """Take a default away; whether it was there."""
    gone = context.change(_DROP_DEFAULT, {"scope": scope, "scope_id": scope_id}) > 0
    if gone:  # it may have kept a wider and shorter one away
        _look_at_all(context, scope, scope_id)
    return gone


def _look_at_all(context: ServiceContext, scope: Scope, scope_id: str) -> None:
    source = select(sessions.c.session_id, _NOW, _NOW, _NOW).where(sessions.c.status.in_(OPEN))
    if scope is not Scope.LEDGER:
        source = source.where(sessions.c[f"{scope}_id"] == scope_id)
    _upsert(context, source, {"now": context.now()})


def _upsert(context: ServiceContext, source: Select[Any], parameters: Mapping[str, Any]) -> None:
    names = ["session_id", "next_check_at", "created_at", "updated_at"]
    # In the order in which a sweep writes them, too: two that meet in different orders would deadlock.
    ordered = keep_session(source.order_by(sessions.c.session_id))
    added = context.dialect.insert(timeouts).from_select(names, ordered, include_defaults=False)
    statement = added.on_conflict_do_update(
        index_elements=[timeouts.c.session_id], set_={"next_check_at": added.excluded.next_check_at}
    )
    context.execute(statement, dict(parameters))


def _when_open() -> Any:
    """This moment for an open session, NULL for a closed one."""
    return select(_NOW).where(sessions.c.status.in_(OPEN)).correlate(sessions).scalar_subquery()


def _has_default() -> Any:
    holds = or_(
        defaults.c.scope == Scope.LEDGER,
        and_(defaults.c.scope == Scope.PROJECT, defaults.c.scope_id == sessions.c.project_id),
        and_(defaults.c.scope == Scope.USER, defaults.c.scope_id == sessions.c.user_id),
    )
    return exists(select(1).select_from(defaults).where(holds)).correlate(sessions)


def _has_limits() -> Any:
    return exists(select(1).select_from(timeouts).where(timeouts.c.session_id == sessions.c.session_id)).correlate(
        sessions
    )


def _require_an_end(start: datetime, name: str, limit: timedelta | None) -> None:
    try:
        start + (limit or timedelta(0))
    except OverflowError:
        raise InvalidInput(name, "ends after the year 9999") from None


def _seconds(limit: timedelta | None) -> int | None:
    return None if limit is None else 0 if not limit else max(1, round(limit.total_seconds()))


_THIS_DEFAULT = and_(
    defaults.c.scope == bindparam("scope", type_=defaults.c.scope.type),
    defaults.c.scope_id == bindparam("scope_id", type_=Identifier()),
)
_DEFAULT = select(defaults).where(_THIS_DEFAULT)
_DROP_DEFAULT = delete(defaults).where(_THIS_DEFAULT)
_OWN = select(*(timeouts.c[column] for column in COLUMNS)).where(timeouts.c.session_id == SESSION_KEY).with_for_update()
_MINE = timeouts.c.session_id.in_(select(sessions.c.session_id).where(this_session(), sessions.c.status.in_(OPEN)))
_LOOK_AGAIN = update(timeouts).where(_MINE).values(next_check_at=_NOW)
_BEGIN_ANEW = (
    update(timeouts)
    .where(timeouts.c.session_id.in_(select(sessions.c.session_id).where(this_session())))
    .values(hard_from=_NOW, warned_at=None, warned_for=None, idle_from=None, idle_sequence=None)
)
