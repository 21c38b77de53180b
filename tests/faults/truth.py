"""What must be true of a session, whatever happened to its writers."""

from __future__ import annotations

from typing import Any

from tests.support.raw import Raw


def numbered_messages(url: str, session: str) -> dict[int, str]:
    """What is stored, after it was found whole: numbered from 1 without a gap, counted, and sound."""
    raw = Raw(url)
    rows = raw(
        "SELECT sequence_number, content FROM chatledger_messages WHERE session_id = :s ORDER BY sequence_number",
        s=session,
    )
    assert list(range(1, len(rows) + 1)) == [row[0] for row in rows]
    counters = raw(
        "SELECT message_count, last_sequence, total_tokens FROM chatledger_sessions WHERE session_id = :s", s=session
    )[0]
    tokens = raw("SELECT coalesce(sum(input_tokens), 0) FROM chatledger_messages WHERE session_id = :s", s=session)[0][
        0
    ]
    assert (len(rows), len(rows), int(tokens)) == tuple(counters)
    return {row[0]: row[1] for row in rows}


def require_sound(url: str) -> None:
    """The database's own checks, where it has some."""
    if url.startswith("sqlite"):
        raw = Raw(url)
        assert [("ok",)] == [tuple(row) for row in raw("PRAGMA integrity_check")]
        assert [] == raw("PRAGMA foreign_key_check")
        raw("INSERT INTO chatledger_messages_fts (chatledger_messages_fts, rank) VALUES ('integrity-check', 1)")


def require_acknowledged(stored: dict[int, str], acknowledged: list[Any]) -> None:
    """Every acknowledged (number, text) is there under its number, and no text is there twice."""
    for number, text in acknowledged:
        assert text == stored.get(number)
    assert len(set(stored.values())) == len(stored)
