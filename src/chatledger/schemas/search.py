"""What a search finds."""

from __future__ import annotations

from datetime import datetime

from chatledger.enums import Role
from chatledger.schemas.fields import Record


class SearchHit(Record):
    """A message that matches."""

    session_id: str
    sequence_number: int
    role: Role
    #: The place of the match, with the words found between the marks that were asked for. Plain text: escape it.
    snippet: str
    #: Higher is better. Comparable within one search, not between databases.
    score: float
    created_at: datetime
    title: str | None
    user_id: str | None
    project_id: str | None


class SessionHit(SearchHit):
    """A session that matches, by its best message."""

    #: How many of its messages were among those ranked.
    hits: int
