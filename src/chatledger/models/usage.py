"""What is used, by quarter of an hour, kept by triggers; and the names of the views over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, relationship

from chatledger.models.base import Base, Counter, MoneyTotal, Number, PrimaryKey, SessionKey

if TYPE_CHECKING:
    from chatledger.models.session import Session

VIEWS = frozenset(
    {
        "chatledger_daily_usage",
        "chatledger_hourly_activity",
        "chatledger_message_costs",
        "chatledger_model_statistics",
        "chatledger_project_usage",
        "chatledger_recent_sessions",
        "chatledger_user_usage",
    }
)
"""What `alembic/versions/0004_views.py` makes for those who bring their own SQL."""


class SessionUsage(Base):
    """How many messages of a session, a quarter of an hour, a role and a model there are, and what they took. Copies of
    other messages are counted in rows of their own.

    Triggers on `messages` keep it, so that statistics add up few rows; services never write it but in a repair. Any
    zone's days fold exactly from quarters: every time zone since 1972 lies whole quarters from UTC.
    """

    __tablename__ = "chatledger_session_usage"
    __table_args__ = (
        # Not covering: an index that holds a measure would be rewritten by every append.
        Index("ix_chatledger_session_usage_quarter", "quarter"),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[SessionKey]
    quarter: Mapped[Number]
    """Quarters of an hour since 1970 in UTC."""
    role: Mapped[PrimaryKey]
    model_id: Mapped[PrimaryKey]
    """The messages' own model, or '' where they have none and the session's counts."""
    copied: Mapped[Number]
    """1 for messages that are copies of others, else 0."""
    messages: Mapped[Counter]
    input_tokens: Mapped[Counter]
    output_tokens: Mapped[Counter]
    cached_tokens: Mapped[Counter]
    cache_write_tokens: Mapped[Counter]
    reasoning_tokens: Mapped[Counter]
    total_tokens: Mapped[Counter]
    cost: Mapped[MoneyTotal]
    priced: Mapped[Counter]
    """Messages with a cost."""
    duration_ms: Mapped[Counter]
    timed: Mapped[Counter]
    """Messages with a duration."""
    outcomes: Mapped[Counter]
    """Messages that say how they ended."""
    errors: Mapped[Counter]
    interruptions: Mapped[Counter]

    session: Mapped[Session] = relationship(lazy="raise", viewonly=True)
