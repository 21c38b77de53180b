"""Deleting messages of a session that stays."""

from __future__ import annotations

from sqlalchemy import bindparam, delete

from chatledger.dialects.types import Whole
from chatledger.services.audit import MESSAGES_DELETED, attribute
from chatledger.services.base import ServiceContext
from chatledger.services.messages.copies import pass_on
from chatledger.services.rows import messages
from chatledger.services.visibility import in_visible_session, visibility_parameters


def remove(context: ServiceContext, session_id: str, number: int | None = None) -> int:
    """Delete one message of a session that is locked, or all of them; return how many there were."""
    parameters = visibility_parameters(context, session_id)
    gone = (
        context.change(_ALL, parameters) if number is None else context.change(_ONE, {**parameters, "number": number})
    )
    if gone:
        attribute(context, session_id, MESSAGES_DELETED)
        pass_on(context, [session_id], None if number is None else [number])
    return gone


_ALL = delete(messages).where(in_visible_session())
_ONE = _ALL.where(messages.c.sequence_number == bindparam("number", type_=Whole))
