"""`session_usage` against the messages that it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    type_coerce,
    union_all,
)

from chatledger.dialects.constructs import quarter_of
from chatledger.dialects.types import Identifier, Whole
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages, sessions
from chatledger.services.statistics.measures import MEASURES, measures_of_message, usage


def wrong(context: ServiceContext) -> Iterator[str]:
    """Every session whose usage is not that of its messages."""
    yield from context.execute(_WRONG).scalars()


def recount(context: ServiceContext, session_ids: Sequence[str]) -> None:
    """Recount the usage of sessions from their messages."""
    for session_id in session_ids:
        context.execute(_FORGET, {"session": session_id})
        context.execute(_COUNT, {"session": session_id})


_KEY: dict[str, ColumnElement[Any]] = {
    "session_id": messages.c.session_id,
    "quarter": quarter_of(messages.c.created_at),
    "role": type_coerce(messages.c.role, Identifier),
    "model_id": func.coalesce(messages.c.model_id, ""),
    "copied": case((messages.c.copied_from.is_not(None), 1), else_=0),
}
_SESSION = bindparam("session", type_=Identifier())
_ONE = measures_of_message()
_FORGET = delete(usage).where(usage.c.session_id == _SESSION)
_counted = select(
    *(part.label(name) for name, part in _KEY.items()), *(part.label(name) for name, part in _ONE.items())
)
_of_session = _counted.where(messages.c.session_id == _SESSION).subquery()
_COUNT = insert(usage).from_select(
    [*_KEY, *MEASURES],
    select(*(_of_session.c[name] for name in _KEY), *(func.sum(_of_session.c[name]) for name in MEASURES)).group_by(
        *(_of_session.c[name] for name in _KEY)
    ),
    include_defaults=False,
)
# Both sides in one pass each: what is there, less what should be.
# Rows of a missing session are told elsewhere, but for those that no message is left of.
_both = union_all(
    select(
        *(usage.c[name] for name in _KEY), *(type_coerce(usage.c[name], Whole).label(name) for name in MEASURES)
    ).where(
        or_(
            exists(select(1).where(sessions.c.session_id == usage.c.session_id)),
            ~exists(select(1).where(messages.c.session_id == usage.c.session_id)),
        )
    ),
    _counted.with_only_columns(
        *(part.label(name) for name, part in _KEY.items()), *((-part).label(name) for name, part in _ONE.items())
    ).where(exists(select(1).where(sessions.c.session_id == messages.c.session_id))),
).subquery()
_cells = (
    select(_both.c.session_id)
    .group_by(*(_both.c[name] for name in _KEY))
    .having(or_(*(func.sum(_both.c[name]) != 0 for name in MEASURES)))
    .subquery()
)
_WRONG = select(_cells.c.session_id).distinct().order_by(_cells.c.session_id)
