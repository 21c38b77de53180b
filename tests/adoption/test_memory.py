"""Memory does not grow with the source."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.adoption import adopt
from tests.adoption.old import AI_ROUTER, made
from tests.support import sqlite

#: Above what a batch of messages takes, far below what the source would.
_MOST = 16 << 20
_TEXT = "a longer sentence of some sort, " * 60
_COUNT = 10_000  # 20 MB


@pytest.mark.parametrize("length", [_COUNT, 20])
def test_memory_is_flat(sqlite_template: Path, tmp_path: Path, length: int) -> None:
    with made(tmp_path / "old.db", AI_ROUTER) as connection:
        connection.execute("BEGIN")
        for number in range(_COUNT // max(length, 20)):
            connection.execute("INSERT INTO sessions (session_id, model_id) VALUES (?, 'm')", (f"s{number}",))
            connection.executemany(
                "INSERT INTO messages (session_id, sequence_number, role, content) VALUES (?, ?, 'user', ?)",
                [(f"s{number}", place, _TEXT) for place in range(1, length + 1)],
            )
        connection.execute("COMMIT")
        (count,) = connection.execute("SELECT count(*) FROM messages").fetchone()
    with Ledger(sqlite.copy(sqlite_template, tmp_path / "chat.db")) as ledger:
        tracemalloc.start()
        try:
            assert adopt(ledger, tmp_path / "old.db").messages == count
            assert _MOST > tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
