"""The lock under which messages are numbered."""

from __future__ import annotations

from sqlalchemy import Connection

from chatledger.dialects import dialect_of
from chatledger.errors import SessionClosed, SessionNotFound
from chatledger.models.base import table_of
from chatledger.models.session import Session
from chatledger.vocabulary import OPEN

sessions = table_of(Session)


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
