"""Search over messages: the same query language, the same words and the same snippets on both databases."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, func, select, text

from chatledger.dialects.full_text import CANDIDATES, LIVE, Query, Scope, parse
from chatledger.dialects.types import Timestamp
from chatledger.enums import Role
from chatledger.errors import CorruptDatabase, InvalidInput
from chatledger.schemas import Page, SearchHit, SessionHit
from chatledger.schemas.fields import flags, identifier, moment
from chatledger.services.base import Service
from chatledger.services.pagination import NOT_A_CURSOR, limited, pack, unpack
from chatledger.services.rows import sessions
from chatledger.services.search.snippets import Highlighter

#: What each filter adds to the statement. Values are bound; nothing that a user types is spelled into SQL.
_CONDITIONS = {
    "owner": "s.user_id = :owner",
    "user_id": "s.user_id = :user_id",
    "project_id": "s.project_id = :project_id",
    "session_id": "m.session_id = :session_id",
    "role": "m.role = :role",
    "since": "m.created_at >= :since",
    "until": "m.created_at < :until",
}

#: A copy is left out where its original is in the scope of the search, too. Role and time of both are the same.
#: A subquery with one value, because PostgreSQL may read all sessions for an EXISTS.
_ORIGINAL = "SELECT o.session_id FROM chatledger_sessions AS o WHERE o.session_id = m.copied_from"
_OF_SESSIONS = ("owner", "user_id", "project_id")

#: Characters of a message that a snippet is looked for in; as many as PostgreSQL indexes.
_SNIPPET_FROM = 100_000
#: Sessions whose messages are counted to choose a plan; a scope of more is not small.
_COUNTED = 500

_ORDER = "score DESC, created_at DESC, session_id, sequence_number"


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
        role: Role | str | None = None,
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
        role: Role | str | None = None,
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
        offset = unpack(kind, cursor, int)[0] if cursor is not None else 0
        if not 0 <= offset <= CANDIDATES:
            raise InvalidInput("cursor", NOT_A_CURSOR)
        marks = marks_of(highlight)
        hit = SessionHit if by_session else SearchHit
        if not isinstance(typed, str):
            raise InvalidInput("query", f"must be text, not {type(typed).__name__}")
        query = parse(typed)
        if not query.groups:
            return Page[hit](items=())  # type: ignore[valid-type]  # parametrised by what is found
        conditions = [_CONDITIONS[name] for name in filters]
        if not include_copies and "session_id" not in filters:
            conditions.append(_is_original(filters))
        rows, cut = self._rows(query, filters, tuple(conditions), limit + 1, offset, by_session=by_session)
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
            next_cursor=pack(kind, offset + limit) if len(rows) > limit else None,
            truncated=cut,
        )

    def _rows(
        self,
        query: Query,
        filters: dict[str, Any],
        conditions: tuple[str, ...],
        limit: int,
        offset: int,
        *,
        by_session: bool,
    ) -> tuple[list[dict[str, Any]], bool]:
        """The rows of a page, one more than it holds, and whether older matches were not looked at."""
        scope = Scope(
            conditions=conditions,
            parameters=filters,
            messages_in_scope=self._size_of_scope(filters),
        )
        candidates = self._context.dialect.full_text.candidates(query, scope, self._context.execute)
        if candidates is None:
            return [], False
        timed = tuple(name for name in ("since", "until") if name in filters)
        statement = _page(candidates.sql, timed=timed, by_session=by_session)
        parameters = {**candidates.parameters, "limit": limit, "offset": offset}
        rows = [dict(row) for row in self._context.execute(statement, parameters).mappings()]
        cut = bool(rows) and rows[0]["matched"] > CANDIDATES
        if not cut and candidates.cut:
            cut = bool(self._context.execute(text(f"SELECT {candidates.cut}"), parameters).scalar_one())
        return rows, cut

    def _size_of_scope(self, filters: dict[str, Any]) -> int | None:
        """How many messages the scope holds, where that is quick to know."""
        chosen = [name for name in ("session_id", "owner", "user_id", "project_id") if name in filters]
        if not chosen:
            return None
        rows = select(sessions.c.message_count).limit(_COUNTED + 1)
        for name in chosen:
            column = sessions.c["user_id" if name == "owner" else name]
            rows = rows.where(column == filters[name])
        few = rows.subquery()
        counted = select(func.count().label("sessions"), func.sum(few.c.message_count).label("messages"))
        row = self._context.execute(counted.select_from(few)).one()
        return None if row.sessions > _COUNTED else int(row.messages or 0)


def _filters(
    owner: str | None,
    user_id: str | None,
    session_id: str | None,
    project_id: str | None,
    role: Role | str | None,
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


def _is_original(filters: dict[str, Any]) -> str:
    """The condition that leaves copies out whose original is found in their place."""
    wanted = [LIVE, *(_CONDITIONS[name] for name in _OF_SESSIONS if name in filters)]
    there = " AND ".join(condition.replace("s.", "o.", 1) for condition in wanted)
    return f"(m.copied_from IS NULL OR ({_ORIGINAL} AND {there}) IS NULL)"


def marks_of(given: Any) -> tuple[str, str]:
    """What stands before and after a match. Raises InvalidInput where that is not two texts."""
    if isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(mark, str) for mark in given):
        return given[0], given[1]
    raise InvalidInput("highlight", "must be two texts: what stands before a match and what after it")


@cache
def _page(candidates: str, *, timed: tuple[str, ...], by_session: bool) -> Any:
    """A page of the candidates. Texts are read for the page alone, not for all that were ranked."""
    picked = f"""
        SELECT c.session_id, c.sequence_number, c.created_at, c.score, 1 AS hits,
            (SELECT count(*) FROM candidates) AS matched
        FROM candidates AS c
        ORDER BY {_qualified("c")} LIMIT :limit OFFSET :offset"""
    if by_session:
        picked = f"""
        SELECT b.session_id, b.sequence_number, b.created_at, b.score, b.hits,
            (SELECT count(*) FROM candidates) AS matched
        FROM (
            SELECT c.*, count(*) OVER (PARTITION BY c.session_id) AS hits,
                row_number() OVER (PARTITION BY c.session_id ORDER BY {_ORDER}) AS place
            FROM candidates AS c
        ) AS b WHERE b.place = 1
        ORDER BY {_qualified("b")} LIMIT :limit OFFSET :offset"""
    statement = text(
        f"""WITH candidates AS ({candidates}), page AS ({picked})
        SELECT p.session_id, p.sequence_number, p.created_at, p.score, p.hits, p.matched,
            m.role, substr(m.content, 1, {_SNIPPET_FROM}) AS content, s.title, s.user_id, s.project_id
        FROM page AS p
        JOIN chatledger_messages AS m ON m.session_id = p.session_id AND m.sequence_number = p.sequence_number
        JOIN chatledger_sessions AS s ON s.session_id = p.session_id
        ORDER BY {_qualified("p")}"""
    ).bindparams(*(bindparam(name, type_=Timestamp()) for name in timed))
    return statement.columns(created_at=Timestamp())


def _qualified(alias: str) -> str:
    return ", ".join(f"{alias}.{part}" for part in _ORDER.split(", "))
