"""What was deleted for good, as users hold it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.schemas.fields import Record


class PurgeReport(Record):
    """What a purge deleted for good, or with `dry_run` would delete."""

    dry_run: bool
    sessions: int
    messages: int
    #: Sessions that are old enough and held, and so were passed over.
    held: int
    #: The first hundred.
    session_ids: tuple[str, ...]


class ErasureReceipt(Record):
    """What was erased of one user. Keep it outside of the ledger, which forgets who it was."""

    user_id: str
    at: datetime
    dry_run: bool
    #: Whether the ledger held anything of the user, or has erased the user before. False for a name that is misspelled.
    found: bool
    sessions: int
    messages: int
    snapshots: int
    #: Rows of the audit log that no longer name the user or the user's sessions.
    audit_entries: int
    #: Sums over the erased sessions: `tokens`, `duration_ms`, `cost`.
    totals: dict[str, Any]
    #: Whether tokens, times and cost stay, in sessions without content and owner.
    kept_totals: bool
    #: Whether the files were rewritten, so that nothing is left in free pages and logs. None: not asked for.
    scrubbed: bool | None = None
