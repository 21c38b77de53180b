"""Search: the same query language, the same words and the same snippets on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from chatledger.dialects.full_text import CANDIDATES, Asked, Wanted
from chatledger.dialects.types import to_moment
from chatledger.enums import Role, RoleLike
from chatledger.errors import CorruptDatabase, InvalidInput
from chatledger.full_text.parts import texts_of
from chatledger.full_text.query import Query, Term, parse
from chatledger.schemas import Page, SearchHit, SessionHit
from chatledger.schemas.fields import flags
from chatledger.schemas.search import MATCHES
from chatledger.services.base import Service
from chatledger.services.pagination import NOT_A_CURSOR, decode_cursor, encode_cursor, limited
from chatledger.services.search import sessions as conversations
from chatledger.services.search.filters import Include, filters_of_call, marks_of, scope_of, size_of, with_typed
from chatledger.services.search.qualifiers import filters_of, names_of
from chatledger.services.search.reader import SearchReader
from chatledger.services.search.snippets import Highlighter
from chatledger.services.search.statements import SHOWN, opening_messages, shown_messages

_MESSAGES, _SESSIONS = "found messages", "found sessions"


class Search(Service):
    """Finds messages and conversations by their words.

    Query language: words (all of them), "phrases", -excluded, either OR or, beg*, and code as it is typed (C++, a_b,
    #123). Words are found as they are written and in their English inflections; case and accents do not matter. Text
    without spaces between words (Chinese, Japanese, Thai …) is found by any part of it. `role:user`, `tool:search`,
    `model:gpt-5`, `user:ada`, `title:trip`, `after:2026-05-01` and `before:7d` narrow the search.

    Nothing that is typed is an error; a query that asks for nothing finds nothing. Messages of expired sessions are left
    out. The newest 2,000 messages that match are ranked; `Page.truncated` says when there were more.
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
        include_hidden: bool = False,
        limit: int = 20,
        cursor: str | None = None,
        highlight: tuple[str, str] = ("**", "**"),
    ) -> Page[SearchHit]:
        """Messages that match, best first, with the place of the match between two marks.

        Messages with the words as they were typed come before those with other forms of them, and those before messages
        with words that only begin so. Then the best message of each session comes before the others of any session;
        then the score counts, and of equal scores the time, newest first.

        A message is searched with the text of its payload: parts, tools, their arguments and results, attachments.

        A query that asks for words of the title alone, such as `title:trip`, returns the first message of each session
        that it finds. One with other conditions alone, such as `role:user`, finds nothing: `messages.history` and
        `sessions.list` list what is there.

        `since` is the earliest message wanted, `until` the first not wanted. Pages are a view of the moment: messages
        added between two pages may move others.

        A message that forks, restored copies or imported branches hold as well is found once, as the original. A copy is
        found where its original is not among the messages that are searched: with `session_id`, which searches all of a
        session, or when the original's session has expired or has another owner or project than the filters say.
        `include_copies=True` finds every copy. Messages that are hidden from people are found with `include_hidden=True`.

        Raises:
            InvalidInput: an invalid filter (the query itself never is).
        """
        flags(include_copies=include_copies, include_hidden=include_hidden)
        given = filters_of_call(self._context.owner, user_id, session_id, project_id, role, since, until)
        include = Include(include_copies or session_id is not None, include_hidden)
        limit, offset, marks = limited(limit, 200), _offset(_MESSAGES, cursor), marks_of(highlight)
        asked, filters = self._read(query, given)
        if filters is not None and asked.titles and not asked.groups and not asked.excluded:
            return self._openings(asked, filters, include, limit, offset, marks)
        if filters is None or not asked.groups:
            return Page[SearchHit](items=())
        reader = SearchReader(self._context)
        wanted = Wanted(limit + 1, offset, "session_id" in filters, SHOWN)
        rows, cut = self._context.dialect.full_text.messages(
            reader, Asked(asked, scope_of(names_of(filters), include), filters, size_of(reader, filters)), wanted
        )
        highlighter = Highlighter(asked, marks)
        items = _readable(lambda: tuple(_hit(highlighter, row) for row in rows[:limit]))
        cursor = encode_cursor(_MESSAGES, offset + limit) if len(rows) > limit else None
        return Page[SearchHit](items=items, next_cursor=cursor, truncated=cut)

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
        include_hidden: bool = False,
        limit: int = 20,
        cursor: str | None = None,
        highlight: tuple[str, str] = ("**", "**"),
    ) -> Page[SessionHit]:
        """Conversations that have all the words, each once: in one message, or spread over messages, title and system
        prompt.

        Sessions with the words in their title come first, then those with all of them in one message, then those where
        they are spread. With `role`, `since`, `until`, `role:`, `model:`, `after:` or `before:` only messages count.
        A session with an excluded word in any message is left out. Of each word, the newest 20,000 messages are read.

        Raises:
            InvalidInput: an invalid filter (the query itself never is).
        """
        flags(include_copies=include_copies, include_hidden=include_hidden)
        given = filters_of_call(self._context.owner, user_id, session_id, project_id, role, since, until)
        include = Include(include_copies or session_id is not None, include_hidden)
        limit, offset, marks = limited(limit, 200), _offset(_SESSIONS, cursor), marks_of(highlight)
        asked, filters = self._read(query, given)
        if filters is None or not (asked.groups or asked.titles):
            return Page[SessionHit](items=())
        if not asked.groups:
            asked = Query(tuple((term,) for term in asked.titles), asked.excluded)
        found, cut = conversations.find(self._context, asked, filters, include)
        page = conversations.with_best_message(self._context, asked, found[offset : offset + limit], filters, include)
        highlighter = Highlighter(asked, marks)
        items = _readable(lambda: tuple(self._session_hits(page, highlighter)))
        cursor = encode_cursor(_SESSIONS, offset + limit) if len(found) > offset + limit else None
        return Page[SessionHit](items=items, next_cursor=cursor, truncated=cut)

    def _openings(
        self, asked: Query, filters: dict[str, Any], include: Include, limit: int, offset: int, marks: tuple[str, str]
    ) -> Page[SearchHit]:
        """The first message of each session that was found by its title alone."""
        titled: dict[str, int] = filters["titled"]
        reader = SearchReader(self._context)
        found = dict(map(tuple, reader.rows(opening_messages(scope_of(names_of(filters), include)), filters)))
        places = [(one, found[one]) for one in sorted(titled, key=titled.__getitem__) if one in found]
        page = places[offset : offset + limit]
        rows = {(row[0], row[1]): row for row in reader.rows(*shown_messages(page))} if page else {}
        highlighter = Highlighter(Query(tuple((term,) for term in asked.titles)), marks)
        known = [rows[place] for place in page if place in rows]
        items = _readable(lambda: tuple(_hit(highlighter, [*row[:3], 0.0, titled[row[0]], *row[3:]]) for row in known))
        cursor = encode_cursor(_MESSAGES, offset + limit) if len(places) > offset + limit else None
        return Page[SearchHit](items=items, next_cursor=cursor, truncated=len(titled) > CANDIDATES)

    def _read(self, typed: Any, given: dict[str, Any]) -> tuple[Query, dict[str, Any] | None]:
        """The query and all filters, those that are typed among them; None where these contradict each other."""
        if not isinstance(typed, str):
            raise InvalidInput("query", f"must be text, not {type(typed).__name__}")
        query = parse(typed)
        typed_filters = filters_of(query.qualifiers, self._context.now()) if query.qualifiers else {}
        if typed_filters is None:
            return query, None
        filters = with_typed(given, typed_filters)
        for name, terms in (("titled", query.titles), ("not_titled", query.excluded_titles)):
            if terms:
                groups = tuple((term,) for term in terms) if name == "titled" else (terms,)
                filters[name] = self._titled(groups, given)
        return query, filters

    def _titled(self, groups: tuple[tuple[Term, ...], ...], given: Mapping[str, Any]) -> dict[str, int]:
        """Sessions whose title has all of the groups, the newest 2,000 of those to be seen, with looseness."""
        of_sessions = {name: given[name] for name in ("owner", "user_id", "project_id", "session_id") if name in given}
        scope = scope_of(names_of(of_sessions), Include())
        full_text, reader = self._context.dialect.full_text, SearchReader(self._context)
        statement, parameters = full_text.sessions_with(groups, "title", scope, "title")
        rows = reader.rows(statement, {**of_sessions, **parameters}, by_index=full_text.is_computed(reader))
        return {session_id: looseness for session_id, _, looseness in rows}

    def _session_hits(self, page: list[conversations.Found], highlighter: Highlighter) -> list[SessionHit]:
        texts = conversations.texts_of_sessions(self._context, [one.session_id for one in page]) if page else {}
        places = [(one.session_id, one.sequence_number) for one in page if one.sequence_number]
        rows = SearchReader(self._context).rows(*shown_messages(places)) if places else ()
        messages = {(row[0], row[1]): row for row in rows}
        hits = []
        for one in page:
            session = texts[one.session_id]
            shown = {**session, "role": Role.SYSTEM, "sequence_number": 0, "hits": one.hits}
            if one.sequence_number:
                _, _, created_at, role, content, payload, name, *_ = messages[one.session_id, one.sequence_number]
                shown |= {"sequence_number": one.sequence_number, "role": role, "created_at": to_moment(created_at)}
                snippet = _snippet(highlighter, content, payload, name)
            else:
                known = [text for text in (session["title"], session["system_prompt"]) if text]
                snippet = highlighter.best(known)
            hits.append(
                SessionHit.model_validate(
                    {
                        **shown,
                        "snippet": snippet,
                        "score": one.score,
                        "match": MATCHES[one.looseness],
                        "found_in": one.place,
                    }
                )
            )
        return hits


