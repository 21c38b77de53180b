"""Who may see a session. The condition is part of every statement, so that nothing is fetched first and checked later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, or_, select

from chatledger.dialects.types import Identifier
from chatledger.errors import SessionNotFound
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages, sessions

SESSION_KEY = bindparam("session", type_=Identifier())
_OWNER = bindparam("owner", type_=Identifier())


def visible_to_owner() -> ColumnElement[bool]:
    """The session belongs to the owner of the unit of work, or the unit of work has no owner."""
    return or_(_OWNER.is_(None), sessions.c.user_id == _OWNER)


def this_session() -> ColumnElement[bool]:
    """The session of the statement, if it is visible."""
    return (sessions.c.session_id == SESSION_KEY) & visible_to_owner()


def in_visible_session() -> ColumnElement[bool]:
    """A message of the session of the statement, if it is visible."""
    return (messages.c.session_id == SESSION_KEY) & exists(select(1).where(this_session()))


def visibility_parameters(context: ServiceContext, session_id: str) -> dict[str, Any]:
    """Return the parameters of the conditions above."""
    return {"session": session_id, "owner": context.owner}


def keep_session(statement: Select[Any]) -> Select[Any]:
    """A statement over sessions that holds them until the transaction ends, for rows that refer to them.

    A foreign key alone waits for somebody who deletes a session, and then fails the transaction. This finds the session
    gone. Appends and other changes are not hindered.
    """
    return statement.with_for_update(read=True, key_share=True, of=sessions)


def lock_each(context: ServiceContext, statement: Select[Any], names: Iterable[str], **parameters: Any) -> list[Any]:
    """Run a locking statement for each session by itself, in the order of their ids; the rows that came back.

    The statement binds the session as `SESSION_KEY`. One statement with a list of ids would lock the sessions in whatever
    order it meets them, and could not be sent to one shard.
    """
    found: list[Any] = []
    for name in sorted(names):
        found += context.execute(statement, {**parameters, "session": name}).all()
    return found


_VISIBLE: Select[Any] = select(sessions.c.status, sessions.c.last_sequence, sessions.c.message_count).where(
    this_session()
)


def require_visible(context: ServiceContext, session_id: str) -> Any:
    """Status, last number and count of a session.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
    """
    row = context.execute(_VISIBLE, visibility_parameters(context, session_id)).one_or_none()
    if row is None:
        raise SessionNotFound(session_id)
    return row


_KEPT = keep_session(_VISIBLE)


def require_kept(context: ServiceContext, session_id: str) -> None:
    """Hold a session until the transaction ends, for rows that name it without a foreign key.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
    """
    if context.execute(_KEPT, visibility_parameters(context, session_id)).one_or_none() is None:
        raise SessionNotFound(session_id)
