"""Conversations with all words of a query: in one message, or spread over messages, the title and the system prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, intersect, select, union

from chatledger.dialects.full_text import LIMIT, Asked, Scope
from chatledger.dialects.types import to_moment
from chatledger.full_text.query import Query
from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions
from chatledger.services.search.filters import Include, is_about_messages, scope_of, size_of
from chatledger.services.search.reader import SearchReader
from chatledger.services.search.statements import SESSIONS

# Where the words are, the best first.
TITLE, MESSAGE, MESSAGES = "title", "message", "messages"


@dataclass(frozen=True)
class Found:
    """A session that matches."""

    session_id: str
    looseness: int
    place: str
    """Where all words are: in the title, in one message, or in several places."""
    score: float = 0.0
    created_at: datetime | None = None
    sequence_number: int = 0
    """The best message, or 0 if there is none."""
    hits: int = 0

    @property
    def rank(self) -> tuple[Any, ...]:
        """What results are sorted by."""
        newest = -self.created_at.timestamp() if self.created_at is not None else 0.0
        place = (TITLE, MESSAGE, MESSAGES).index(self.place)
        return self.looseness, place, -self.score, newest, self.session_id


def find(
    context: ServiceContext, query: Query, filters: Mapping[str, Any], include: Include
) -> tuple[list[Found], bool]:
    """Every session that matches, best first, and whether there are older matches that were not read."""
    scope = scope_of(tuple(sorted(filters)), include)
    found, cut = _in_one_message(context, query, scope, filters)
    if not is_about_messages(filters):
        for one in _by_texts(context, query, scope, filters, "title"):
            old = found.get(one.session_id)
            found[one.session_id] = _joined(one, old)
        for one in _by_texts(context, query, scope, filters, None):
            found.setdefault(one.session_id, replace(one, place=MESSAGES))
    if len(query.groups) > 1:
        for row in context.execute(*_spread(context, query, scope, filters)).all():
            found.setdefault(row.session_id, Found(row.session_id, 1, MESSAGES, created_at=row.last_activity))
    for session_id in _excluded(context, query, scope, filters):
        found.pop(session_id, None)
    return sorted(found.values(), key=lambda one: one.rank), cut


def with_best_message(
    context: ServiceContext, query: Query, page: list[Found], filters: Mapping[str, Any], include: Include
) -> list[Found]:
    """For sessions whose words are spread, the newest message with one of them."""
    without = [one.session_id for one in page if not one.sequence_number]
    if not without:
        return page
    any_word = Query((tuple(query.terms()),), query.excluded)
    narrowed = {**{name: value for name, value in filters.items() if name != "titled"}, "titled": without}
    scope = scope_of(tuple(sorted(narrowed)), include)
    best, _ = _in_one_message(context, any_word, scope, narrowed, newest=True)
    return [
        replace(one, sequence_number=message.sequence_number, hits=message.hits, created_at=message.created_at)
        if not one.sequence_number and (message := best.get(one.session_id)) is not None
        else one
        for one in page
    ]


def texts_of_sessions(context: ServiceContext, session_ids: list[str]) -> dict[str, Mapping[str, Any]]:
    """What hits show of sessions."""
    names = tuple(column.name for column in SESSIONS.selected_columns)
    rows = SearchReader(context).rows(SESSIONS, {"sessions": session_ids})
    found = {row[0]: dict(zip(names, row, strict=True)) for row in rows}
    return {session_id: {**row, "created_at": to_moment(row["created_at"])} for session_id, row in found.items()}


def _joined(title: Found, message: Found | None) -> Found:
    if message is None or message.looseness < title.looseness:
        return title if message is None else message
    return replace(message, looseness=title.looseness, place=TITLE)


def _in_one_message(
    context: ServiceContext, query: Query, scope: Scope, filters: Mapping[str, Any], *, newest: bool = False
) -> tuple[dict[str, Found], bool]:
    reader = SearchReader(context)
    asked = Asked(query, scope, filters, size_of(reader, filters))
    rows, is_cut = context.dialect.full_text.sessions(reader, asked, newest=newest)
    return {
        session_id: Found(session_id, looseness, MESSAGE, score, to_moment(created_at), number, hits)
        for session_id, number, created_at, score, looseness, hits, *_ in rows
    }, is_cut


def _by_texts(
    context: ServiceContext, query: Query, scope: Scope, filters: Mapping[str, Any], column: str | None
) -> list[Found]:
    full_text, reader = context.dialect.full_text, SearchReader(context)
    statement, parameters = full_text.sessions_with(query.groups, column, scope, column or "text")
    rows = reader.rows(statement, {**filters, **parameters}, by_index=full_text.is_computed(reader))
    return [
        Found(session_id, looseness, TITLE, created_at=to_moment(created_at))
        for session_id, created_at, looseness in rows
    ]


def _spread(
    context: ServiceContext, query: Query, scope: Scope, filters: Mapping[str, Any]
) -> tuple[Select[Any], dict[str, Any]]:
    """The sessions in which each group is somewhere, newest first."""
    full_text = context.dialect.full_text
    bound = dict(filters)
    places: list[Any] = []
    for number, group in enumerate(query.groups):
        in_messages, parameters = full_text.spread(SearchReader(context), group, number, scope)
        bound |= parameters
        either: Any = in_messages
        if not is_about_messages(filters):
            in_texts, parameters = full_text.sessions_with((group,), None, scope, f"text_{number}")
            bound |= parameters
            of_texts = in_texts.subquery(f"texts_{number}")
            either = union(in_messages, select(of_texts.c.session_id)).subquery(f"either_{number}").select()
        places.append(either)
    everywhere = intersect(*places).subquery("everywhere")
    statement = (
        select(sessions.c.session_id, sessions.c.last_activity)
        .where(sessions.c.session_id.in_(select(everywhere.c.session_id)), scope.is_live, *scope.of_session)
        .order_by(sessions.c.last_activity.desc())
        .limit(LIMIT)
    )
    return statement, bound


def _excluded(context: ServiceContext, query: Query, scope: Scope, filters: Mapping[str, Any]) -> list[str]:
    """Sessions with an excluded word somewhere."""
    words = [term for term in query.excluded if term.literal is None]
    if not words:
        return []
    statement, parameters = context.dialect.full_text.spread(SearchReader(context), words, 0, scope)
    return list(context.execute(statement.distinct(), {**filters, **parameters}).scalars())
