"""The statements of a search over the candidates that a database gives."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)

from chatledger.dialects.constructs import json_text
from chatledger.dialects.types import Identifier
from chatledger.full_text.normalization import INDEXED
from chatledger.services.rows import messages, sessions

_ONE = literal_column("1", Integer)


@cache
def page(statement: Select[Any], *, of_one_session: bool) -> Select[Any]:
    """A page of the candidates, best first. Texts are read for the page alone, not for all that were ranked."""
    candidates = statement.cte("candidates")
    found: FromClause = candidates
    if not of_one_session:
        # The best hit of each session comes before the other hits of any.
        order = [candidates.c.looseness, *_best(candidates)]
        number = func.row_number().over(partition_by=candidates.c.session_id, order_by=order)
        found = select(*candidates.c, case((number == _ONE, 0), else_=1).label("again")).subquery("numbered")
    rows = (
        select(*found.c, _matched(candidates))
        .order_by(*_ranked(found))
        .limit(bindparam("limit", type_=Integer))
        .offset(bindparam("offset", type_=Integer))
        .cte("page")
    )
    return _with_texts(rows).order_by(*_ranked(rows))


@cache
def best_of_sessions(statement: Select[Any], *, newest: bool = False) -> Select[Any]:
    """Each session of the candidates once, by its best (or newest) message, with how many messages match."""
    candidates = statement.cte("candidates")
    of_session: dict[str, Any] = {"partition_by": candidates.c.session_id}
    order = [candidates.c.looseness, *_best(candidates)[1 if newest else 0 :]]
    numbered = select(
        *candidates.c,
        func.count().over(**of_session).label("hits"),
        func.row_number().over(**of_session, order_by=order).label("number"),
        _matched(candidates),
    ).subquery("numbered")
    return select(*(column for column in numbered.c if column.name != "number")).where(numbered.c.number == _ONE)


def _matched(candidates: FromClause) -> ColumnElement[int]:
    return select(func.count()).select_from(candidates).correlate(None).scalar_subquery().label("matched")


def _best(rows: FromClause) -> list[ColumnElement[Any]]:
    return [rows.c.score.desc(), rows.c.created_at.desc(), rows.c.session_id, rows.c.sequence_number]


def _ranked(rows: FromClause) -> list[ColumnElement[Any]]:
    return [rows.c.looseness, *([rows.c.again] if "again" in rows.c else []), *_best(rows)]


def _texts() -> list[ColumnElement[Any]]:
    return [
        # As it is stored: a damaged one is reported by its message.
        type_coerce(messages.c.role, Text).label("role"),
        func.substr(messages.c.content, 1, INDEXED).label("content"),
        json_text(messages.c.payload).label("payload"),
        messages.c.name,
    ]


_OF_SESSION = (sessions.c.title, sessions.c.user_id, sessions.c.project_id)


def _with_texts(rows: FromClause) -> Select[Any]:
    this = (messages.c.session_id == rows.c.session_id) & (messages.c.sequence_number == rows.c.sequence_number)
    joined = rows.join(messages, this).join(sessions, sessions.c.session_id == rows.c.session_id)
    return select(*rows.c, *_texts(), *_OF_SESSION).select_from(joined)


_SHOWN: Select[Any] = select(
    messages.c.session_id, messages.c.sequence_number, messages.c.created_at, *_texts(), *_OF_SESSION
).select_from(messages.join(sessions, sessions.c.session_id == messages.c.session_id))


def shown_messages(places: Iterable[tuple[str, int]]) -> Select[Any]:
    """Messages by session and number, with what a hit shows of them.

    Spelled out, because SQLite uses no index for a list of pairs.
    """
    these = (
        (messages.c.session_id == session_id) & (messages.c.sequence_number == number) for session_id, number in places
    )
    return _SHOWN.where(or_(*these))


SESSIONS: Select[Any] = select(
    sessions.c.session_id, sessions.c.created_at, sessions.c.system_prompt, *_OF_SESSION
).where(sessions.c.session_id.in_(bindparam("sessions", expanding=True, type_=Identifier())))
"""Sessions, with what a hit shows of them."""
