"""The audit log as users read it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.schemas.fields import Record


class AuditEntry(Record):
    """One act. It holds no content: ids, counts and words of the ledger's own."""

    audit_id: int
    at: datetime
    #: Such as `session.deleted`.
    action: str
    #: Who, as given to `begin`; None for raw SQL.
    actor: str | None
    reason: str | None
    session_id: str | None
    #: Whose session it was.
    user_id: str | None
    #: How many rows it concerned.
    count: int
    #: Figures, such as how many messages a deleted session had.
    details: dict[str, Any] | None
