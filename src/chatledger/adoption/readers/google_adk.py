"""Google ADK: the tables of `DatabaseSessionService`, with events as one JSON column, or as the columns before that.

The older columns hold pickled Python objects: they are kept as bytes and never revived.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.layouts import Layout
from chatledger.adoption.readers.google_adk_events import messages_of
from chatledger.adoption.source.database import Row, Source
from chatledger.adoption.source.json_values import NotJson, kept, read_json
from chatledger.adoption.source.reader import Reader, name_of, with_times
from chatledger.adoption.source.row_reader import Reading
from chatledger.adoption.source.rows import OldMessage, OldSession
from chatledger.adoption.source.side_tables import remaining
from chatledger.enums import Status

# A session is known by three names.
# `quote` alone ends at a NUL, `hex` alone does not tell a number from its digits.
_NAMES = "quote({0}) || hex({0}) || quote({1}) || hex({1}) || quote({2}) || hex({2})"
_KEY = _NAMES.format("t.app_name", "t.user_id", "t.session_id")
_SESSION = _NAMES.format("t.app_name", "t.user_id", "t.id")
_ORDER = "coalesce(moment(CAST(t.timestamp AS BLOB)), 9e18), r"
_GONE = (
    "NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.app_name = t.app_name AND s.user_id = t.user_id"
    " AND s.id = t.session_id)"
)


class GoogleAdk(Reader):
    layout = Layout.GOOGLE_ADK
    said = "a Google ADK session store"

    @classmethod
    def knows(cls, source: Source) -> bool:
        return source.has("sessions", "app_name", "user_id", "id", "state") and source.has(
            "events", "id", "app_name", "user_id", "session_id", "invocation_id", "timestamp"
        )

    def tables(self) -> tuple[str, ...]:
        return ("sessions", "events", "app_states", "user_states", "adk_internal_metadata", "metadata")

    def survey(self) -> None:
        self.note_rows("orphan_messages", "events", _GONE, "id")
        empty = (
            "NOT EXISTS (SELECT 1 FROM events AS e WHERE e.app_name = t.app_name AND e.user_id = t.user_id"
            " AND e.session_id = t.id)"
        )
        self.note_rows("sessions_without_messages", "sessions", empty, "app_name", "user_id", "id")

    def sessions(self) -> Iterator[OldSession]:
        self.source.index("events", _KEY)
        self.source.index("sessions", _SESSION)
        for row in self.source.rows("sessions"):
            yield self._session(row)
        yield from self._orphans()
        yield from remaining(self, self.tables()[2:], {})

    def _session(self, row: Row) -> OldSession:
        reading = self.read(row, [kept(row[name]) for name in ("app_name", "user_id", "id")])
        state = reading.json("state", "invalid_json")
        session = OldSession(
            source_id=f"{row['app_name']}/{row['user_id']}/{row['id']}",
            session_id=name_of(reading.raw("id"), row),
            origin=str(row["create_time"]),
            fields={
                "user_id": reading.identifier("user_id"),
                "project_id": reading.identifier("app_name"),
                "context": state if isinstance(state, dict) else None,
                "created_at": reading.moment("create_time", needed=True),
            },
            messages=with_times(self._events(self._key_of(row, "id"))),
            copied=[row],
        )
        if state is not None and not isinstance(state, dict):
            reading.keep("state")
        session.as_found |= reading.as_found()
        return session

    def _key_of(self, row: Row, name: str) -> Any:
        sql = f"SELECT {_NAMES.format(':app', ':user', ':id')}"
        return self.source.one(sql, {"app": row["app_name"], "user": row["user_id"], "id": row[name]})[0]

    def _orphans(self) -> Iterator[OldSession]:
        for key in self.source.keys("events", _KEY):
            if next(self.source.found("sessions", _SESSION, key), None) is not None:
                continue
            if self.dropping:
                self.drop(self.source.found("events", _KEY, key))
                continue
            first = next(self.source.found("events", _KEY, key, _ORDER))
            reading = self.read(first, kept(first["id"]))
            yield OldSession(
                source_id=f"{first['app_name']}/{first['user_id']}/{first['session_id']}",
                session_id=name_of(first["session_id"], first),
                origin=f"orphans {first['id']}",
                fields={
                    "title": "Recovered: messages of a session that is gone",
                    "user_id": reading.identifier("user_id"),
                    "project_id": reading.identifier("app_name"),
                    "created_at": self.began(first, "timestamp"),
                },
                messages=with_times(self._events(key)),
                status=Status.PAUSED,
                recovered="messages of a session that is gone",
            )

    def _events(self, key: Any) -> Iterator[OldMessage]:
        for row in self.source.found("events", _KEY, key, _ORDER):
            reading = self.read(row, kept(row["id"]))
            for column in ("app_name", "user_id", "session_id"):
                reading.raw(column)
            event = _event(reading)
            at = reading.moment("timestamp", needed=True)
            metadata = {
                name: value
                for name, value in (("event_id", reading.text("id")), ("invocation_id", reading.text("invocation_id")))
                if value is not None
            }
            for number, fields in enumerate(messages_of(event)):
                part = f":{number + 1}" if number else ""
                as_found = {} if number else reading.as_found()
                yield OldMessage(row, {**fields, "created_at": at}, dict(metadata), as_found, part=part)


def _event(reading: Reading) -> dict[str, Any]:
    """The event as one object, whichever way it is stored."""
    if "event_data" in reading.row.values:
        return reading.names("event_data", "invalid_json")
    event: dict[str, Any] = {}
    for name in ("author", "branch", "partial", "turn_complete", "error_code", "error_message", "interrupted"):
        value = reading.raw(name)
        if value is not None:
            event[name] = kept(value)
    for name in ("content", "grounding_metadata", "custom_metadata", "usage_metadata", "long_running_tool_ids_json"):
        value = reading.row[name]
        if isinstance(value, str):
            try:
                event[name] = read_json(value)
            except NotJson:
                reading.note("invalid_json")
                continue
            reading.raw(name)
    return event
