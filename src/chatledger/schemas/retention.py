"""What was deleted for good, as users hold it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.schemas.fields import Record


class PurgeReport(Record):
    """What a purge deleted for good, or with `dry_run` would delete."""

    dry_run: bool
    sessions: int
    """Child sessions that went with their parents included."""
    messages: int
    held: int
    """Sessions that are old enough and were passed over, because they or sessions below them are held."""
    session_ids: tuple[str, ...]
    """The first hundred."""


class ErasureReceipt(Record):
    """What was erased of one user. Keep it outside of the ledger, which forgets who it was."""

    user_id: str
    at: datetime
    dry_run: bool
    found: bool
    """Whether the ledger held anything of the user, or has erased the user before. False for a name that is misspelled.
    """
    sessions: int
    messages: int
    snapshots: int
    audit_entries: int
    """Rows of the audit log that no longer name the user or the user's sessions."""
    totals: dict[str, Any]
    """Sums over the erased sessions: `tokens`, `duration_ms`, `cost`."""
    kept_totals: bool
    """Whether tokens, times and cost stay, in sessions without content and owner."""
    scrubbed: bool | None = None
    """Whether the files were rewritten, so that nothing is left in free pages and logs. None: not asked for."""
