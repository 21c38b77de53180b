"""Snapshots as users hold them."""

from __future__ import annotations

from datetime import datetime

from chatledger.enums import SnapshotKind
from chatledger.schemas.fields import Amount, Record


class Snapshot(Record):
    """What a session was at a moment: its counters then. The conversation itself is read by `uow.snapshots.messages`."""

    snapshot_id: str
    """The session's id, a colon and the number."""
    session_id: str
    snapshot_number: int
    kind: SnapshotKind
    created_at: datetime
    actor: str | None
    reason: str | None
    message_count: int
    total_tokens: int
    total_duration_ms: int
    total_cost: Amount
    """Dollars, exact."""
    last_sequence: int
    size: int
    """Bytes of the conversation."""
    stored_size: int
    """Bytes that it takes in the database."""


class SnapshotDiff(Record):
    """How a session differs from one of its snapshots, by message numbers. True when it does."""

    snapshot_id: str
    added: tuple[int, ...]
    """Messages that came since."""
    removed: tuple[int, ...]
    """Messages of the snapshot that are gone."""
    changed: tuple[int, ...]
    """Messages that read otherwise now."""
    fields: tuple[str, ...]
    """Fields of the session that are others now, such as `title` or `metadata`."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.fields)
