"""Metadata of a session: a JSON value under a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, PrimaryKey, SessionKey, Stamped, parent

if TYPE_CHECKING:
    from chatledger.models.session import Session


class SessionMetadata(Base):
    """One entry."""

    __tablename__ = "chatledger_session_metadata"
    __table_args__ = (
        # PostgreSQL indexes the beginning of the value (migration 0001).
        Index("ix_chatledger_session_metadata_value", "key", "value", "session_id"),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[SessionKey]
    key: Mapped[PrimaryKey]
    value: Mapped[Any] = mapped_column(types.RequiredDocument)
    """JSON. None is stored as null."""
    updated_at: Mapped[Stamped]

    session: Mapped[Session] = parent("metadata_entries")
