"""The full-text index of SQLite as a whole: checked, rebuilt, merged."""

from __future__ import annotations

from collections.abc import Iterator

FULL_TEXT = ("chatledger_messages_fts", "chatledger_sessions_fts")
"""The indexes, which hold no rows of their own."""


def rebuild() -> Iterator[str]:
    """The statements that index every message and session again."""
    yield "DELETE FROM chatledger_session_numbers"
    yield (
        "INSERT INTO chatledger_session_numbers (session_id) SELECT session_id FROM chatledger_sessions"
        " WHERE title IS NOT NULL OR system_prompt IS NOT NULL"
    )
    for table in FULL_TEXT:
        yield f"INSERT INTO {table} ({table}) VALUES ('rebuild')"


def compare() -> Iterator[str]:
    """The statements that fail where an index does not agree with the texts."""
    for table in FULL_TEXT:
        yield f"INSERT INTO {table} ({table}, rank) VALUES ('integrity-check', 1)"


UNNUMBERED = """SELECT 1 FROM chatledger_sessions AS s WHERE (title IS NOT NULL OR system_prompt IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM chatledger_session_numbers AS n WHERE n.session_id = s.session_id) LIMIT 1"""
"""Sessions whose texts no index can hold: they have no number."""


def merge() -> Iterator[str]:
    """The statements that make one part of an index's many."""
    for table in FULL_TEXT:
        yield f"INSERT INTO {table} ({table}) VALUES ('optimize')"
