"""State as users hold it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.enums import StateScope
from chatledger.schemas.fields import Record


class StateEntry(Record):
    """A value under a key, of a user, a project or a session."""

    scope: StateScope
    scope_id: str
    """Which user, project or session."""
    key: str
    value: Any
    version: int
    """1 when it is first set; rises by one with each change."""
    created_at: datetime
    updated_at: datetime
