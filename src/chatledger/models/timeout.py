"""Timeouts: how long a session may lie idle, and how long it may live."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, OfSession, Stamped, Timestamp


class Timeout(Base):
    """The limits of one session. No row: no limits."""

    __tablename__ = "session_timeouts"
    __table_args__ = (
        Index("ix_session_timeouts_next_check_at", "next_check_at"),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[OfSession]
    #: Seconds without activity after which the session is idle.
    idle_limit: Mapped[int | None] = mapped_column(types.Whole)
    #: Seconds after `created_at` at which the session ends, whatever happens in it.
    hard_limit: Mapped[int | None] = mapped_column(types.Whole)
    #: The moment of the hard limit.
    expires_at: Mapped[Timestamp | None]
    #: When the session may first be due. A lower bound: appends do not move it, the sweep that finds it early does, so
    #: that a sweep reads only what may be due and an append never rewrites this index.
    next_check_at: Mapped[Timestamp | None]
    #: When the last warning was sent, and the activity that it was sent for: newer activity arms it again.
    warned_at: Mapped[Timestamp | None]
    warned_for: Mapped[Timestamp | None]
    created_at: Mapped[Stamped]
    updated_at: Mapped[Stamped]
