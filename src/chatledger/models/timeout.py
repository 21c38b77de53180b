"""Timeouts: how long a session may lie idle, and how long it may live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.enums import Scope
from chatledger.models.base import Base, PrimaryKey, SessionKey, Stamped, Timestamp, Whole, one_of, parent

if TYPE_CHECKING:
    from chatledger.models.session import Session


class Timeout(Base):
    """The limits of one session, and when to look at it. No row: no limits.

    A limit that is NULL here is that of the session's user, else its project, else the ledger; 0 is no limit whatever
    those say.
    """

    __tablename__ = "chatledger_session_timeouts"
    __table_args__ = (
        Index("ix_chatledger_session_timeouts_next_check_at", "next_check_at", "session_id"),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[SessionKey]
    idle_limit: Mapped[Whole | None]
    """Seconds without activity after which the session is idle."""
    archive_limit: Mapped[Whole | None]
    """Seconds without activity after which the session is archived."""
    hard_limit: Mapped[Whole | None]
    """Seconds after `created_at` (or after it was reopened) at which the session is archived, whatever happens in
    it.
    """
    warn_before: Mapped[Whole | None]
    """Seconds before a limit at which to warn."""
    expires_at: Mapped[Timestamp | None]
    """The moment of the hard limit, as it was when the session was last looked at."""
    next_check_at: Mapped[Timestamp | None]
    """When the session may first be due. A lower bound: appends do not move it, the sweep that finds it early does,
    so that a sweep reads only what may be due and an append never rewrites this index. NULL where nothing can be
    due.
    """
    warned_at: Mapped[Timestamp | None]
    """When the last warning was sent."""
    warned_for: Mapped[Timestamp | None]
    """The time of the limit that the last warning was about. A later limit is warned of again."""
    idle_from: Mapped[Timestamp | None]
    """Since when inactivity counts, if the last activity is in the future because a writer's clock was wrong: the
    time at which a sweep first saw it.
    """
    idle_sequence: Mapped[Whole | None]
    """The session's last number at `idle_from`, which shows whether it has been active since."""
    hard_from: Mapped[Timestamp | None]
    """Since when the hard limit counts, if not since the creation: since the session was reopened, or since a sweep
    first saw a creation time in the future.
    """
    created_at: Mapped[Stamped]
    updated_at: Mapped[Stamped]

    session: Mapped[Session] = parent("timeout")


class TimeoutDefault(Base):
    """The limits of sessions that have none of their own: those of a user, of a project, or of the whole ledger."""

    __tablename__ = "chatledger_timeout_defaults"
    __table_args__ = (one_of("scope", Scope), {"info": {"distribution": "reference"}})

    scope: Mapped[Scope] = mapped_column(primary_key=True)
    scope_id: Mapped[PrimaryKey]
    """Which user or project; empty for the ledger."""
    idle_limit: Mapped[Whole | None]
    archive_limit: Mapped[Whole | None]
    hard_limit: Mapped[Whole | None]
    warn_before: Mapped[Whole | None]
    created_at: Mapped[Stamped]
    updated_at: Mapped[Stamped]
