"""The statements of a fork: everything is copied inside the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, case, func, insert, or_, select

from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.errors import MessageNotFound, SessionExists
from chatledger.full_text.parts import session_search_columns
from chatledger.services.base import ServiceContext
from chatledger.services.messages import copies
from chatledger.services.rows import messages, metadata, sessions
from chatledger.services.visibility import SESSION_KEY, require_visible, this_session, visibility_parameters

_COPIED = ("user_id", "project_id", "model_id", "system_prompt", "search_system_prompt", "context")
_NEW = bindparam("new", type_=Identifier())
_NOW = bindparam("now", type_=Timestamp())
_BEGAN = bindparam("began", type_=Timestamp())
_AT = bindparam("at", type_=Whole)
_TITLE = bindparam("title", type_=sessions.c.title.type)
_SEARCH_TITLE = bindparam("search_title", type_=sessions.c.search_title.type)

_SOURCE = select(
    _NEW,
    *(sessions.c[name] for name in _COPIED),
    func.coalesce(_TITLE, sessions.c.title),
    case((_TITLE.is_(None), sessions.c.search_title), else_=_SEARCH_TITLE),
    _BEGAN,
    _NOW,
    _BEGAN,
    sessions.c.session_id,
    func.coalesce(_AT, sessions.c.last_sequence),
).where(this_session(), or_(_AT.is_(None), sessions.c.last_sequence >= _AT))

_COLUMNS = [
    "session_id",
    *_COPIED,
    "title",
    "search_title",
    "created_at",
    "updated_at",
    "last_activity",
    "forked_from",
    "forked_at",
]


def fork(
    context: ServiceContext,
    session_id: str,
    new: str,
    *,
    at: int | None,
    title: str | None,
    created_at: datetime | None,
) -> None:
    """Copy a session, its metadata and its messages up to a number.

    Raises:
        SessionNotFound, MessageNotFound, SessionExists
    """
    now = context.now()
    parameters = {
        **visibility_parameters(context, session_id),
        "new": new,
        "now": now,
        "began": now if created_at is None else created_at,
        "at": at,
        "title": title,
        **session_search_columns(title=title),
    }
    statement = (
        context.dialect.insert(sessions)
        .from_select(_COLUMNS, _SOURCE, include_defaults=False)
        .on_conflict_do_nothing(index_elements=[sessions.c.session_id])
        .returning(sessions.c.forked_at)
    )
    reached = context.execute(statement, parameters).scalar_one_or_none()
    if reached is None:
        last = require_visible(context, session_id).last_sequence
        if at is not None and at > last:
            raise MessageNotFound(session_id, at)
        raise SessionExists(new)
    copies.hold_sources(context, session_id)
    # Up to the number that was read with the session: what is appended meanwhile stays out.
    bounds = {"session": session_id, "new": new, "at": reached}
    context.execute(_copy(messages, messages.c.sequence_number <= _AT), bounds)
    context.execute(_copy(metadata), bounds)


def _copy(table: Table, *conditions: Any) -> Any:
    names = [column.name for column in table.columns if column.name != "session_id"]
    key = list(table.primary_key.columns)[1]
    # Columns as they are stored: nothing is decoded on the way. A copy of a copy names the original.
    values: dict[str, ColumnElement[Any]] = {name: table.c[name] for name in names}
    if table is messages:
        values["copied_from"] = func.coalesce(table.c.copied_from, table.c.session_id)
        values["copied_sequence"] = func.coalesce(table.c.copied_sequence, table.c.sequence_number)
    source = select(_NEW, *values.values()).where(table.c.session_id == SESSION_KEY, *conditions)
    return insert(table).from_select(["session_id", *names], source.order_by(key), include_defaults=False)