def _offset(kind: str, cursor: str | None) -> int:
    offset: int = decode_cursor(kind, cursor, int)[0] if cursor is not None else 0
    if not 0 <= offset <= 3 * CANDIDATES:
        raise InvalidInput("cursor", NOT_A_CURSOR)
    return offset


def _hit(highlighter: Highlighter, row: Sequence[Any]) -> SearchHit:
    (session_id, number, created_at, score, looseness, role, content, payload, name, title, user_id, project_id) = row
    return SearchHit.model_validate(
        {
            "session_id": session_id,
            "sequence_number": number,
            "role": role,
            "snippet": _snippet(highlighter, content, payload, name),
            "score": score,
            "match": MATCHES[looseness],
            "created_at": to_moment(created_at),
            "title": title,
            "user_id": user_id,
            "project_id": project_id,
        }
    )


def _snippet(highlighter: Highlighter, content: str, payload: str | None, name: str | None) -> str:
    """Where the query was found in a message: in its content, else in its parts."""
    spans = highlighter.spans(content)
    if not spans and (payload is not None or name is not None):
        for text in texts_of(content, None if payload is None else from_json(payload), name):
            found = [(0, len(text))] if highlighter.is_tool(text) else highlighter.spans(text)
            if found:
                return highlighter.shown(text, found)
    return highlighter.shown(content, spans)


def _readable(hits: Any) -> Any:
    """The hits. A damaged value may be of any type and raise anything, and the error would hold it."""
    try:
        return hits()
    except Exception:  # noqa: BLE001 - see above
        pass
    raise CorruptDatabase("a message that was found is damaged: run `chatledger db check`")
