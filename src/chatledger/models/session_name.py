"""The names of sessions, which triggers keep."""

from __future__ import annotations

from sqlalchemy.orm import Mapped

from chatledger.models.base import Base, Key, PrimaryKey


class SessionName(Base):
    """The name of one session. Triggers on sessions enter it and take it out; nothing else writes it.

    A table of its own, since a unique key of the sessions that does not contain `session_id` could not be sharded.
    """

    __tablename__ = "chatledger_session_names"
    __table_args__ = ({"info": {"distribution": "root"}},)

    user_id: Mapped[PrimaryKey]
    """The owner of the session, or '' if it has none."""
    project_id: Mapped[PrimaryKey]
    """The project of the session, or '' if it has none."""
    name: Mapped[PrimaryKey]
    session_id: Mapped[Key]
