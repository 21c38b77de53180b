"""Layout B, the `chat_sessions` database: chat_sessions and chat_messages, with its own migrations 2 and 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.layouts import Layout
from chatledger.adoption.source.database import Row, Source
from chatledger.adoption.source.json_values import kept
from chatledger.adoption.source.reader import Reader, name_of, with_times
from chatledger.adoption.source.row_reader import Reading
from chatledger.adoption.source.rows import OldMessage, OldSession
from chatledger.enums import Status

_KEY = "t.session_id"
# Nothing but its time orders a message, and the row where times are equal. What is no time comes last.
_ORDER = "coalesce(moment(CAST(t.timestamp AS BLOB)), 9e18), t.id"
_NOT_AN_OBJECT = "context_or_metadata_not_a_json_object"


class ChatSessions(Reader):
    layout = Layout.CHAT_SESSIONS
    said = "a chat_sessions database"

    @classmethod
    def knows(cls, source: Source) -> bool:
        return source.has(
            "chat_sessions", "session_id", "user_id", "created_at", "context", "expired_at"
        ) and source.has(
            "chat_messages", "id", "session_id", "role", "content", "query_plan", "candidate_set", "timestamp"
        )

    def tables(self) -> tuple[str, ...]:
        return ("chat_sessions", "chat_messages")

    def survey(self) -> None:
        gone = f"NOT EXISTS (SELECT 1 FROM chat_sessions AS s WHERE s.session_id = {_KEY})"
        self.note_rows("orphan_messages", "chat_messages", gone, "id")
        empty = f"NOT EXISTS (SELECT 1 FROM chat_messages AS m WHERE m.session_id = {_KEY})"
        self.note_rows("sessions_without_messages", "chat_sessions", empty, "session_id")
        self._survey_order()

    def _survey_order(self) -> None:
        sql = (
            "WITH timed AS (SELECT session_id, id, moment(CAST(timestamp AS BLOB)) AS at FROM chat_messages"
            " WHERE session_id IN (SELECT session_id FROM chat_sessions)),"
            " pairs AS (SELECT session_id, at, lag(at) OVER (PARTITION BY session_id ORDER BY id) AS before,"
            " lag(at) OVER (PARTITION BY session_id ORDER BY at) AS earlier FROM timed)"
            " SELECT session_id, max(at < before), max(at = earlier) FROM pairs GROUP BY session_id"
        )
        for session_id, backwards, doubled in self.source.query(sql):
            if backwards:
                self.notes.add("id_order_is_not_time_order", "chat_messages", kept(session_id))
            if doubled:
                self.notes.add("same_timestamp", "chat_messages", kept(session_id))

    def sessions(self) -> Iterator[OldSession]:
        self.source.index("chat_messages", _KEY)
        for row in self.source.rows("chat_sessions"):
            yield self._session(row)
        yield from self._orphans()

    def _session(self, row: Row) -> OldSession:
        key = kept(row["session_id"])
        reading = self.read(row, key)
        reading.raw("session_id")
        if row["context"] is None:
            reading.note("context_null")
        owner = reading.identifier("user_id")
        if owner is None:
            reading.note("anonymous")
        session = OldSession(
            source_id=name_of(row["session_id"], row),
            origin=str(row["created_at"]),
            fields={
                "user_id": owner,
                "context": reading.names("context", _NOT_AN_OBJECT) or None,
                "created_at": reading.moment("created_at", "iso", needed=True),
            },
            metadata=reading.names("metadata", _NOT_AN_OBJECT),
            messages=with_times(self._messages(row["session_id"])),
            copied=[row],
        )
        preferences = reading.json("preferences", "invalid_json")
        if preferences:
            session.metadata["preferences"] = preferences
        reading.moment("updated_at", "iso", odd="aware_updated_at")
        reading.keep("updated_at")
        self._take_end(reading, session)
        session.as_found |= reading.as_found()
        return session

    def _take_end(self, reading: Reading, session: OldSession) -> None:
        if reading.row["expired_at"] is None:
            return
        reading.note("expired")
        session.status, session.closed_at = Status.EXPIRED, reading.moment("expired_at", "iso")
        began = session.fields["created_at"]
        if session.closed_at is not None and began is not None and session.closed_at < began:
            reading.note("expired_before_created")

    def _messages(self, session_id: Any) -> Iterator[OldMessage]:
        for row in self.source.found("chat_messages", _KEY, session_id, _ORDER):
            yield self._message(row)

    def _message(self, row: Row) -> OldMessage:
        reading = self.read(row, kept(row["id"]))
        for column in ("id", "session_id"):
            reading.raw(column)
        payload = {name: reading.json(name, "invalid_json") for name in ("query_plan", "candidate_set")}
        fields = {
            "role": reading.role("role"),
            "content": reading.content("content"),
            "payload": {name: value for name, value in payload.items() if value is not None} or None,
            "created_at": reading.moment("timestamp", "iso", needed=True),
        }
        rating = reading.raw("rating")
        metadata = {} if rating is None else {"rating": kept(rating)}
        return OldMessage(row, fields, metadata, reading.as_found())

    def _orphans(self) -> Iterator[OldSession]:
        for session_id in self.source.keys("chat_messages", _KEY):
            if self.source.count("chat_sessions", "session_id IS ?", (session_id,)):
                continue
            if self.dropping:
                self.drop(self.source.found("chat_messages", _KEY, session_id))
                continue
            first = next(self.source.found("chat_messages", _KEY, session_id, _ORDER))
            yield OldSession(
                source_id=name_of(session_id, first),
                origin=f"orphans {first['id']}",
                fields={
                    "title": "Recovered: messages of a session that is gone",
                    "created_at": self.began(first, "timestamp"),
                },
                messages=with_times(self._messages(session_id)),
                status=Status.PAUSED,
                recovered="messages of a session that is gone",
            )
