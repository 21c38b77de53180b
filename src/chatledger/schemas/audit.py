"""The audit log as users read it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.schemas.fields import Record


class AuditEntry(Record):
    """One act. It holds no content: ids, counts and words of the ledger's own."""

    audit_id: int
    at: datetime
    action: str
    """Such as `session.deleted`."""
    actor: str | None
    """Who, as given to `begin`; None for raw SQL."""
    reason: str | None
    session_id: str | None
    user_id: str | None
    """Whose session it was."""
    count: int
    """How many rows it concerned."""
    details: dict[str, Any] | None
    """Figures, such as how many messages a deleted session had."""
