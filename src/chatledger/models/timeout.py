"""Timeouts: how long a session may lie idle, and how long it may live."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, OfSession, Stamped, Timestamp, Whole, one_of
from chatledger.vocabulary import Scope


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

    session_id: Mapped[OfSession]
    #: Seconds without activity after which the session is idle.
    idle_limit: Mapped[Whole | None]
    #: Seconds without activity after which the session is archived.
    archive_limit: Mapped[Whole | None]
    #: Seconds after `created_at` (or after it was reopened) at which the session is archived, whatever happens in it.
    hard_limit: Mapped[Whole | None]
    #: Seconds before a limit at which to warn.
    warn_before: Mapped[Whole | None]
    #: The moment of the hard limit, as it was when the session was last looked at.
    expires_at: Mapped[Timestamp | None]
    #: When the session may first be due. A lower bound: appends do not move it, the sweep that finds it early does, so
    #: that a sweep reads only what may be due and an append never rewrites this index. NULL where nothing can be due.
    next_check_at: Mapped[Timestamp | None]
    #: When the last warning was sent, and the moment of the limit that it was about: one that lies later is warned of
    #: anew.
    warned_at: Mapped[Timestamp | None]
    warned_for: Mapped[Timestamp | None]
    #: Since when inactivity counts, where the last activity lies in the future (a writer's clock was wrong): since a
    #: sweep first met it ...
    idle_from: Mapped[Timestamp | None]
    #: ... and the session's last number then, which tells whether it has been active since.
    idle_sequence: Mapped[int | None] = mapped_column(types.Whole)
    #: Since when the hard limit counts, where that is not the creation: since it was reopened, or since a sweep first met
    #: a creation that lies in the future.
    hard_from: Mapped[Timestamp | None]
    created_at: Mapped[Stamped]
    updated_at: Mapped[Stamped]


class TimeoutDefault(Base):
    """The limits of sessions that have none of their own: those of a user, of a project, or of the whole ledger."""

    __tablename__ = "chatledger_timeout_defaults"
    __table_args__ = (one_of("scope", Scope), {"info": {"distribution": "reference"}})

    scope: Mapped[Scope] = mapped_column(types.Word(Scope), primary_key=True)
    #: Which user or project; empty for the ledger.
    scope_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    idle_limit: Mapped[Whole | None]
    archive_limit: Mapped[Whole | None]
    hard_limit: Mapped[Whole | None]
    warn_before: Mapped[Whole | None]
    created_at: Mapped[Stamped]
    updated_at: Mapped[Stamped]
