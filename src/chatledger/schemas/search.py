"""What a search finds."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from chatledger.enums import Role
from chatledger.schemas.fields import Record

MATCHES = ("exact", "inflected", "prefix")
"""How closely a hit matches, by its looseness."""


class SearchHit(Record):
    """A message that matches."""

    session_id: str
    sequence_number: int
    role: Role
    snippet: str
    """The place of the match, with the words found between the marks that were asked for. Plain text: escape it."""
    score: float
    """How well it matches among those with the same `match`; higher is better. Comparable within one search, not
    between databases.
    """
    match: Literal["exact", "inflected", "prefix"]
    """Whether all words were found as they were typed, in another form, or as words that begin so."""
    created_at: datetime
    title: str | None
    user_id: str | None
    project_id: str | None


class SessionHit(SearchHit):
    """A session that matches, by its best message.

    `sequence_number` is 0 and `role` is system if no message has any of the words: they are in the title or the system
    prompt, which the snippet shows.
    """

    hits: int
    """How many of its messages were among those ranked."""
    found_in: Literal["title", "message", "messages"]
    """Where all of the words are: in the title, in one message, or spread over messages, title and system prompt."""
