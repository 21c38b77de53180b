"""Deleting messages of a session that stays."""

from __future__ import annotations

from sqlalchemy import bindparam, delete

from chatledger.dialects.types import Whole
from chatledger.services.audit import MESSAGES_DELETED, attribute
from chatledger.services.copies import pass_on
from chatledger.services.ownership import in_visible_session, place
from chatledger.services.rows import messages
from chatledger.services.work import Work


def remove(work: Work, session_id: str, number: int | None = None) -> int:
    """Delete one message of a session that is locked, or all of them; return how many there were."""
    parameters = place(work, session_id)
    gone = work.change(_ALL, parameters) if number is None else work.change(_ONE, {**parameters, "number": number})
    if gone:
        attribute(work, session_id, MESSAGES_DELETED)
        pass_on(work, [session_id], None if number is None else [number])
    return gone


_ALL = delete(messages).where(in_visible_session())
_ONE = _ALL.where(messages.c.sequence_number == bindparam("number", type_=Whole))
