"""The audit log: what was done to sessions, by whom, when and why. It holds no content."""

from __future__ import annotations

from sqlalchemy import Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Json, Key, Stamped, Whole


class AuditEntry(Base):
    """One act. Outlives the session that it is about, so it refers to it by name only."""

    __tablename__ = "chatledger_audit_log"
    __table_args__ = (
        Index("ix_chatledger_audit_log_at", "at"),
        Index("ix_chatledger_audit_log_user_id", "user_id"),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[str | None] = mapped_column(
        types.OptionalIdentifier, primary_key=True, nullable=False, server_default=text("''")
    )
    """None for an act on no single session. In the key, so that the log can be distributed by session."""
    audit_id: Mapped[int] = mapped_column(types.Whole, Identity(), primary_key=True)
    at: Mapped[Stamped]
    action: Mapped[str]
    """Such as `session.deleted`."""
    actor: Mapped[str | None]
    """Who: given to `begin(actor=…)`, empty for raw SQL."""
    reason: Mapped[str | None]
    user_id: Mapped[Key | None]
    count: Mapped[Whole] = mapped_column(server_default=text("1"))
    """How many rows it concerned."""
    details: Mapped[Json | None]
