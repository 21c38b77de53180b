"""Sessions: one conversation each, with counters that the database keeps."""

from __future__ import annotations

from typing import Any

from sqlalchemy import FetchedValue, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Counter, Json, MoneyTotal, Stamped, Timestamp, one_of
from chatledger.vocabulary import Status


class Session(Base):
    """One conversation.

    `message_count`, the totals, `last_sequence` and `last_activity` are kept by triggers on `messages` and are never
    written by the services. `last_sequence` only rises, so that a number is never handed out twice.
    """

    __tablename__ = "chatledger_sessions"
    __table_args__ = (
        one_of("status", Status),
        # Recency is indexed by the hour: an index on last_activity itself would be rewritten by every append.
        Index("ix_chatledger_sessions_activity", "activity_hour"),
        Index("ix_chatledger_sessions_user_activity", "user_id", "activity_hour"),
        Index("ix_chatledger_sessions_project_activity", "project_id", "activity_hour"),
        Index("ix_chatledger_sessions_model_activity", "model_id", "activity_hour"),
        Index("ix_chatledger_sessions_active_activity", "activity_hour", info={"where": "status = 'active'"}),
        Index(
            "ix_chatledger_sessions_resting_activity", "activity_hour", info={"where": "status IN ('idle', 'paused')"}
        ),
        # What a purge goes by.
        Index("ix_chatledger_sessions_archived_at", "archived_at", "session_id", info={"where": "status = 'archived'"}),
        Index("ix_chatledger_sessions_expired_at", "expired_at", "session_id", info={"where": "status = 'expired'"}),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    user_id: Mapped[str | None] = mapped_column(types.Identifier)
    project_id: Mapped[str | None] = mapped_column(types.Identifier)
    model_id: Mapped[str | None] = mapped_column(types.Identifier)
    title: Mapped[str | None]
    system_prompt: Mapped[str | None]
    status: Mapped[Status] = mapped_column(types.Word(Status), server_default=text("'active'"))
    #: JSON carried forward from turn to turn, such as an agent's state.
    context: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    message_count: Mapped[Counter]
    total_tokens: Mapped[Counter]
    total_duration_ms: Mapped[Counter]
    total_cost: Mapped[MoneyTotal]
    last_sequence: Mapped[Counter]
    created_at: Mapped[Stamped]
    #: When a field of the session itself changed; messages do not move it.
    updated_at: Mapped[Stamped]
    #: The newest message, or the creation.
    last_activity: Mapped[Stamped]
    expired_at: Mapped[Timestamp | None]
    archived_at: Mapped[Timestamp | None]
    #: Since when nothing automatic touches the session.
    held_at: Mapped[Timestamp | None]
    #: The session that this one was copied from, which may be gone since, and the last message that was copied.
    forked_from: Mapped[str | None] = mapped_column(types.Identifier)
    forked_at: Mapped[int | None] = mapped_column(types.Whole)
    #: The hour of `last_activity`, which a trigger keeps: what lists are indexed by.
    activity_hour: Mapped[Any] = mapped_column(types.Hour, server_default=FetchedValue(), deferred=True, nullable=True)
