"""The lean schema on PostgreSQL: psycopg 3 in autocommit, every statement prepared on the server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from benchmarks.conversation import Turn
from benchmarks.lean import COLUMNS, Counted, Lean, now, row

_TYPES = {
    "payload": "json", "metadata": "json", "created_at": "timestamptz",
    "input_tokens": "bigint", "output_tokens": "bigint", "duration_ms": "bigint",
}  # fmt: skip
_TABLES = """
    CREATE TABLE sessions (
        session_id text COLLATE "C" PRIMARY KEY, last_sequence bigint NOT NULL DEFAULT 0,
        message_count bigint NOT NULL DEFAULT 0, total_tokens bigint NOT NULL DEFAULT 0, last_activity timestamptz
    ) WITH (fillfactor = 70);
    CREATE TABLE messages (
        session_id text COLLATE "C" NOT NULL REFERENCES sessions ON DELETE CASCADE, sequence_number bigint NOT NULL,
        role text NOT NULL, content text NOT NULL, payload json, metadata json, name text, tool_call_id text,
        model_id text, input_tokens bigint, output_tokens bigint, duration_ms bigint, created_at timestamptz NOT NULL,
        search_vector tsvector GENERATED ALWAYS AS (to_tsvector('simple', content)) STORED,
        PRIMARY KEY (session_id, sequence_number)
    );
    CREATE INDEX ON messages USING gin (search_vector);"""
# For single appends a trigger for each row, which is cheaper; for bulk ones a trigger for each statement.
_EACH = """
    CREATE FUNCTION count_message() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE sessions SET
            last_sequence = new.sequence_number, message_count = message_count + 1,
            total_tokens = total_tokens + coalesce(new.input_tokens, 0) + coalesce(new.output_tokens, 0),
            last_activity = new.created_at
        WHERE session_id = new.session_id;
        RETURN NULL;
    END $$;
    CREATE TRIGGER messages_count AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION count_message();"""
_ALL = """
    CREATE FUNCTION count_messages() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE sessions AS s SET
            last_sequence = n.highest, message_count = message_count + n.messages,
            total_tokens = total_tokens + n.tokens, last_activity = n.newest
        FROM (
            SELECT session_id, count(*) AS messages, max(sequence_number) AS highest, max(created_at) AS newest,
                sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS tokens
            FROM inserted GROUP BY session_id
        ) AS n WHERE s.session_id = n.session_id;
        RETURN NULL;
    END $$;
    CREATE TRIGGER messages_count AFTER INSERT ON messages REFERENCING NEW TABLE AS inserted
        FOR EACH STATEMENT EXECUTE FUNCTION count_messages();"""
_APPEND = f"""
    INSERT INTO messages (session_id, sequence_number, {", ".join(COLUMNS)})
    SELECT session_id, last_sequence + 1, {", ".join(f"%s::{_TYPES.get(name, 'text')}" for name in COLUMNS)}
    FROM sessions WHERE session_id = %s FOR NO KEY UPDATE RETURNING sequence_number"""
_LAST = "SELECT last_sequence FROM sessions WHERE session_id = %s FOR NO KEY UPDATE"
_COPY = f"COPY messages (session_id, sequence_number, {', '.join(COLUMNS)}) FROM STDIN"


class LeanPostgreSQL(Lean):
    """One connection. An append is one statement, in one round trip; many are a COPY under the session's lock."""

    def __init__(self, url: str, *, bulk: bool = False) -> None:
        self._connection: Any = psycopg.connect(url, autocommit=True)
        self._bulk = bulk

    def create(self, session_ids: Iterable[str]) -> None:
        self._connection.execute(_TABLES + (_ALL if self._bulk else _EACH))
        with self._connection.cursor() as cursor:
            cursor.executemany("INSERT INTO sessions (session_id) VALUES (%s)", [(one,) for one in session_ids])

    def append(self, session_id: str, turn: Turn) -> int:
        (number,) = self._connection.execute(_APPEND, (*row(turn), now(), session_id), prepare=True).fetchone()
        return int(number)

    def append_many(self, session_id: str, turns: Sequence[Turn]) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            (last,) = cursor.execute(_LAST, (session_id,), prepare=True).fetchone()
            with cursor.copy(_COPY) as copy:
                for number, turn in enumerate(turns, last + 1):
                    copy.write_row((session_id, number, *row(turn), now()))

    def counted(self, session_id: str, word: str) -> Counted:
        return Counted(
            *self._connection.execute(
                "SELECT count(*), max(sequence_number),"
                " (SELECT message_count FROM sessions AS s WHERE s.session_id = %(id)s),"
                " count(*) FILTER (WHERE search_vector @@ plainto_tsquery('simple', %(word)s))"
                " FROM messages WHERE session_id = %(id)s",
                {"id": session_id, "word": word},
            ).fetchone()
        )

    def close(self) -> None:
        self._connection.close()
