"""SQLite by hand: the standard library's `sqlite3`, which keeps prepared statements by their text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.conversation import Turn
from benchmarks.raw import (
    CANDIDATES,
    GIVEN,
    READ,
    SESSION,
    NewSession,
    Raw,
    RawMessage,
    RawQuery,
    RawSession,
    loads,
    values,
)
from chatledger import Ledger
from chatledger.dialects.types import stamp

_MARKS = ", ".join("?" * len(GIVEN))
_LAST = "SELECT last_sequence FROM chatledger_sessions WHERE session_id = ? AND status IN ('active', 'idle', 'paused')"
_INSERT = f"INSERT INTO chatledger_messages (session_id, sequence_number, {', '.join(GIVEN)}) VALUES (?, ?, {_MARKS})"
_HISTORY = f"SELECT {', '.join(READ)} FROM chatledger_messages WHERE session_id = ? ORDER BY sequence_number"
_SESSIONS = f"""
    SELECT {", ".join(SESSION)},
        (SELECT json_group_object(key, json(value)) FROM chatledger_session_metadata AS d
            WHERE d.session_id = s.session_id)
    FROM chatledger_sessions AS s WHERE user_id = ? AND status <> 'expired'
    ORDER BY activity_hour DESC, last_activity DESC, session_id DESC LIMIT ?"""
# The words of the query with their inflections, exact ones first. That the best of each session comes first is left to
# Python, which takes a fifth of the time of SQLite's window functions.
_CANDIDATES = f"""
    WITH found AS MATERIALIZED (
        SELECT f.rowid AS id, m.session_id, m.created_at, f.rank AS score FROM chatledger_messages_fts AS f
        CROSS JOIN chatledger_messages AS m ON m.message_id = f.rowid
        CROSS JOIN chatledger_sessions AS s ON s.session_id = m.session_id
        WHERE f.chatledger_messages_fts MATCH :match
            AND s.status <> 'expired' AND m.copied_from IS NULL AND m.hidden IS NULL
        ORDER BY f.rowid DESC LIMIT {CANDIDATES}
    )
    SELECT id, session_id, {{looseness}} AS looseness FROM found ORDER BY looseness, score, created_at DESC"""
_LOOSENESS = """id NOT IN (
        SELECT rowid FROM chatledger_messages_fts
        WHERE chatledger_messages_fts MATCH :exact AND rowid >= (SELECT min(id) FROM found)
    )"""
_OF_ONE_FORM, _OF_FORMS = _CANDIDATES.format(looseness="0"), _CANDIDATES.format(looseness=_LOOSENESS)
# A snippet looks its message up in the index, which takes three times as long for all forms of a word as for one.
_SNIPPET = """(
        SELECT snippet(chatledger_messages_fts, 0, '**', '**', '…', 24) FROM chatledger_messages_fts
        WHERE chatledger_messages_fts MATCH {match} AND rowid = m.message_id
    )"""
_FOUND = f"""
    SELECT m.message_id, m.session_id, m.sequence_number, m.role, m.created_at, s.title, s.user_id, s.project_id,
        coalesce({_SNIPPET.format(match=":exact")}, {_SNIPPET.format(match=":match")})
    FROM json_each(:page) AS page
    CROSS JOIN chatledger_messages AS m ON m.message_id = page.value
    CROSS JOIN chatledger_sessions AS s ON s.session_id = m.session_id"""
_CONTEXT = SESSION.index("context")
_FILL = """
    INSERT INTO chatledger_sessions (session_id, user_id, title, created_at, updated_at, last_activity)
    VALUES (?,?,?,?,?,?)"""
_LABEL = "INSERT INTO chatledger_session_metadata (session_id, key, value) VALUES (?, 'label', json_quote(?))"


class RawSQLite(Raw):
    """One connection of `sqlite3`, opened by a ledger, so that its pragmas are the same whatever they are, and taken away
    from it. It waits for locks in the library's own way.
    """

    def __init__(self, url: str) -> None:
        with Ledger(url, migrate="never") as ledger:
            self._pooled = ledger.engine.raw_connection()
            connection: Any = self._pooled.driver_connection
            self._pooled.detach()
        self._connection = connection
        self._connection.execute("PRAGMA busy_timeout=30000")
        self._execute = self._connection.execute

    def append_many(self, session_id: str, turns: Sequence[Turn]) -> None:
        self._execute("BEGIN IMMEDIATE")
        (last,) = self._execute(_LAST, (session_id,)).fetchone()
        rows = [(session_id, number, *values(turn, turn.stamp)) for number, turn in enumerate(turns, last + 1)]
        self._connection.executemany(_INSERT, rows)
        self._execute("COMMIT")

    def history(self, session_id: str) -> list[RawMessage]:
        return [
            RawMessage(session, number, role, content, payload and loads(payload), metadata and loads(metadata), *rest)
            for session, number, role, content, payload, metadata, *rest in self._execute(_HISTORY, (session_id,))
        ]

    def sessions_of(self, user_id: str, limit: int) -> list[RawSession]:
        rows = self._execute(_SESSIONS, (user_id, limit))
        found = []
        for row in rows:
            fields = list(row)
            fields[_CONTEXT] = loads(fields[_CONTEXT])
            fields[-1] = loads(fields[-1])
            found.append(RawSession(*fields))
        return found

    def search(self, query: RawQuery, limit: int) -> list[tuple[Any, ...]]:
        exact = f'"{query.words}"'
        bound = {"match": " OR ".join([exact, *(f'"{form}"' for form in query.forms)]), "exact": exact}
        found = self._execute(_OF_FORMS if query.forms else _OF_ONE_FORM, bound).fetchall()
        seen: set[str] = set()
        ranked: dict[int, tuple[list[int], list[int]]] = {0: ([], []), 1: ([], [])}
        for message_id, session_id, looseness in found:
            first, again = ranked[looseness]
            (again if session_id in seen else first).append(message_id)
            seen.add(session_id)
        page = [one for some in ranked.values() for part in some for one in part][:limit]
        shown: dict[int, tuple[Any, ...]] = {row[0]: row for row in self._execute(_FOUND, {**bound, "page": str(page)})}
        return [shown[message_id][1:] for message_id in page]

    def fill_sessions(self, sessions: Iterable[NewSession]) -> None:
        self._execute("BEGIN IMMEDIATE")
        for new in sessions:
            moment = stamp(new.created_at)
            self._execute(_FILL, (new.session_id, new.user_id, new.title, moment, moment, moment))
            if new.label:
                self._execute(_LABEL, (new.session_id, new.label))
        self._execute("COMMIT")

    def settle(self) -> None:
        self._execute("ANALYZE")
        self._execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._connection.close()
