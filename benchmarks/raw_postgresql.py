"""PostgreSQL by hand: psycopg 3, every statement but the search prepared on the server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from benchmarks.conversation import Turn
from benchmarks.raw import CANDIDATES, GIVEN, READ, SESSION, NewSession, Raw, RawMessage, RawQuery, RawSession, values

_NUMBERS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "tokens_used", "duration_ms", "cost")
_TYPES = {
    "payload": "json", "metadata": "json", "created_at": "timestamptz", "digest": "bytea",
    **dict.fromkeys(_NUMBERS, "bigint"),
}  # fmt: skip
_OPEN = "session_id = %s AND status IN ('active', 'idle', 'paused') FOR NO KEY UPDATE"
_LAST = f"SELECT last_sequence FROM chatledger_sessions WHERE {_OPEN}"
_INSERT = f"""
    INSERT INTO chatledger_messages (session_id, sequence_number, {", ".join(GIVEN)})
    SELECT %s, %s + place, {", ".join(GIVEN)}
    FROM unnest({", ".join(f"%s::{_TYPES.get(name, 'text')}[]" for name in GIVEN)}) WITH ORDINALITY
        AS given ({", ".join(GIVEN)}, place)
    ORDER BY place"""
# Parsed by psycopg, which uses json.loads.
_HISTORY = f"SELECT {', '.join(READ)} FROM chatledger_messages WHERE session_id = %s ORDER BY sequence_number"
_SESSIONS = f"""
    SELECT {", ".join(SESSION)},
        (SELECT json_object_agg(key, value) FROM chatledger_session_metadata AS d WHERE d.session_id = s.session_id)
    FROM chatledger_sessions AS s WHERE user_id = %s AND status <> 'expired'
    ORDER BY activity_hour DESC NULLS LAST, last_activity DESC, session_id DESC LIMIT %s"""
# Never prepared: planned for its words. The words are those of the query with their inflections, exact ones first, and
# the best of each session comes before its others. A session's status is a subquery with one value, because a join reads
# all sessions. Rare words are read from the GIN index behind a fence; common ones by walking created_at.
_SEARCH = f"""
    WITH best AS MATERIALIZED (
        SELECT * FROM (
            SELECT c.*, row_number() OVER (
                PARTITION BY session_id ORDER BY looseness, score DESC, created_at DESC, sequence_number
            ) > 1 AS again
            FROM (
                SELECT session_id, sequence_number, created_at, ts_rank(search_vector, %(match)s::tsquery) AS score,
                    CASE WHEN search_vector @@ %(exact)s::tsquery THEN 0 ELSE 1 END AS looseness
                FROM (SELECT * FROM ({{found}}) AS found ORDER BY created_at DESC LIMIT {CANDIDATES} OFFSET 0) AS newest
            ) AS c
        ) AS numbered
        ORDER BY looseness, again, score DESC, created_at DESC, session_id, sequence_number LIMIT %(limit)s
    )
    SELECT b.session_id, b.sequence_number, b.score, b.created_at, s.title, s.user_id, s.project_id, m.role,
        ts_headline('simple', left(m.content, 20000), %(match)s::tsquery, 'StartSel=**, StopSel=**')
    FROM best AS b
    JOIN chatledger_messages AS m ON m.session_id = b.session_id AND m.sequence_number = b.sequence_number
    JOIN chatledger_sessions AS s ON s.session_id = b.session_id
    ORDER BY b.looseness, b.again, b.score DESC, b.created_at DESC, b.session_id, b.sequence_number"""
_MATCHING = """
    SELECT session_id, sequence_number, created_at, search_vector FROM chatledger_messages AS m
    WHERE search_vector @@ %(match)s::tsquery AND copied_from IS NULL AND hidden IS NULL
        AND (SELECT status FROM chatledger_sessions AS s WHERE s.session_id = m.session_id) <> 'expired'"""
_RARE, _COMMON = _SEARCH.format(found=f"{_MATCHING} OFFSET 0"), _SEARCH.format(found=_MATCHING)
_FILL = "COPY chatledger_sessions (session_id, user_id, title, created_at, updated_at, last_activity) FROM STDIN"
_LABEL = "INSERT INTO chatledger_session_metadata (session_id, key, value) VALUES (%s, 'label', to_json(%s::text))"


class RawPostgreSQL(Raw):
    """Two connections. A write is BEGIN, the statement and COMMIT, as the driver sends them; a read is one statement in
    autocommit.
    """

    def __init__(self, url: str) -> None:
        self._writing: Any = psycopg.connect(url)
        self._reading: Any = psycopg.connect(url, autocommit=True)

    def append_many(self, session_id: str, turns: Sequence[Turn]) -> None:
        (last,) = self._writing.execute(_LAST, (session_id,), prepare=True).fetchone()
        columns = zip(*(values(turn, turn.created_at) for turn in turns), strict=True)
        self._writing.execute(_INSERT, (session_id, last, *map(list, columns)), prepare=True)
        self._writing.commit()

    def history(self, session_id: str) -> list[RawMessage]:
        cursor = self._reading.execute(_HISTORY, (session_id,), prepare=True)
        return [RawMessage(*row) for row in cursor.fetchall()]

    def sessions_of(self, user_id: str, limit: int) -> list[RawSession]:
        cursor = self._reading.execute(_SESSIONS, (user_id, limit), prepare=True)
        return [RawSession(*row) for row in cursor.fetchall()]

    def search(self, query: RawQuery, limit: int) -> list[tuple[Any, ...]]:
        exact = " <-> ".join(f"'{word}'" for word in query.words.split())
        match = " | ".join([exact, *(f"'{form}'" for form in query.forms)])
        bound = {"match": match, "exact": exact, "limit": limit}
        cursor = self._reading.execute(_RARE if query.is_rare else _COMMON, bound, prepare=False)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def fill_sessions(self, sessions: Iterable[NewSession]) -> None:
        labels: list[tuple[str, str]] = []
        with self._writing.transaction(), self._writing.cursor() as cursor:
            with cursor.copy(_FILL) as copy:
                for new in sessions:
                    moment = new.created_at
                    copy.write_row((new.session_id, new.user_id, new.title, moment, moment, moment))
                    if new.label:
                        labels.append((new.session_id, new.label))
            cursor.executemany(_LABEL, labels)

    def settle(self) -> None:
        self._reading.execute("VACUUM ANALYZE")
        self._reading.execute("CHECKPOINT")

    def close(self) -> None:
        self._writing.close()
        self._reading.close()
