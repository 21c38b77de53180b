"""Messages that are written while they are generated: begun, saved, finished, and marked when their writer is gone.

The row holds what has come so far and a lease, which each save renews. It is not in the full-text index before its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import bindparam, or_, select, update

from chatledger.dialects.types import Timestamp, Whole
from chatledger.enums import OPEN, Outcome
from chatledger.errors import KeyReused, MessageChanged, MessageNotFound, SessionClosed
from chatledger.schemas import Message, NewMessage
from chatledger.services.base import ServiceContext, logger
from chatledger.services.messages import history
from chatledger.services.messages.append import Append, lock_session, with_keys
from chatledger.services.rows import messages, sessions
from chatledger.services.visibility import (
    SESSION_KEY,
    in_visible_session,
    require_visible,
    this_session,
    visibility_parameters,
)

R = TypeVar("R")

# Messages that a sweep reads at a time.
_PAGE = 500
# Outcomes of messages that a writer may go on writing: a sweep may have marked one whose writer was only slow.
_UNFINISHED = (Outcome.STREAMING, Outcome.INTERRUPTED)


class Run(Protocol):
    """Calls a function with the work of a transaction."""

    def __call__(self, act: Callable[[ServiceContext], R], /) -> R: ...


def begin(context: ServiceContext, session_id: str, message: NewMessage, until: datetime) -> int:
    """Append the first piece. Returns the number of the message.

    A message that was interrupted, or failed, under the same key is written again from its beginning.

    Raises:
        SessionNotFound, SessionClosed, KeyReused
    """
    if message.key is not None:
        lock_session(context, session_id)
        stored = with_keys(context, session_id, [message.key]).get(message.key)
        if stored is not None:
            old = stored.message
            if old.outcome not in (Outcome.INTERRUPTED, Outcome.ERROR):
                raise KeyReused(session_id, message.key, old.sequence_number)
            fields = message.model_dump(include=set(NewMessage.model_fields) - {"key", "created_at"})
            _change(context, old, fields)
            _renew(context, session_id, old.sequence_number, until)
            return old.sequence_number
    number = Append(session_id, message, context.now()).perform(context).sequence_number
    _renew(context, session_id, number, until)
    return number


def save(
    context: ServiceContext,
    session_id: str,
    number: int,
    changes: Mapping[str, Any],
    *,
    until: datetime | None,
) -> Message:
    """Write what has come so far. `until` is when the lease ends, or None at the end of the stream.

    Raises:
        SessionNotFound, SessionClosed
        MessageNotFound: the message was deleted.
        MessageChanged: somebody else has finished the message.
    """
    now = context.now()
    parameters = visibility_parameters(context, session_id)
    # The session first, as an append locks it. Writing is activity.
    locked = context.execute(_LOCK, parameters).one_or_none()
    if locked is None or locked.status not in OPEN:
        status = require_visible(context, session_id).status
        raise SessionClosed(session_id, status.value)
    if locked.last_activity < now:
        context.execute(_TOUCH, {**parameters, "now": now})
    found = history.Read(session_id, history.Bounds(after=number - 1, before=number + 1)).perform(context)
    if not found:
        raise MessageNotFound(session_id, number)
    if found[0].outcome not in _UNFINISHED:
        raise MessageChanged(session_id, number)
    outcome = Outcome.STREAMING if until is not None else changes["outcome"]
    message = _change(context, found[0], {**changes, "outcome": outcome})
    _renew(context, session_id, number, until)
    return message


def interrupt_abandoned(read: Run, run: Run, now: datetime, *, dry_run: bool) -> int:
    """Mark the messages whose lease has run out as interrupted, each in a transaction; return how many."""
    count = 0
    seen: set[tuple[str, int]] = set()
    while True:
        page = [place for place in read(lambda context: _abandoned(context, now)) if place not in seen]
        for place in page:
            seen.add(place)
            if dry_run or run(lambda context, place=place: _interrupt(context, place, now)):  # type: ignore[misc]
                count += 1
        if dry_run or len(page) < _PAGE:
            return count


def _abandoned(context: ServiceContext, now: datetime) -> list[tuple[str, int]]:
    rows = context.execute(_ABANDONED, {"now": now, "owner": context.owner}).all()
    return [(row.session_id, row.sequence_number) for row in rows]


def _interrupt(context: ServiceContext, place: tuple[str, int], now: datetime) -> bool:
    """Whether the message was still abandoned."""
    session_id, number = place
    parameters = visibility_parameters(context, session_id)
    if context.execute(_LOCK, parameters).one_or_none() is None:
        return False
    if context.execute(_STILL, {**parameters, "number": number, "now": now}).one_or_none() is None:
        return False
    old = history.Read(session_id, history.Bounds(after=number - 1, before=number + 1)).perform(context)[0]
    _change(context, old, {"outcome": Outcome.INTERRUPTED})
    _renew(context, session_id, number, None)
    logger.warning("stream abandoned", extra={"session_id": session_id, "sequence_number": number})
    return True


def _renew(context: ServiceContext, session_id: str, number: int, until: datetime | None) -> None:
    context.execute(_RENEW, {**visibility_parameters(context, session_id), "number": number, "until": until})


_NUMBER = bindparam("number", type_=Whole)
_NOW = bindparam("now", type_=Timestamp())
_THIS = in_visible_session() & (messages.c.sequence_number == _NUMBER)
_LOCK = select(sessions.c.status, sessions.c.last_activity).where(this_session()).with_for_update(key_share=True)
_TOUCH = update(sessions).where(sessions.c.session_id == SESSION_KEY).values(last_activity=_NOW)
_RENEW = update(messages).where(_THIS).values(streaming_until=bindparam("until", type_=Timestamp()))
_LAPSED = (messages.c.outcome == Outcome.STREAMING) & or_(
    messages.c.streaming_until.is_(None), messages.c.streaming_until <= _NOW
)
_STILL = select(messages.c.sequence_number).where(_THIS, _LAPSED)
_OWNER = bindparam("owner", type_=sessions.c.user_id.type)
_ABANDONED = (
    select(messages.c.session_id, messages.c.sequence_number)
    .join(sessions, sessions.c.session_id == messages.c.session_id)
    .where(_LAPSED, or_(_OWNER.is_(None), sessions.c.user_id == _OWNER))
    .order_by(messages.c.streaming_until)  # as the index has them, without a sort
    .limit(_PAGE)
)


def _change(context: ServiceContext, message: Message, fields: Mapping[str, Any]) -> Message:
    from chatledger.services.messages.changes import change  # noqa: PLC0415 - every ledger reaches this module

    return change(context, message, fields, reason=None, audited=False)
