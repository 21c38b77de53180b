"""The full-text index of SQLite as a whole: caught up, checked, rebuilt, merged.

The index of messages follows the appends: it is complete up to a mark, and triggers move the mark on (revision 0003).
"""

from __future__ import annotations

from collections.abc import Iterator

FULL_TEXT = ("chatledger_messages_fts", "chatledger_sessions_fts")
"""The indexes, which hold no rows of their own."""
MARK_TABLE = "chatledger_full_text_mark"
"""Its one row names the last message up to which the index is complete."""
MARK = f"(SELECT message_id FROM {MARK_TABLE})"
_NEWEST = "coalesce((SELECT max(message_id) FROM chatledger_messages), 0)"

IS_BEHIND = f"SELECT 1 FROM {MARK_TABLE} WHERE message_id < {_NEWEST}"
"""Returns a row if messages wait to be indexed."""


_INDEX = (
    "INSERT INTO chatledger_messages_fts (rowid, content, extra)"
    " SELECT message_id, coalesce(search_text, substr(content, 1, 100000)), search_extra"
    f" FROM chatledger_messages WHERE message_id > {MARK}"
)


def catch_up() -> Iterator[str]:
    """The statements that index the messages that wait, in one transaction."""
    yield _INDEX
    # `most` as well: without a transaction, as on a connection in autocommit, a killed `let_wait` stays.
    yield f"UPDATE {MARK_TABLE} SET message_id = {_NEWEST}, most = {MOST} WHERE message_id < {_NEWEST}"


MOST = 31
"""Messages that may wait."""


def let_wait(count: int) -> str:
    """The statement after which so many more messages may wait, until `stop_waiting` in the same transaction."""
    return f"UPDATE {MARK_TABLE} SET most = {MOST + count}"


def stop_waiting() -> Iterator[str]:
    """The statements that index all of them at once, which is a third of the work of small steps."""
    yield _INDEX
    yield f"UPDATE {MARK_TABLE} SET message_id = {_NEWEST}, most = {MOST}"


WAIT_NO_LONGER = f"UPDATE {MARK_TABLE} SET most = {MOST}"
"""Without indexing them: the next append does."""


def rebuild() -> Iterator[str]:
    """The statements that index every message and session again."""
    # First, because the view that the index is made from ends at the mark.
    yield (
        f"INSERT INTO {MARK_TABLE} (mark_id, message_id) SELECT 1, {_NEWEST} WHERE true"
        f" ON CONFLICT (mark_id) DO UPDATE SET message_id = excluded.message_id, most = {MOST}"
    )
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


HAS_MARK = f"SELECT 1 FROM {MARK_TABLE}"
"""Returns a row, or no message is indexed any more."""

UNNUMBERED = """SELECT 1 FROM chatledger_sessions AS s WHERE (title IS NOT NULL OR system_prompt IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM chatledger_session_numbers AS n WHERE n.session_id = s.session_id) LIMIT 1"""
"""Sessions whose texts no index can hold: they have no number."""


def merge() -> Iterator[str]:
    """The statements that make one part of an index's many."""
    yield from catch_up()
    for table in FULL_TEXT:
        yield f"INSERT INTO {table} ({table}) VALUES ('optimize')"
