"""Copies of messages, and which of them takes the place of an original that is deleted.

A copy names its original and never another copy (`Message.copied_from`, `copied_sequence`), so that statistics and search
count a message once. When the original is deleted, the copy with the smallest session id and number becomes the original,
and the other copies name it. Here, below the services, because the ORM deletes messages, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, and_, case, exists, func, null, select, update

from chatledger.models import tables

messages = tables.messages
_original = messages.alias("original")


def without_original(
    session_ids: Sequence[str] | None = None, numbers: Sequence[int] | None = None, *, changed: bool = False
) -> ColumnElement[bool]:
    """The condition on copies whose original is gone. Limited to originals of some sessions, and of some numbers.

    `changed`: the originals exist and say something else now, so that all their copies are meant.
    """
    there = exists(
        select(1).where(
            _original.c.session_id == messages.c.copied_from, _original.c.sequence_number == messages.c.copied_sequence
        )
    )
    conditions: list[ColumnElement[bool]] = [messages.c.copied_from.is_not(None)]
    if not changed:
        conditions.append(~there)
    if session_ids is not None:
        conditions.append(messages.c.copied_from.in_(list(session_ids)))
    if numbers is not None:
        conditions.append(messages.c.copied_sequence.in_(list(numbers)))
    return and_(*conditions)


def holders(
    session_ids: Sequence[str] | None = None, numbers: Sequence[int] | None = None, *, changed: bool = False
) -> Select[Any]:
    """The sessions that hold such copies, in the order of their ids. One look into an index where there are none."""
    lost = without_original(session_ids, numbers, changed=changed)
    return select(messages.c.session_id).where(lost).distinct().order_by(messages.c.session_id)


def promotion(
    session_ids: Sequence[str] | None = None, numbers: Sequence[int] | None = None, *, changed: bool = False
) -> Update:
    """The statement that makes one of the copies of each lost original the original, and has the others name it."""
    # A message without a digest holds the totals of an erased user, and no text that a search could find.
    window: dict[str, Any] = {
        "partition_by": (messages.c.copied_from, messages.c.copied_sequence),
        "order_by": (
            case((messages.c.digest.is_(None), 1), else_=0),
            messages.c.session_id,
            messages.c.sequence_number,
        ),
    }
    lost = (
        select(
            messages.c.session_id,
            messages.c.sequence_number,
            func.first_value(messages.c.session_id).over(**window).label("heir"),
            func.first_value(messages.c.sequence_number).over(**window).label("heir_number"),
            func.row_number().over(**window).label("place"),
        )
        .where(without_original(session_ids, numbers, changed=changed))
        .subquery("lost")
    )
    return (
        update(messages)
        .where(messages.c.session_id == lost.c.session_id, messages.c.sequence_number == lost.c.sequence_number)
        .values(
            copied_from=case((lost.c.place == 1, null()), else_=lost.c.heir),
            copied_sequence=case((lost.c.place == 1, null()), else_=lost.c.heir_number),
        )
    )
