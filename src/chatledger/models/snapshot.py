"""Snapshots: what a session looked like at a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import Mapped

from chatledger.enums import SnapshotKind
from chatledger.models.base import Base, Blob, Counter, MoneyTotal, Number, SessionKey, Stamped, Whole, one_of, parent

if TYPE_CHECKING:
    from chatledger.models.session import Session


class Snapshot(Base):
    """The whole conversation with its counters. Numbered within its session."""

    __tablename__ = "chatledger_session_snapshots"
    __table_args__ = (one_of("kind", SnapshotKind), {"info": {"distribution": "session"}})

    session_id: Mapped[SessionKey]
    snapshot_number: Mapped[Number]
    kind: Mapped[SnapshotKind]
    created_at: Mapped[Stamped]
    actor: Mapped[str | None]
    reason: Mapped[str | None]
    message_count: Mapped[Counter]
    total_tokens: Mapped[Counter]
    total_duration_ms: Mapped[Counter]
    total_cost: Mapped[MoneyTotal]
    last_sequence: Mapped[Counter]
    encoding: Mapped[str]
    """How `body` is written, such as `jsonl+zlib`."""
    body: Mapped[Blob]
    size: Mapped[Whole]
    """Bytes of the lines before compression."""
    digest: Mapped[Blob]

    session: Mapped[Session] = parent("snapshots")
