"""Metadata of a session: a JSON value under a key."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Json, OfSession, Stamped


class SessionMetadata(Base):
    """One entry."""

    __tablename__ = "chatledger_session_metadata"
    __table_args__ = {"info": {"distribution": "session"}}  # noqa: RUF012 - SQLAlchemy's own form

    session_id: Mapped[OfSession]
    key: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    value: Mapped[Json]
    updated_at: Mapped[Stamped]
