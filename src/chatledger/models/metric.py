"""Metrics: named numbers, as they were measured."""

from __future__ import annotations

from sqlalchemy import Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Json, Key, Real, Stamped


class Metric(Base):
    """One measurement. What it is tied to it names only; one that names a session goes with it, by a trigger."""

    __tablename__ = "chatledger_performance_metrics"
    __table_args__ = (
        Index("ix_chatledger_performance_metrics_name_at", "name", "at"),
        Index("ix_chatledger_performance_metrics_at", "at"),
        Index("ix_chatledger_performance_metrics_user_id", "user_id", info={"where": "user_id IS NOT NULL"}),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[str | None] = mapped_column(
        types.OptionalIdentifier, primary_key=True, nullable=False, server_default=text("''")
    )
    """None for a measurement of no session. In the key, so that metrics can be distributed by session."""
    metric_id: Mapped[int] = mapped_column(types.Whole, Identity(), primary_key=True)
    name: Mapped[Key]
    value: Mapped[Real]
    unit: Mapped[Key | None]
    user_id: Mapped[Key | None]
    """Whose it is, where no session says so."""
    model_id: Mapped[Key | None]
    project_id: Mapped[Key | None]
    metadata_: Mapped[Json | None] = mapped_column("metadata")
    at: Mapped[Stamped]
