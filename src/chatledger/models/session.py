"""Sessions: one conversation each, with counters that the database keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import FetchedValue, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chatledger.dialects import types
from chatledger.enums import Status
from chatledger.ids import new_id
from chatledger.models.base import (
    Base,
    Counter,
    Json,
    Key,
    MoneyTotal,
    PrimaryKey,
    Stamped,
    Timestamp,
    Whole,
    children,
    one_of,
    parent,
)

if TYPE_CHECKING:
    from chatledger.models.annotation import Annotation
    from chatledger.models.graph import GraphCheckpoint, GraphWrite
    from chatledger.models.message import Message
    from chatledger.models.metadata import SessionMetadata
    from chatledger.models.registry import Model, Project
    from chatledger.models.snapshot import Snapshot
    from chatledger.models.timeout import Timeout
    from chatledger.models.usage import SessionUsage


class Session(Base):
    """One conversation.

    `message_count`, the totals, `last_sequence` and `last_activity` are kept by triggers on `messages` and are never
    written by the services or through the ORM. `last_sequence` only rises, so that a number is never handed out twice.
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
        Index("ix_chatledger_sessions_created", "created_at", "session_id"),
        Index("ix_chatledger_sessions_user_created", "user_id", "created_at", "session_id"),
        Index("ix_chatledger_sessions_name", "name", "session_id", info={"where": "name IS NOT NULL"}),
        Index("ix_chatledger_sessions_user_name", "user_id", "name", info={"where": "name IS NOT NULL"}),
        Index("ix_chatledger_sessions_parent", "parent_id", info={"where": "parent_id IS NOT NULL"}),
        Index("ix_chatledger_sessions_forked_from", "forked_from", info={"where": "forked_from IS NOT NULL"}),
        # What a purge goes by.
        Index("ix_chatledger_sessions_archived_at", "archived_at", "session_id", info={"where": "status = 'archived'"}),
        Index("ix_chatledger_sessions_expired_at", "expired_at", "session_id", info={"where": "status = 'expired'"}),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[PrimaryKey] = mapped_column(default=new_id)
    """Chosen by the caller, or a UUIDv7."""
    user_id: Mapped[Key | None]
    project_id: Mapped[Key | None]
    model_id: Mapped[Key | None]
    title: Mapped[str | None]
    system_prompt: Mapped[str | None]
    status: Mapped[Status] = mapped_column(server_default=text("'active'"))
    context: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    """JSON carried forward from turn to turn, such as an agent's state."""
    message_count: Mapped[Counter]
    total_tokens: Mapped[Counter]
    total_duration_ms: Mapped[Counter]
    total_cost: Mapped[MoneyTotal]
    last_sequence: Mapped[Counter]
    created_at: Mapped[Stamped]
    updated_at: Mapped[Stamped]
    """When a field of the session itself changed; messages do not move it."""
    last_activity: Mapped[Stamped]
    """The newest message, or the creation."""
    expired_at: Mapped[Timestamp | None]
    archived_at: Mapped[Timestamp | None]
    held_at: Mapped[Timestamp | None]
    """Since when nothing automatic touches the session."""
    forked_from: Mapped[Key | None]
    """The session that this one was copied from, which may be gone since, and the last message that was copied."""
    forked_at: Mapped[Whole | None]
    name: Mapped[Key | None]
    """Unique within the user and the project."""
    parent_id: Mapped[Key | None]
    """The session that this one belongs to, which may be gone when it was deleted by SQL."""
    search_title: Mapped[str | None] = mapped_column(deferred=True)
    search_system_prompt: Mapped[str | None] = mapped_column(deferred=True)
    """What full text indexes in place of `title` and `system_prompt`, where those have letters beyond ASCII."""
    activity_hour: Mapped[Any] = mapped_column(types.Hour, server_default=FetchedValue(), deferred=True, nullable=True)
    """The hour of `last_activity`, which a trigger keeps. Lists are indexed by it."""

    messages: Mapped[list[Message]] = children("session", order_by="Message.sequence_number")
    metadata_entries: Mapped[list[SessionMetadata]] = children("session", order_by="SessionMetadata.key")
    timeout: Mapped[Timeout | None] = children("session")
    snapshots: Mapped[list[Snapshot]] = children("session", order_by="Snapshot.snapshot_number")
    annotations: Mapped[list[Annotation]] = children("session", order_by="Annotation.annotation_number")
    graph_checkpoints: Mapped[list[GraphCheckpoint]] = children(
        "session", order_by="GraphCheckpoint.namespace, GraphCheckpoint.checkpoint_id"
    )
    graph_writes: Mapped[list[GraphWrite]] = children(
        "session",
        order_by="GraphWrite.namespace, GraphWrite.checkpoint_id, GraphWrite.task_id, GraphWrite.write_number",
    )
    usage: Mapped[list[SessionUsage]] = relationship(
        order_by="SessionUsage.quarter, SessionUsage.role, SessionUsage.model_id", lazy="raise", viewonly=True
    )
    """What the session used, by quarter of an hour. Triggers keep it."""
    # Names, which need not be there: written as joins, so that they do not depend on a foreign key.
    project: Mapped[Project | None] = parent(
        "sessions", primaryjoin="foreign(Session.project_id) == Project.project_id"
    )
    model: Mapped[Model | None] = parent("sessions", primaryjoin="foreign(Session.model_id) == Model.model_id")
