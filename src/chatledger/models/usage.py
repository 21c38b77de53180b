"""What is used, by quarter of an hour, kept by triggers; and the names of the views over it."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Counter, MoneyTotal, OfSession, Whole

#: What `alembic/versions/0004_views.py` makes for those who bring their own SQL.
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

    session_id: Mapped[OfSession]
    #: Quarters of an hour since 1970 in UTC.
    quarter: Mapped[Whole] = mapped_column(types.Whole, primary_key=True, autoincrement=False)
    role: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    #: The messages' own model, or '' where they have none and the session's counts.
    model_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    #: 1 for messages that are copies of others, else 0.
    copied: Mapped[int] = mapped_column(types.Whole, primary_key=True, autoincrement=False)
    messages: Mapped[Counter]
    input_tokens: Mapped[Counter]
    output_tokens: Mapped[Counter]
    cached_tokens: Mapped[Counter]
    reasoning_tokens: Mapped[Counter]
    total_tokens: Mapped[Counter]
    cost: Mapped[MoneyTotal]
    #: Messages with a cost.
    priced: Mapped[Counter]
    duration_ms: Mapped[Counter]
    #: Messages with a duration.
    timed: Mapped[Counter]
    #: Messages that say how they ended.
    outcomes: Mapped[Counter]
    errors: Mapped[Counter]
    interruptions: Mapped[Counter]
