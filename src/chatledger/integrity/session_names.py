"""The table of names against the sessions, and children whose parent is gone."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import and_, delete, exists, func, select

from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions
from chatledger.services.sessions.names import names


def wrong(context: ServiceContext) -> Iterator[str]:
    """Sessions whose name is not entered, or entered for another session; entries that are no session's name."""
    for row in context.execute(_NOT_ENTERED):
        yield f"{row.session_id!r} is named {row.name!r}"
    for row in context.execute(_STALE):
        yield f"name {row.name!r} of {row.session_id!r}"


def mend(context: ServiceContext) -> None:
    """Enter every name that is free."""
    context.execute(delete(names).where(~_IS_NAME))
    statement = (
        context.dialect.insert(names)
        .from_select(
            ["user_id", "project_id", "name", "session_id"],
            select(*_KEY, sessions.c.session_id)
            .where(sessions.c.name.is_not(None))
            .order_by(sessions.c.created_at, sessions.c.session_id),
            include_defaults=False,
        )
        .on_conflict_do_nothing(index_elements=[names.c.user_id, names.c.project_id, names.c.name])
    )
    context.execute(statement)


def parentless(context: ServiceContext) -> Iterator[str]:
    """Sessions whose parent is gone, or belongs to another user and will not take them along."""
    yield from context.execute(_PARENTLESS).scalars()


_KEY = (func.coalesce(sessions.c.user_id, ""), func.coalesce(sessions.c.project_id, ""), sessions.c.name)
_SAME = and_(
    names.c.session_id == sessions.c.session_id,
    *(column == value for column, value in zip((names.c.user_id, names.c.project_id, names.c.name), _KEY, strict=True)),
)
_IS_NAME = exists(select(1).where(_SAME).correlate(names))
_NOT_ENTERED = (
    select(sessions.c.session_id, sessions.c.name)
    .where(sessions.c.name.is_not(None), ~exists(select(1).where(_SAME).correlate(sessions)))
    .order_by(sessions.c.session_id)
)
_STALE = select(names.c.session_id, names.c.name).where(~_IS_NAME).order_by(names.c.session_id, names.c.name)
_parent = sessions.alias("parent")
_PARENTLESS = (
    select(sessions.c.session_id)
    .where(
        sessions.c.parent_id.is_not(None),
        ~exists(
            select(1).where(
                _parent.c.session_id == sessions.c.parent_id,
                _parent.c.user_id.is_not_distinct_from(sessions.c.user_id),
            )
        ),
    )
    .order_by(sessions.c.session_id)
)
