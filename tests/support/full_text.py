"""What the full-text index of a ledger in a file holds."""

from __future__ import annotations

import sqlite3
from typing import Any

from chatledger import Ledger

STEP = 32
"""Every insert of so many adds the messages that wait to the index."""


def index_waiting(ledger: Ledger) -> None:
    """Have every message indexed: a search does so when its transaction ends."""
    with ledger.read() as uow:
        uow.search.messages("anything")


def waiting(connection: sqlite3.Connection | Any) -> list[int]:
    """The messages that are not indexed yet."""
    statement = (
        "SELECT message_id FROM chatledger_messages"
        " WHERE message_id > (SELECT message_id FROM chatledger_full_text_mark) ORDER BY 1"
    )
    return [message_id for (message_id,) in connection.execute(statement)]


def require_agreement(connection: sqlite3.Connection) -> None:
    """The index holds every message up to the mark as it is, and no other; few messages are past it."""
    connection.execute(
        "INSERT INTO chatledger_messages_fts (chatledger_messages_fts, rank) VALUES ('integrity-check', 1)"
    )
    (indexed,) = connection.execute("SELECT count(*) FROM chatledger_messages_fts_docsize").fetchone()
    (stored,) = connection.execute("SELECT count(*) FROM chatledger_messages").fetchone()
    assert stored == indexed + len(waiting(connection))
    assert STEP > len(waiting(connection))
