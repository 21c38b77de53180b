"""The lean schema on SQLite: the standard library's `sqlite3`, which keeps prepared statements by their text."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.conversation import Turn
from benchmarks.lean import COLUMNS, Counted, Lean, now, row
from chatledger import Ledger

STEP = 64
"""How many messages the raw that defers its index lets wait."""

# Those of a ledger's connections that cost or save time, taken over as a ledger has them.
_PRAGMAS = ("synchronous", "cache_size", "temp_store", "mmap_size", "journal_size_limit", "foreign_keys")
_MARKS = ", ".join("?" * len(COLUMNS))
_TABLES = """
    CREATE TABLE IF NOT EXISTS sessions (
        session_id TEXT PRIMARY KEY, last_sequence INTEGER NOT NULL DEFAULT 0,
        message_count INTEGER NOT NULL DEFAULT 0, total_tokens INTEGER NOT NULL DEFAULT 0, last_activity TEXT
    ) STRICT;
    CREATE TABLE IF NOT EXISTS messages (
        message_id INTEGER PRIMARY KEY,
        session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, sequence_number INTEGER NOT NULL,
        role TEXT NOT NULL, content TEXT NOT NULL, payload TEXT, metadata TEXT, name TEXT, tool_call_id TEXT,
        model_id TEXT, input_tokens INTEGER, output_tokens INTEGER, duration_ms INTEGER, created_at TEXT NOT NULL,
        UNIQUE (session_id, sequence_number)
    ) STRICT;
    CREATE VIRTUAL TABLE IF NOT EXISTS messages_fts
        USING fts5(content, content='messages', content_rowid='message_id');
    CREATE TRIGGER IF NOT EXISTS messages_count AFTER INSERT ON messages BEGIN
        UPDATE sessions SET
            last_sequence = new.sequence_number, message_count = message_count + 1,
            total_tokens = total_tokens + coalesce(new.input_tokens, 0) + coalesce(new.output_tokens, 0),
            last_activity = new.created_at
        WHERE session_id = new.session_id;
    END;"""
_AT_ONCE = """
    CREATE TRIGGER IF NOT EXISTS messages_index AFTER INSERT ON messages BEGIN
        INSERT INTO messages_fts (rowid, content) VALUES (new.message_id, new.content);
    END;"""
_LATER = """
    CREATE TABLE IF NOT EXISTS mark (one INTEGER PRIMARY KEY, message_id INTEGER NOT NULL) STRICT;
    INSERT OR IGNORE INTO mark VALUES (1, 0);"""
_APPEND = f"""
    INSERT INTO messages (session_id, sequence_number, {", ".join(COLUMNS)})
    SELECT session_id, last_sequence + 1, {_MARKS} FROM sessions WHERE session_id = ? RETURNING sequence_number"""
_INSERT = f"INSERT INTO messages (session_id, sequence_number, {', '.join(COLUMNS)}) VALUES (?, ?, {_MARKS})"
_INDEX = """
    INSERT INTO messages_fts (rowid, content)
    SELECT message_id, content FROM messages WHERE message_id > (SELECT message_id FROM mark)"""
_MOVE = "UPDATE mark SET message_id = (SELECT max(message_id) FROM messages)"


class LeanSQLite(Lean):
    """One connection. An append is one statement, which SQLite commits by itself.

    It waits for locks in the library's own way. `deferred`: messages are indexed in steps of `STEP`, by the connection
    that appends.
    """

    def __init__(self, path: str, *, deferred: bool = False) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._execute = self._connection.execute
        self._execute("PRAGMA journal_mode=WAL")
        for name, value in _pragmas().items():
            self._execute(f"PRAGMA {name}={value}")
        self._deferred = deferred
        self._appended = 0

    def create(self, session_ids: Iterable[str]) -> None:
        self._connection.executescript(_TABLES + (_LATER if self._deferred else _AT_ONCE))
        self._connection.executemany("INSERT INTO sessions (session_id) VALUES (?)", [(one,) for one in session_ids])

    def append(self, session_id: str, turn: Turn) -> int:
        ((number,),) = self._execute(_APPEND, (*row(turn), _text(), session_id)).fetchall()
        if self._deferred:
            self._appended += 1
            if self._appended % STEP == 0:
                self._catch_up()
        return int(number)

    def append_many(self, session_id: str, turns: Sequence[Turn]) -> None:
        self._execute("BEGIN IMMEDIATE")
        ((last,),) = self._execute("SELECT last_sequence FROM sessions WHERE session_id = ?", (session_id,)).fetchall()
        rows = ((session_id, number, *row(turn), _text()) for number, turn in enumerate(turns, last + 1))
        self._connection.executemany(_INSERT, rows)
        self._execute("COMMIT")

    def counted(self, session_id: str, word: str) -> Counted:
        if self._deferred:
            self._catch_up()
        ((messages, highest, counter),) = self._execute(
            "SELECT count(*), max(sequence_number), (SELECT message_count FROM sessions AS s WHERE s.session_id = ?1)"
            " FROM messages WHERE session_id = ?1",
            (session_id,),
        ).fetchall()
        ((found,),) = self._execute("SELECT count(*) FROM messages_fts WHERE messages_fts MATCH ?", (word,)).fetchall()
        return Counted(messages, highest, counter, found)

    def _catch_up(self) -> None:
        self._execute("BEGIN IMMEDIATE")
        self._execute(_INDEX)
        self._execute(_MOVE)
        self._execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


def _text() -> str:
    return now().isoformat(" ", "microseconds")[:26]


@cache
def _pragmas() -> dict[str, Any]:
    """The settings of a ledger's connection."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger(Path(folder) / "empty.db", migrate="never") as ledger,
        ledger.engine.connect() as connection,
    ):
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in _PRAGMAS}
