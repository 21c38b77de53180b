"""Copies of messages that a flush deletes: one of them becomes the original."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session as OrmSession

from chatledger.dialects import dialect_of
from chatledger.models.copy_promotion import holders, promotion
from chatledger.models.message import Message
from chatledger.models.session import Session
from chatledger.models.writing.context import session_of
from chatledger.models.writing.locking import sessions

# In `Session.info`: the sessions that the flush has deleted, or has deleted messages from.
_DELETED = "chatledger_deleted_from"
_MANY = 500


def install() -> None:
    """Register the events."""
    event.listen(Message, "after_delete", _note, propagate=True)
    event.listen(Session, "after_delete", _note, propagate=True)


def _note(_mapper: Any, _connection: Connection, deleted: Message | Session) -> None:
    session = session_of(deleted)
    noted = session.info.get(_DELETED)
    if noted is None:
        noted = session.info[_DELETED] = set()
        event.listen(session, "after_flush", _pass_on)
        event.listen(session, "after_soft_rollback", _forget)
    noted.add(deleted.session_id)


def _pass_on(session: OrmSession, _flush: Any) -> None:
    deleted = sorted(session.info[_DELETED])
    session.info[_DELETED].clear()
    for start in range(0, len(deleted), _MANY):
        some = deleted[start : start + _MANY]
        connection = session.connection()
        found = connection.scalars(holders(some)).all()
        for session_id in found:
            dialect_of(connection.dialect.name).lock_row(
                connection, sessions, sessions.c.session_id == session_id, (sessions.c.status,)
            )
        if found:
            connection.execute(promotion(some))


def _forget(session: OrmSession, _transaction: Any) -> None:
    session.info[_DELETED].clear()
