"""Snapshots as users hold them."""

from __future__ import annotations

from datetime import datetime

from chatledger.enums import SnapshotKind
from chatledger.schemas.fields import Amount, Record


class Snapshot(Record):
    """What a session was at a moment: its counters then. The conversation itself is read by `uow.snapshots.messages`."""

    #: The session's id, a colon and the number.
    snapshot_id: str
    session_id: str
    snapshot_number: int
    kind: SnapshotKind
    created_at: datetime
    actor: str | None
    reason: str | None
    message_count: int
    total_tokens: int
    total_duration_ms: int
    #: Dollars, exact.
    total_cost: Amount
    last_sequence: int
    #: Bytes of the conversation.
    size: int
    #: Bytes that it takes in the database.
    stored_size: int


class SnapshotDiff(Record):
    """How a session differs from one of its snapshots, by message numbers. True when it does."""

    snapshot_id: str
    #: Messages that came since.
    added: tuple[int, ...]
    #: Messages of the snapshot that are gone.
    removed: tuple[int, ...]
    #: Messages that read otherwise now.
    changed: tuple[int, ...]
    #: Fields of the session that are others now, such as `title` or `metadata`.
    fields: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.fields)
