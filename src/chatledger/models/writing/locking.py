"""The locks under which messages are numbered and counters move."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session as OrmSession

from chatledger.dialects import dialect_of
from chatledger.enums import OPEN
from chatledger.errors import SessionClosed, SessionNotFound
from chatledger.models.annotation import Annotation
from chatledger.models.base import table_of
from chatledger.models.message import Message
from chatledger.models.session import Session

sessions = table_of(Session)

# In `Session.info`: an object that stands for the flush that is going on, once it has locked what it writes to.
_FLUSH = "chatledger_flush"


def lock_session(connection: Connection, session_id: str, owner: str | None) -> int:
    """Lock an open session until the transaction ends, and return the number of its newest message.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
        SessionClosed: the session takes no more messages.
    """
    condition = sessions.c.session_id == session_id
    if owner is not None:
        condition &= sessions.c.user_id == owner
    dialect = dialect_of(connection.dialect.name)
    row = dialect.lock_row(connection, sessions, condition, (sessions.c.last_sequence, sessions.c.status))
    if row is None:
        raise SessionNotFound(session_id)
    if row.status not in OPEN:
        raise SessionClosed(session_id, row.status.value)
    return int(row.last_sequence)


def lock_in_order(session: OrmSession, connection: Connection) -> object:
    """Lock the sessions that a flush writes to, where there are several, and return an object that stands for the
    flush.

    Once a flush, and in the same order in all: a message takes the lock of its session, by its number or by the
    triggers that count it, and two flushes that did so in the order of their statements could wait for each other.
    """
    if _FLUSH not in session.info:
        for name in ("after_flush", "after_soft_rollback"):
            event.listen(session, name, _end_flush)
    flush = session.info.get(_FLUSH)
    if flush is not None:
        return flush
    flush = session.info[_FLUSH] = object()
    written = _written(session)
    if len(written) > 1:
        dialect = dialect_of(connection.dialect.name)
        for session_id in sorted(written):
            dialect.lock_row(connection, sessions, sessions.c.session_id == session_id, (sessions.c.status,))
    return flush


def _end_flush(session: OrmSession, _event: Any) -> None:
    session.info[_FLUSH] = None


def _written(session: OrmSession) -> set[str]:
    """The sessions whose rows a flush writes, without those that it inserts, which nobody else can see yet."""
    found: set[str | None] = set()
    inserted: set[str | None] = set()
    for one in session.new:
        if isinstance(one, Session):
            inserted.add(one.session_id)
        elif isinstance(one, Message | Annotation):
            chat = one.__dict__.get("session")
            found.add(one.session_id if chat is None else chat.session_id)
    for one in (*session.dirty, *session.deleted):
        if isinstance(one, Session | Message):
            found.add(one.__dict__.get("session_id"))
    return {session_id for session_id in found - inserted if session_id is not None}
