"""What a search shows of messages and sessions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, bindparam, func, or_, select, type_coerce

from chatledger.dialects.constructs import is_among, json_text
from chatledger.dialects.full_text import Scope
from chatledger.dialects.types import Names
from chatledger.full_text.normalization import INDEXED
from chatledger.services.rows import messages, sessions

SHOWN: tuple[ColumnElement[Any], ...] = (
    # As it is stored: a damaged one is reported by its message.
    type_coerce(messages.c.role, Text).label("role"),
    func.substr(messages.c.content, 1, INDEXED).label("content"),
    json_text(messages.c.payload).label("payload"),
    messages.c.name,
    sessions.c.title,
    sessions.c.user_id,
    sessions.c.project_id,
)
"""What a hit shows of a message and its session."""
# Statements are made for this many places; those that are left over repeat the first.
_SIZES = (5, 20, 60, 200)

SESSIONS: Select[Any] = select(
    sessions.c.session_id,
    sessions.c.created_at,
    sessions.c.system_prompt,
    sessions.c.title,
    sessions.c.user_id,
    sessions.c.project_id,
).where(is_among(sessions.c.session_id, bindparam("sessions", type_=Names())))
"""Sessions, with what a hit shows of them."""


def shown_messages(places: Sequence[tuple[str, int]]) -> tuple[Select[Any], dict[str, Any]]:
    """Messages by session and number, with what a hit shows of them."""
    size = next(size for size in _SIZES if size >= len(places))
    bound: dict[str, Any] = {}
    for number in range(size):
        bound[f"session_{number}"], bound[f"number_{number}"] = places[number if number < len(places) else 0]
    return _shown_messages(size), bound


@cache
def _shown_messages(size: int) -> Select[Any]:
    """Spelled out, because SQLite uses no index for a list of pairs."""
    these = (
        (messages.c.session_id == bindparam(f"session_{number}"))
        & (messages.c.sequence_number == bindparam(f"number_{number}"))
        for number in range(size)
    )
    return (
        select(messages.c.session_id, messages.c.sequence_number, messages.c.created_at, *SHOWN)
        .select_from(messages.join(sessions, sessions.c.session_id == messages.c.session_id))
        .where(or_(*these))
    )


@cache
def opening_messages(scope: Scope) -> Select[Any]:
    """Each session of the scope, with the number of its first message that the scope lets through."""
    first = (
        select(func.min(messages.c.sequence_number))
        .where(messages.c.session_id == sessions.c.session_id, *scope.of_message)
        .correlate(sessions)
        .scalar_subquery()
    )
    numbered = select(sessions.c.session_id, first.label("first")).where(scope.is_live, *scope.of_session).subquery()
    return select(*numbered.c).where(numbered.c.first.is_not(None))
