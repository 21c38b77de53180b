"""Memory does not grow with the source."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.adoption import adopt
from tests.adoption.old import AI_ROUTER, made
from tests.support import sqlite

# Above what a batch of messages takes, far below what the source would.
_MOST = 24 << 20
_SENTENCE = "a longer sentence of some sort, "
# Messages, and sentences in each: 38 MB, in a few long messages (which is quick) or in many short ones.
_LONG, _SHORT = (2000, 600), (10_000, 120)


@pytest.mark.parametrize(
    ("messages", "sentences", "sessions"),
    [
        (*_LONG, 1), (*_LONG, 40), pytest.param(*_SHORT, 1, marks=pytest.mark.soak),
        pytest.param(*_SHORT, 500, marks=pytest.mark.soak),
    ],
)  # fmt: skip
def test_memory_is_flat(sqlite_template: Path, tmp_path: Path, messages: int, sentences: int, sessions: int) -> None:
    with made(tmp_path / "old.db", AI_ROUTER) as connection:
        connection.execute("BEGIN")
        for number in range(sessions):
            connection.execute("INSERT INTO sessions (session_id, model_id) VALUES (?, 'm')", (f"s{number}",))
            connection.executemany(
                "INSERT INTO messages (session_id, sequence_number, role, content) VALUES (?, ?, 'user', ?)",
                [(f"s{number}", place, _SENTENCE * sentences) for place in range(1, 1 + messages // sessions)],
            )
        connection.execute("COMMIT")
    with Ledger(sqlite.copy(sqlite_template, tmp_path / "chat.db")) as ledger:
        tracemalloc.start()
        try:
            assert messages == adopt(ledger, tmp_path / "old.db").messages
            assert _MOST > tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
