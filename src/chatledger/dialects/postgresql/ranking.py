"""A page of the candidates of a search, and each session of them once: ranked by the server, in one statement."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, Select, bindparam, case, func, literal_column, select

from chatledger.dialects.full_text import Scope

_ONE = literal_column("1", Integer)
_COLUMNS = ("session_id", "sequence_number", "created_at", "score", "looseness")


@cache
def page(
    candidates: Select[Any], scope: Scope, columns: tuple[ColumnElement[Any], ...], *, of_one_session: bool
) -> Select[Any]:
    """The candidates of a page, best first, with columns of their messages and sessions. These are read for the page
    alone, not for all that were ranked.
    """
    found: FromClause = candidates.subquery("candidates")
    is_again: ColumnElement[int] = literal_column("0", Integer)
    if not of_one_session:
        # The best hit of each session comes before the other hits of any.
        order = [found.c.looseness, *_best(found)]
        number = func.row_number().over(partition_by=found.c.session_id, order_by=order)
        is_again = case((number == _ONE, literal_column("0", Integer)), else_=_ONE)
    numbered = select(*found.c, is_again.label("again"), func.count().over().label("matched")).subquery("numbered")
    rows = (
        select(numbered)
        .order_by(*_ranked(numbered))
        .limit(bindparam("limit", type_=Integer))
        .offset(bindparam("offset", type_=Integer))
        .cte("page")
    )
    messages, sessions = scope.messages, scope.sessions
    this = (messages.c.session_id == rows.c.session_id) & (messages.c.sequence_number == rows.c.sequence_number)
    joined = rows.join(messages, this).join(sessions, sessions.c.session_id == rows.c.session_id)
    shown = select(*(rows.c[name] for name in _COLUMNS), *columns, rows.c.matched)
    return shown.select_from(joined).order_by(*_ranked(rows))


@cache
def best_of_sessions(candidates: Select[Any]) -> Select[Any]:
    """Each session of the candidates once, by its best message, with how many messages match."""
    return _of_sessions(candidates, newest=False)


@cache
def newest_of_sessions(candidates: Select[Any]) -> Select[Any]:
    """The same by its newest message."""
    return _of_sessions(candidates, newest=True)


def _of_sessions(candidates: Select[Any], *, newest: bool) -> Select[Any]:
    found = candidates.subquery("candidates")
    of_session: dict[str, Any] = {"partition_by": found.c.session_id}
    order = [found.c.looseness, *_best(found)[1 if newest else 0 :]]
    numbered = select(
        *found.c,
        func.count().over(**of_session).label("hits"),
        func.row_number().over(**of_session, order_by=order).label("number"),
        func.count().over().label("matched"),
    ).subquery("numbered")
    return select(*(numbered.c[name] for name in (*_COLUMNS, "hits", "matched"))).where(numbered.c.number == _ONE)


def _best(rows: FromClause) -> list[ColumnElement[Any]]:
    return [rows.c.score.desc(), rows.c.created_at.desc(), rows.c.session_id, rows.c.sequence_number]


def _ranked(rows: FromClause) -> list[ColumnElement[Any]]:
    return [rows.c.looseness, rows.c.again, *_best(rows)]
