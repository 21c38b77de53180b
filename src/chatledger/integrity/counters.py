"""Counters of sessions against their messages, and numbers against what was handed out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Text, and_, bindparam, case, func, or_, select, type_coerce, update

from chatledger.dialects.constructs import greatest, hour_of
from chatledger.dialects.types import Identifier, Whole
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages, sessions

_COUNTED = ("message_count", "total_tokens", "total_duration_ms", "total_cost")


class Wrong(NamedTuple):
    """A session whose figures are not those of its messages."""

    session_id: str
    counters: tuple[str, ...]
    """The counters that are wrong."""
    message: str
    """What is wrong, in numbers."""
    behind: bool
    """The last number is below one that was handed out."""


def wrong(context: ServiceContext) -> Iterator[Wrong]:
    """Every session whose figures are not those of its messages."""
    for row in context.execute(_WRONG):
        counters = {
            name: f"{name} is {getattr(row, name)} and should be {getattr(row, f'real_{name}')}"
            for name in _COUNTED
            if getattr(row, name) != getattr(row, f"real_{name}")
        }
        if row.early:
            counters["last_activity"] = "last_activity is before the newest message"
        if row.hour_differs:
            counters["activity_hour"] = "activity_hour is not that of last_activity"
        if counters:
            yield Wrong(row.session_id, tuple(counters), "; ".join(counters.values()), behind=False)
        if row.behind:
            message = f"last_sequence is {row.last_sequence}, and there is a message {row.highest}"
            yield Wrong(row.session_id, (), message, behind=True)


def below_one(context: ServiceContext) -> Iterator[tuple[str, int]]:
    """Messages with an invalid number: session and number."""
    for row in context.execute(_BELOW_ONE):
        yield row.session_id, row.sequence_number


def recount(context: ServiceContext, session_ids: Sequence[str]) -> None:
    """Set the counters of sessions to what their messages say, and raise their last numbers."""
    if session_ids:
        context.execute(_RECOUNT, [{"session": session_id} for session_id in session_ids])


_tokens = func.coalesce(
    messages.c.tokens_used,
    func.coalesce(messages.c.input_tokens, 0) + func.coalesce(messages.c.output_tokens, 0),
)
_real = {
    "message_count": func.count(),
    "total_tokens": func.coalesce(func.sum(_tokens), 0),
    "total_duration_ms": func.coalesce(func.sum(messages.c.duration_ms), 0),
    "total_cost": func.coalesce(func.sum(type_coerce(messages.c.cost, Whole)), 0),
}
_rows = (
    select(
        messages.c.session_id,
        *(expression.label(name) for name, expression in _real.items()),
        func.max(messages.c.sequence_number).label("highest"),
        func.max(type_coerce(messages.c.created_at, Text)).label("newest"),
    )
    .group_by(messages.c.session_id)
    .subquery()
)
_stored = {name: type_coerce(sessions.c[name], Whole) for name in _COUNTED}
_counted = {name: func.coalesce(_rows.c[name], 0) for name in _COUNTED}
_early = func.coalesce(_rows.c.newest > type_coerce(sessions.c.last_activity, Text), False)
_behind = or_(sessions.c.last_sequence < func.coalesce(_rows.c.highest, 0), sessions.c.last_sequence < 0)
_hour = func.coalesce(type_coerce(sessions.c.activity_hour, Text) != hour_of(sessions.c.last_activity), True)
_WRONG = (
    select(
        sessions.c.session_id,
        *(column.label(name) for name, column in _stored.items()),
        *(column.label(f"real_{name}") for name, column in _counted.items()),
        sessions.c.last_sequence,
        _rows.c.highest,
        _early.label("early"),
        _behind.label("behind"),
        _hour.label("hour_differs"),
    )
    .select_from(sessions.outerjoin(_rows, _rows.c.session_id == sessions.c.session_id))
    .where(or_(*(_stored[name] != _counted[name] for name in _COUNTED), _early, _behind, _hour))
    .order_by(sessions.c.session_id)
)
_BELOW_ONE = (
    select(messages.c.session_id, messages.c.sequence_number)
    .where(messages.c.sequence_number < 1)
    .order_by(messages.c.session_id, messages.c.sequence_number)
)

_MINE = messages.c.session_id == sessions.c.session_id
_SESSION = bindparam("session", type_=Identifier())


def _of_messages(expression: Any) -> Any:
    return select(expression).select_from(messages).where(_MINE).correlate(sessions).scalar_subquery()


_newest = _of_messages(func.max(messages.c.created_at))
_RECOUNT = (
    update(sessions)
    .where(sessions.c.session_id == _SESSION)
    .values(
        {
            **{sessions.c[name]: _of_messages(expression) for name, expression in _real.items()},
            sessions.c.last_sequence: greatest(
                sessions.c.last_sequence, func.coalesce(_of_messages(func.max(messages.c.sequence_number)), 0)
            ),
            # It may lie later than the newest message: the session was resumed, or messages were deleted.
            sessions.c.last_activity: case(
                (and_(_newest.is_not(None), _newest > sessions.c.last_activity), _newest),
                else_=sessions.c.last_activity,
            ),
        }
    )
)
