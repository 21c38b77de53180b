"""PostgreSQL by hand: psycopg 3, every statement prepared on the server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from benchmarks.conversation import Turn
from benchmarks.raw import CANDIDATES, GIVEN, READ, SESSION, NewSession, Raw, RawMessage, RawSession, values, words

_TYPES = {
    "payload": "json", "metadata": "json", "created_at": "timestamptz", "digest": "bytea", "input_tokens": "bigint",
    "output_tokens": "bigint", "cached_tokens": "bigint", "tokens_used": "bigint", "duration_ms": "bigint", "cost": "bigint",
}  # fmt: skip
_OPEN = "session_id = %s AND status IN ('active', 'idle', 'paused') FOR NO KEY UPDATE"
_APPEND = f"""
    INSERT INTO messages (session_id, sequence_number, {", ".join(GIVEN)})
    SELECT session_id, last_sequence + 1, {", ".join(f"%s::{_TYPES.get(name, 'text')}" for name in GIVEN)}
    FROM sessions WHERE {_OPEN} RETURNING sequence_number"""
_LAST = f"SELECT last_sequence FROM sessions WHERE {_OPEN}"
_INSERT = f"""
    INSERT INTO messages (session_id, sequence_number, {", ".join(GIVEN)})
    SELECT %s, %s + place, {", ".join(GIVEN)}
    FROM unnest({", ".join(f"%s::{_TYPES.get(name, 'text')}[]" for name in GIVEN)}) WITH ORDINALITY
        AS given ({", ".join(GIVEN)}, place)
    ORDER BY place"""
# Parsed by psycopg, which uses json.loads.
_HISTORY = f"SELECT {', '.join(READ)} FROM messages WHERE session_id = %s ORDER BY sequence_number"
_SESSIONS = f"""
    SELECT {", ".join(SESSION)},
        (SELECT json_object_agg(key, value) FROM session_metadata AS d WHERE d.session_id = s.session_id)
    FROM sessions AS s WHERE user_id = %s AND status <> 'expired'
    ORDER BY activity_minute DESC, last_activity DESC, session_id DESC LIMIT %s"""
_SEARCH = f"""
    WITH query AS MATERIALIZED (SELECT phraseto_tsquery('chatledger', %s) AS q), best AS MATERIALIZED (
        SELECT c.score, c.session_id, c.sequence_number, c.created_at, s.title, s.user_id, s.project_id
        FROM (
            SELECT session_id, sequence_number, created_at, ts_rank(search_vector, q) AS score
            FROM messages, query WHERE search_vector @@ q
            ORDER BY created_at DESC LIMIT {CANDIDATES}
        ) AS c
        JOIN sessions AS s ON s.session_id = c.session_id
        WHERE s.status <> 'expired'
        ORDER BY c.score DESC, c.created_at DESC LIMIT %s
    )
    SELECT b.*, m.role, ts_headline('chatledger', left(m.content, 20000), q, 'StartSel=**, StopSel=**')
    FROM best AS b
    JOIN messages AS m ON m.session_id = b.session_id AND m.sequence_number = b.sequence_number, query
    ORDER BY b.score DESC, b.created_at DESC"""
_FILL = "COPY sessions (session_id, user_id, title, created_at, updated_at, last_activity) FROM STDIN"
_LABEL = "INSERT INTO session_metadata (session_id, key, value) VALUES (%s, 'label', to_json(%s::text))"


class RawPostgreSQL(Raw):
    """One connection. A transaction is BEGIN, the statement, and COMMIT; reads are single statements in autocommit."""

    def __init__(self, url: str) -> None:
        self._connection: Any = psycopg.connect(url, autocommit=True)

    def append(self, session_id: str, turn: Turn) -> int:
        with self._connection.transaction():
            cursor = self._connection.execute(_APPEND, (*values(turn, turn.created_at), session_id), prepare=True)
            (number,) = cursor.fetchone()
        return int(number)

    def append_many(self, session_id: str, turns: Sequence[Turn]) -> None:
        with self._connection.transaction():
            (last,) = self._connection.execute(_LAST, (session_id,), prepare=True).fetchone()
            columns = zip(*(values(turn, turn.created_at) for turn in turns), strict=True)
            self._connection.execute(_INSERT, (session_id, last, *map(list, columns)), prepare=True)

    def history(self, session_id: str) -> list[RawMessage]:
        cursor = self._connection.execute(_HISTORY, (session_id,), prepare=True)
        return [RawMessage(*row) for row in cursor.fetchall()]

    def sessions_of(self, user_id: str, limit: int) -> list[RawSession]:
        cursor = self._connection.execute(_SESSIONS, (user_id, limit), prepare=True)
        return [RawSession(*row) for row in cursor.fetchall()]

    def search(self, query: str, limit: int) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(_SEARCH, (words(query), limit), prepare=True)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def fill_sessions(self, sessions: Iterable[NewSession]) -> None:
        labels: list[tuple[str, str]] = []
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with cursor.copy(_FILL) as copy:
                for new in sessions:
                    moment = new.created_at
                    copy.write_row((new.session_id, new.user_id, new.title, moment, moment, moment))
                    if new.label:
                        labels.append((new.session_id, new.label))
            cursor.executemany(_LABEL, labels)

    def settle(self) -> None:
        self._connection.execute("VACUUM ANALYZE")
        self._connection.execute("CHECKPOINT")

    def close(self) -> None:
        self._connection.close()
