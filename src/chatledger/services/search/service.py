"""Search over messages: the same query language, the same words and the same snippets on both databases."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    bindparam,
    func,
    literal_column,
    select,
    type_coerce,
)

from chatledger.dialects.full_text import CANDIDATES, Query, Scope, parse
from chatledger.enums import Role, RoleLike, Status
from chatledger.errors import CorruptDatabase, InvalidInput
from chatledger.schemas import Page, SearchHit, SessionHit
from chatledger.schemas.fields import flags, identifier, moment
from chatledger.services.base import Service
from chatledger.services.pagination import NOT_A_CURSOR, decode_cursor, encode_cursor, limited
from chatledger.services.rows import messages, sessions
from chatledger.services.search.snippets import Highlighter

#: The condition of each filter, with a parameter of its name.
_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "owner": sessions.c.user_id == bindparam("owner"),
    "user_id": sessions.c.user_id == bindparam("user_id"),
    "project_id": sessions.c.project_id == bindparam("project_id"),
    "session_id": messages.c.session_id == bindparam("session_id"),
    "role": messages.c.role == bindparam("role"),
    "since": messages.c.created_at >= bindparam("since"),
    "until": messages.c.created_at < bindparam("until"),
}
#: The filters on the session, with the column that each compares.
_OF_SESSIONS = {"owner": "user_id", "user_id": "user_id", "project_id": "project_id"}

#: Characters of a message that a snippet is looked for in; as many as PostgreSQL indexes.
_SNIPPET_FROM = 100_000
#: Sessions whose messages are counted to choose a plan; a scope of more is not small.
_COUNTED = 500


class Search(Service):
    """Ranks the newest 2,000 messages that match; `Page.truncated` says when there were more.

    Query language: words (all of them), "phrases", -excluded, either OR or, beg*. Case, accents and English endings do
    not matter. Text without spaces between words (Chinese, Japanese, Thai …) is found by any part of it. Nothing that is
    typed is an error; a query that asks for nothing finds nothing. Messages of expired sessions are left out.
    """

    __slots__ = ()

    def messages(
        self,
        query: str,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        project_id: str | None = None,
        role: RoleLike | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        include_copies: bool = False,
        limit: int = 20,
        cursor: str | None = None,
        highlight: tuple[str, str] = ("**", "**"),
    ) -> Page[SearchHit]:
        """Messages that match, best first, with the place of the match between two marks.

        `since` is the earliest message wanted, `until` the first not wanted. Pages are a view of the moment: messages
        added between two pages may move others.

        A message that forks, restored copies or imported branches hold as well is found once, as the original. A copy is
        found where its original is not among the messages that are searched: with `session_id`, which searches all of a
        session, or when the original's session has expired or has another owner or project than the filters say.
        `include_copies=True` finds every copy.

        Raises:
            InvalidInput: a filter that is none (the query itself never is).
        """
        flags(include_copies=include_copies)
        filters = _filters(self._context.owner, user_id, session_id, project_id, role, since, until)
        return self._find(query, filters, limit, cursor, highlight, by_session=False, include_copies=include_copies)

    def sessions(
        self,
        query: str,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        project_id: str | None = None,
        role: RoleLike | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        include_copies: bool = False,
        limit: int = 20,
        cursor: str | None = None,
        highlight: tuple[str, str] = ("**", "**"),
    ) -> Page[SessionHit]:
        """Sessions that match, each once, by its best message. Copies are left out as in `messages`.

        Raises:
            InvalidInput: a filter that is none (the query itself never is).
        """
        flags(include_copies=include_copies)
        filters = _filters(self._context.owner, user_id, session_id, project_id, role, since, until)
        return self._find(query, filters, limit, cursor, highlight, by_session=True, include_copies=include_copies)

    def _find(
        self,
        typed: str,
        filters: dict[str, Any],
        limit: int,
        cursor: str | None,
        highlight: tuple[str, str],
        *,
        by_session: bool,
        include_copies: bool,
    ) -> Page[Any]:
        limit = limited(limit, 200)
        kind = "found sessions" if by_session else "found messages"
        offset = decode_cursor(kind, cursor, int)[0] if cursor is not None else 0
        if not 0 <= offset <= CANDIDATES:
            raise InvalidInput("cursor", NOT_A_CURSOR)
        marks = marks_of(highlight)
        hit = SessionHit if by_session else SearchHit
        if not isinstance(typed, str):
            raise InvalidInput("query", f"must be text, not {type(typed).__name__}")
        query = parse(typed)
        if not query.groups:
            return Page[hit](items=())  # type: ignore[valid-type]  # parametrised by what is found
        scope = _scope(tuple(filters), include_copies=include_copies or "session_id" in filters)
        rows, cut = self._rows(query, filters, scope, limit + 1, offset, by_session=by_session)
        highlighter = Highlighter(query, marks)
        try:
            items = tuple(
                hit.model_validate({**row, "snippet": highlighter.snippet(row["content"])}) for row in rows[:limit]
            )
        except Exception:  # noqa: BLE001 - a damaged value may be of any type; the error holds it
            items = None
        if items is None:
            raise CorruptDatabase("a message that was found is damaged: run `chatledger db check`")
        return Page[hit](  # type: ignore[valid-type]
            items=items,
            next_cursor=encode_cursor(kind, offset + limit) if len(rows) > limit else None,
            truncated=cut,
        )

    def _rows(
        self, query: Query, filters: dict[str, Any], scope: Scope, limit: int, offset: int, *, by_session: bool
    ) -> tuple[list[dict[str, Any]], bool]:
        """The rows of a page and one more, and whether there are older matches that were not read."""
        execute = self._context.execute
        candidates = self._context.dialect.full_text.candidates(
            query, scope, filters, self._size_of_scope(filters), execute
        )
        if candidates is None:
            return [], False
        parameters = {**candidates.parameters, "limit": limit, "offset": offset}
        rows = [dict(row) for row in execute(_page(candidates.statement, by_session=by_session), parameters).mappings()]
        cut = bool(rows) and rows[0]["matched"] > CANDIDATES
        if not cut and candidates.was_cut is not None:
            cut = bool(execute(candidates.was_cut, parameters).scalar_one())
        return rows, cut

    def _size_of_scope(self, filters: dict[str, Any]) -> int | None:
        """How many messages the scope holds, or None if that would take long to count."""
        named = tuple(name for name in (*_OF_SESSIONS, "session_id") if name in filters)
        if not named:
            return None
        row = self._context.execute(_size(named), filters).one()
        return None if row.sessions > _COUNTED else int(row.messages or 0)


def _filters(
    owner: str | None,
    user_id: str | None,
    session_id: str | None,
    project_id: str | None,
    role: RoleLike | None,
    since: datetime | None,
    until: datetime | None,
) -> dict[str, Any]:
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


@cache
def _scope(names: tuple[str, ...], *, include_copies: bool) -> Scope:
    """The scope of a search with the filters of these names."""
    filters = [_CONDITIONS[name] for name in names]
    if not include_copies:
        filters.append(_is_original(names))
    return Scope(messages, sessions, _is_live(sessions), tuple(filters))


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
        *(original.c[column] == bindparam(name) for name, column in _OF_SESSIONS.items() if name in names),
    )
    return messages.c.copied_from.is_(None) | found.correlate(messages).scalar_subquery().is_(None)


@cache
def _size(names: tuple[str, ...]) -> Select[Any]:
    """Count the sessions that the filters of these names let through, and their messages."""
    few = select(sessions.c.message_count).limit(_COUNTED + 1)
    for name in names:
        few = few.where(sessions.c[_OF_SESSIONS.get(name, name)] == bindparam(name))
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


@cache
def _page(statement: Select[Any], *, by_session: bool) -> Select[Any]:
    """A page of the candidates. Texts are read for the page alone, not for all that were ranked."""
    candidates = statement.cte("candidates")
    found: FromClause = candidates
    hits: ColumnElement[int] = literal_column("1", Integer)
    if by_session:
        of_session: dict[str, Any] = {"partition_by": candidates.c.session_id}
        found = select(
            *candidates.c,
            func.count().over(**of_session).label("hits"),
            func.row_number().over(**of_session, order_by=_ranked(candidates)).label("rank_in_session"),
        ).subquery("by_session")
        hits = found.c.hits
    page = (
        select(
            found.c.session_id,
            found.c.sequence_number,
            found.c.created_at,
            found.c.score,
            hits.label("hits"),
            select(func.count()).select_from(candidates).correlate(None).scalar_subquery().label("matched"),
        )
        .order_by(*_ranked(found))
        .limit(bindparam("limit", type_=Integer))
        .offset(bindparam("offset", type_=Integer))
    )
    if by_session:
        page = page.where(found.c.rank_in_session == literal_column("1", Integer))
    shown = page.cte("page")
    return (
        select(
            *shown.c,
            type_coerce(messages.c.role, Text).label(
                "role"
            ),  # as it is stored: a damaged one is reported by its message
            func.substr(messages.c.content, 1, _SNIPPET_FROM).label("content"),
            sessions.c.title,
            sessions.c.user_id,
            sessions.c.project_id,
        )
        .select_from(
            shown.join(
                messages,
                (messages.c.session_id == shown.c.session_id) & (messages.c.sequence_number == shown.c.sequence_number),
            ).join(sessions, sessions.c.session_id == shown.c.session_id)
        )
        .order_by(*_ranked(shown))
    )


def _ranked(rows: FromClause) -> list[ColumnElement[Any]]:
    """The order of a result: the best first, of equals the newest."""
    return [rows.c.score.desc(), rows.c.created_at.desc(), rows.c.session_id, rows.c.sequence_number]
