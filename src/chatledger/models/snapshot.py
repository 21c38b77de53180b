"""Snapshots: what a session looked like at a moment."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Blob, Counter, MoneyTotal, OfSession, Stamped, Whole, one_of
from chatledger.vocabulary import SnapshotKind


class Snapshot(Base):
    """The whole conversation with its counters. Numbered within its session."""

    __tablename__ = "chatledger_session_snapshots"
    __table_args__ = (one_of("kind", SnapshotKind), {"info": {"distribution": "session"}})

    session_id: Mapped[OfSession]
    snapshot_number: Mapped[int] = mapped_column(types.Whole, primary_key=True)
    kind: Mapped[SnapshotKind] = mapped_column(types.Word(SnapshotKind))
    created_at: Mapped[Stamped]
    actor: Mapped[str | None]
    reason: Mapped[str | None]
    message_count: Mapped[Counter]
    total_tokens: Mapped[Counter]
    total_duration_ms: Mapped[Counter]
    total_cost: Mapped[MoneyTotal]
    last_sequence: Mapped[Counter]
    #: How `body` is written, such as `jsonl+zlib`.
    encoding: Mapped[str]
    body: Mapped[Blob]
    #: Bytes of the lines before compression.
    size: Mapped[Whole]
    digest: Mapped[Blob]
