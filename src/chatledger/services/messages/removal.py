"""Deleting messages of a session that stays."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, select

from chatledger.dialects.types import Whole
from chatledger.errors import MessageNotFound
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages
from chatledger.services.visibility import in_visible_session, visibility_parameters

# Values that a statement names.
_MANY = 500


def remove(
    context: ServiceContext,
    session_id: str,
    numbers: Sequence[int] | None = None,
    *,
    after: int = 0,
    reason: str | None = None,
) -> int:
    """Delete messages of a session that is locked: those with the numbers, or all behind `after`.

    Returns how many there were.
    """
    # Here, because a program that appends reaches this module and mostly deletes nothing.
    from chatledger.services.audit import MESSAGES_DELETED, attribute  # noqa: PLC0415
    from chatledger.services.messages.copies import pass_on  # noqa: PLC0415

    parameters = visibility_parameters(context, session_id)
    if numbers is None:
        gone = context.change(_AFTER, {**parameters, "after": after})
        if gone:
            attribute(context, session_id, MESSAGES_DELETED, reason=reason)
    else:
        gone = 0
        for start in range(0, len(numbers), _MANY):
            some = messages.c.sequence_number.in_(list(numbers[start : start + _MANY]))
            if count := context.change(_ALL.where(some), parameters):
                attribute(context, session_id, MESSAGES_DELETED, reason=reason)
                gone += count
    if gone:
        pass_on(context, [session_id], numbers)
    return gone


def require_numbers(context: ServiceContext, session_id: str, numbers: Sequence[int]) -> None:
    """Raise MessageNotFound for the first of the numbers that the session has no message of."""
    found: set[int] = set()
    for start in range(0, len(numbers), _MANY):
        some = messages.c.sequence_number.in_(list(numbers[start : start + _MANY]))
        found.update(context.execute(_NUMBERS.where(some), visibility_parameters(context, session_id)).scalars())
    for number in numbers:
        if number not in found:
            raise MessageNotFound(session_id, number)


def newest(context: ServiceContext, session_id: str) -> int:
    """The number of the newest message, or 0."""
    return int(context.execute(_NEWEST, visibility_parameters(context, session_id)).scalar_one() or 0)


_ALL = delete(messages).where(in_visible_session())
_AFTER = _ALL.where(messages.c.sequence_number > bindparam("after", type_=Whole))
_NUMBERS = select(messages.c.sequence_number).where(in_visible_session())
_NEWEST = select(func.max(messages.c.sequence_number)).where(in_visible_session())
