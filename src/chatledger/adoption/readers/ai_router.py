"""Layout A, the AI-router database: sessions, messages, session_metadata, and later timeouts and snapshots."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from chatledger.adoption.layouts import Layout
from chatledger.adoption.source.database import Row, Source, sum_of
from chatledger.adoption.source.json_values import is_clean, kept
from chatledger.adoption.source.ordering import oddities
from chatledger.adoption.source.reader import Reader, name_of, with_times
from chatledger.adoption.source.row_reader import Reading
from chatledger.adoption.source.rows import OldMessage, OldName, OldSession
from chatledger.adoption.source.side_tables import Aside, remaining
from chatledger.enums import Status
from chatledger.schemas.fields import MAX_IDENTIFIER

_KEY = "t.session_id"
_GONE = f"NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.session_id = {_KEY})"
_METADATA = "session_metadata"
_TIMEOUTS = Aside("session_timeouts", _KEY, "timeouts")
_SNAPSHOTS = Aside("session_snapshots", _KEY, "snapshots")
_STATUS = {word.value: word for word in Status}
# Seconds that an idle limit may have here, at least and at most.
_LEAST, _LIMIT = 1e-6, 36500 * 86400


class AiRouter(Reader):
    layout = Layout.AI_ROUTER
    said = "an AI-router database"

    @classmethod
    def knows(cls, source: Source) -> bool:
        return source.has("sessions", "session_id", "model_id", "message_count", "last_activity") and source.has(
            "messages", "message_id", "session_id", "sequence_number", "role", "content"
        )

    def tables(self) -> tuple[str, ...]:
        return ("sessions", "messages", _METADATA, _TIMEOUTS.table, _SNAPSHOTS.table)

    def names(self) -> Iterator[OldName]:
        """Models by the name that the newest session gives them. Each session keeps the name that it gives."""
        if not self.source.has("sessions", "model_name"):
            return
        newest = f"max({self.source.rowid_of('sessions')})"
        sql = f"SELECT model_id, model_name, {newest} FROM sessions WHERE model_name <> '' GROUP BY model_id"
        for model_id, name, _ in self.source.query(sql):
            if isinstance(name, str) and _is_name(model_id) and is_clean(name):
                yield OldName("model", model_id, {"name": name})

    def sessions(self) -> Iterator[OldSession]:
        for table in self.present():
            self.source.index(table, _KEY)
        for row in self.source.rows("sessions"):
            yield self._session(row)
        yield from self._orphans()
        dangling = dict.fromkeys(self.tables()[2:], _GONE)
        yield from remaining(self, self.tables()[2:], dangling)

    def survey(self) -> None:
        self._survey_counters()
        self._survey_sequences()
        self._survey_search()
        self.note_rows("orphan_messages", "messages", _GONE, "message_id")
        self.note_rows("orphan_metadata", _METADATA, _GONE, "session_id", "key")
        for aside in (_TIMEOUTS, _SNAPSHOTS):
            self.note_rows("orphan_rows", aside.table, _GONE, "session_id")

    def _survey_counters(self) -> None:
        """Counters against rows. What a deleted message explains (its number is a hole) is a finding of its own."""
        sql = (
            "SELECT s.session_id, s.message_count, s.total_tokens, s.total_duration_seconds, m.n, m.tokens, m.seconds,"
            " m.high - m.n, s.title FROM sessions AS s LEFT JOIN (SELECT session_id, count(*) AS n,"
            " exact_sum(tokens_used) AS tokens, exact_sum(duration_seconds) AS seconds,"
            " max(sequence_number) AS high FROM messages GROUP BY session_id) AS m ON m.session_id = s.session_id"
            " ORDER BY s.rowid"
        )
        for session_id, count, tokens, seconds, found, used, took, holes, title in self.source.query(sql):
            key = kept(session_id)
            if not found:
                self.notes.add("sessions_without_messages", "sessions", key)
            elif not title:  # the old program made one of the first question
                self.notes.add("no_title", "sessions", key)
            if count != (found or 0):
                self.notes.add("message_count_off", "sessions", key)
            deleted = False
            for kind, said, added, noise in (
                ("total_tokens_off", tokens, sum_of(used), 0),
                ("total_duration_off", seconds, sum_of(took), 0.001 * ((found or 0) + 1)),
            ):
                more = said - added if isinstance(said, int | float) else None
                if more is None or abs(more) > noise:
                    if more is not None and more > 0 and holes and holes > 0:
                        deleted = True
                    else:
                        self.notes.add(kind, "sessions", key)
            if deleted:
                self.notes.add("totals_of_deleted", "sessions", key)

    def _survey_sequences(self) -> None:
        there = "SELECT session_id FROM sessions"
        for found in oddities(self.source, "messages", "session_id", "message_id", of=there):
            self.notes.add(found.kind, "messages", [kept(found.session), found.number])

    def _survey_search(self) -> None:
        if "sessions_fts" not in self.source.virtual:
            return
        sql = (
            "SELECT s.session_id FROM sessions AS s"
            " LEFT JOIN (SELECT session_id, count(*) AS n, sum(length(content)) AS size FROM sessions_fts"
            " GROUP BY session_id) AS f ON f.session_id = s.session_id"
            " LEFT JOIN (SELECT session_id, count(*) AS n, sum(length(content)) AS size FROM messages"
            " GROUP BY session_id) AS m ON m.session_id = s.session_id"
            " WHERE f.n IS NOT m.n OR f.size IS NOT m.size ORDER BY s.session_id"
        )
        try:
            stale = [kept(row[0]) for row in self.source.query(sql)]
        except sqlite3.Error:
            return  # broken altogether, which is noted elsewhere
        self.notes.add_all("stale_fts", "sessions_fts", stale)

    def _session(self, row: Row) -> OldSession:
        key = kept(row["session_id"])
        reading = self.read(row, key)
        reading.raw("session_id")
        session = OldSession(
            source_id=name_of(row["session_id"], row),
            origin=str(row["created_at"]),
            fields={
                "title": reading.text("title"),
                "model_id": reading.identifier("model_id"),
                "created_at": reading.moment("created_at", "sql", needed=True),
            },
            messages=with_times(self._messages(row["session_id"])),
            copied=[row],
        )
        self._take_status(reading, session)
        model_name = reading.text("model_name")
        if model_name is not None:
            session.metadata["model_name"] = model_name
        self._take_metadata(row["session_id"], session)
        self._take_limits(row["session_id"], session)
        for aside in (_TIMEOUTS, _SNAPSHOTS):
            aside.keep(self.source, row["session_id"], session, "session_id")
        session.as_found |= reading.as_found()
        return session

    def _take_status(self, reading: Reading, session: OldSession) -> None:
        word = reading.raw("status")
        if word in _STATUS:
            session.status = _STATUS[word]
            if session.status in (Status.ARCHIVED, Status.EXPIRED):
                session.closed_at = reading.moment("last_activity", "sql", needed=True)
                reading.keep("last_activity")
        elif word is not None:
            reading.note("unknown_status")
            reading.keep("status")

    def _take_metadata(self, session_id: Any, session: OldSession) -> None:
        for row in self.source.found(_METADATA, _KEY, session_id):
            reading = self.read(row, [session.source_id, kept(row["key"])])
            name = reading.text("key") or ""
            session.metadata[name] = reading.text("value")
            if found := {key: value for key, value in reading.as_found().items() if key in ("key", "value")}:
                session.as_found[f"metadata {row.rowid}"] = found
            session.kept.append(row)

    def _take_limits(self, session_id: Any, session: OldSession) -> None:
        """The idle limit is set. A hard limit, counted from then, would end the session at the first sweep."""
        for row in self.source.found(_TIMEOUTS.table, _KEY, session_id):
            limit = row["idle_timeout_seconds"]
            if isinstance(limit, int | float) and _LEAST <= limit <= _LIMIT:
                session.fields["idle_timeout"] = limit
            elif limit is not None:
                self.notes.add("timeout_out_of_range", row.table, session.source_id)
            if row["hard_timeout_seconds"] is not None:
                self.notes.add("hard_timeout", row.table, session.source_id)

    def _messages(self, session_id: Any) -> Iterator[OldMessage]:
        rows = self.source.found("messages", _KEY, session_id, "t.sequence_number, t.message_id")
        for number, row in enumerate(rows, 1):
            yield self._message(row, [kept(session_id), kept(row["sequence_number"])], number)

    def _message(self, row: Row, key: Any, expected: int) -> OldMessage:
        reading = self.read(row, key)
        for column in ("message_id", "session_id", "sequence_number"):
            reading.raw(column)
        if row["sequence_number"] != expected:
            reading.keep("sequence_number")
        fields = {
            "role": reading.role("role"),
            "content": reading.content("content"),
            "created_at": reading.moment("timestamp", "sql", needed=True),
            "tokens_used": reading.whole("tokens_used"),
            "duration_ms": reading.milliseconds("duration_seconds"),
        }
        metadata = reading.names("metadata", "metadata_not_a_json_object")
        return OldMessage(row, fields, metadata, reading.as_found())

    def _orphans(self) -> Iterator[OldSession]:
        for session_id in self.source.keys("messages", _KEY):
            if self.source.count("sessions", "session_id IS ?", (session_id,)):
                continue
            if self.dropping:
                self.drop(self.source.found("messages", _KEY, session_id))
                continue
            first = next(self.source.found("messages", _KEY, session_id, "t.message_id"))
            session = OldSession(
                source_id=name_of(session_id, first),
                origin=f"orphans {first['message_id']}",
                fields={
                    "title": "Recovered: messages of a session that is gone",
                    "created_at": self.began(first, "timestamp"),
                },
                messages=with_times(self._orphaned(session_id)),
                status=Status.PAUSED,
                recovered="messages of a session that is gone",
            )
            self._take_metadata(session_id, session)
            yield session

    def _orphaned(self, session_id: Any) -> Iterator[OldMessage]:
        rows = self.source.found("messages", _KEY, session_id, "t.sequence_number, t.message_id")
        for expected, row in enumerate(rows, 1):
            yield self._message(row, kept(row["message_id"]), expected)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_IDENTIFIER and is_clean(value)
