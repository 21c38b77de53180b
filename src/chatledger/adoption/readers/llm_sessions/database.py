"""Layout C, the LLM-session-management schema 1.0: fifteen tables, addressed by integers within and by UUIDs outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.layouts import Layout
from chatledger.adoption.readers.llm_sessions.records import Records
from chatledger.adoption.readers.llm_sessions.registry import NAMES, is_name, model_name, project_name, registry
from chatledger.adoption.readers.llm_sessions.survey import survey
from chatledger.adoption.readers.llm_sessions.workflows import Workflows
from chatledger.adoption.source.database import Row, Source
from chatledger.adoption.source.json_values import kept
from chatledger.adoption.source.message_content import call_entry
from chatledger.adoption.source.reader import Reader, name_of, with_times
from chatledger.adoption.source.records import OldRecord
from chatledger.adoption.source.row_reader import Reading
from chatledger.adoption.source.rows import OldMessage, OldName, OldSession
from chatledger.adoption.source.side_tables import Aside, remaining
from chatledger.enums import Status
from chatledger.schemas.message_parts import payload_of, read_tool_calls

_KEY = "t.session_id"
_ORDER = "t.sequence_number, t.id"
_NOT_RIGHT = "tags_or_metadata_not_json_of_the_right_kind"

_SNAPSHOTS = Aside("session_snapshots", _KEY, "snapshots")
# Tables whose rows name a session.
_OF_SESSION = ("comparison_sessions", "comparison_results", "batch_items", "workflow_steps", _SNAPSHOTS.table)

# Where the words of the layout lead. A completed session is over: it is archived.
_STATUS = {
    "active": Status.ACTIVE,
    "running": Status.ACTIVE,
    "paused": Status.PAUSED,
    "completed": Status.ARCHIVED,
    "archived": Status.ARCHIVED,
    "failed": Status.FAILED,
}
_NO_SESSION = f"{_KEY} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = {_KEY})"
DANGLING_ANNOTATIONS = (
    "(t.entity_type = 'message' AND NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.id = t.entity_id)) OR"
    " (t.entity_type = 'session' AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = t.entity_id))"
)


class LlmSessions(Reader):
    layout = Layout.LLM_SESSIONS
    said = "an LLM-session-management database"

    @classmethod
    def knows(cls, source: Source) -> bool:
        return source.has(
            "sessions", "id", "session_uuid", "started_at", "total_messages", "total_cost"
        ) and source.has(
            "messages", "id", "message_uuid", "session_id", "sequence_number", "role", "content", "input_tokens", "cost"
        )

    def tables(self) -> tuple[str, ...]:
        return (
            "sessions", "messages", "projects", "models", "comparison_groups", "comparison_sessions",
            "comparison_results", "batch_jobs", "batch_items", "workflows", "workflow_executions", "workflow_steps",
            "performance_metrics", "session_snapshots", "annotations",
        )  # fmt: skip

    def survey(self) -> None:
        survey(self)
        self.note_rows("orphan_messages", "messages", _NO_SESSION, "id")
        self.note_rows("dangling_annotations", "annotations", DANGLING_ANNOTATIONS, "id")
        for table in _OF_SESSION:
            self.note_rows("orphan_rows", table, _NO_SESSION, "id")

    def sessions(self) -> Iterator[OldSession]:
        self.source.index("messages", _KEY)
        _SNAPSHOTS.ready(self.source)
        for row in self.source.rows("sessions"):
            yield self._session(row)
        yield from self._orphans()

    def records(self) -> Iterator[OldRecord]:
        found = Records(self, self._session_of)
        yield from found.annotations()
        yield from found.metrics()
        yield from found.comparisons()
        yield from found.batches()
        yield from Workflows(self, self._session_of).records()

    def rest(self) -> Iterator[OldSession]:
        dangling = dict.fromkeys(_OF_SESSION, _NO_SESSION)
        yield from remaining(self, self.tables()[2:], {**dangling, "annotations": DANGLING_ANNOTATIONS}, known_by=NAMES)

    def names(self) -> Iterator[OldName]:
        return registry(self)

    def _session(self, row: Row) -> OldSession:
        uuid = row["session_uuid"]
        reading = self.read(row, kept(uuid))
        reading.raw("session_uuid")
        session = OldSession(
            source_id=name_of(uuid, row),
            origin=str(row["started_at"]),
            fields={
                "title": reading.text("title"),
                "system_prompt": reading.text("system_prompt"),
                "project_id": self._name(reading, "project_id", self._project(row["project_id"])),
                "model_id": self._name(reading, "model_id", self._model(row["model_id"])),
                "created_at": reading.moment("started_at", "sql", needed=True),
            },
            metadata=reading.names("metadata", _NOT_RIGHT),
            messages=with_times(self._messages(row["id"])),
            copied=[row],
        )
        tags = reading.json("tags", _NOT_RIGHT, list)
        if tags is not None:
            session.metadata["tags"] = tags
        if parent := self._uuid(row["parent_session_id"]):
            session.metadata["parent_session"] = parent
        self._take_status(reading, session)
        _SNAPSHOTS.keep(self.source, row["id"], session, "session_id")
        session.as_found |= reading.as_found()
        return session

    def _take_status(self, reading: Reading, session: OldSession) -> None:
        word = reading.row["status"]  # kept as found too: completed and archived are one here
        if word in _STATUS:
            session.status = _STATUS[word]
        elif word is not None:
            reading.note("unknown_status")
        if session.status is Status.ARCHIVED:
            session.closed_at = reading.moment("completed_at", "sql", needed=True)
            reading.keep("completed_at")

    def _messages(self, session_id: Any) -> Iterator[OldMessage]:
        for number, row in enumerate(self.source.found("messages", _KEY, session_id, _ORDER), 1):
            yield self._message(row, kept(row["message_uuid"]), number)

    def _message(self, row: Row, key: Any, number: int) -> OldMessage:
        reading = self.read(row, key)
        for column in ("id", "session_id", "sequence_number"):
            reading.raw(column)
        if row["sequence_number"] != number:
            reading.keep("sequence_number")
        calls = {name: reading.json(name, "invalid_json") for name in ("function_call", "tool_calls")}
        fields = {
            "role": reading.role("role"),
            "content": reading.text("content") or "",
            "payload": _payload({name: value for name, value in calls.items() if value is not None}),
            "model_id": self._name(reading, "model_id", self._model(row["model_id"])),
            "created_at": reading.moment("timestamp", "sql", needed=True),
            "input_tokens": reading.whole("input_tokens", real="tokens_are_real"),
            "output_tokens": reading.whole("output_tokens", real="tokens_are_real"),
            "cost": reading.cost("cost"),
            "duration_ms": reading.milliseconds("latency_ms", of_a_second=1000, text="latency_is_text"),
        }
        if not fields["content"] and not fields["payload"] and row["error_message"] is None:
            reading.note("empty_content")
        metadata = reading.names("metadata", "metadata_not_a_json_object")
        for name in ("message_uuid", "content_type", "finish_reason", "error_message"):
            value = reading.text(name)
            if value is not None:
                metadata.setdefault(name, value)
        return OldMessage(row, fields, metadata, reading.as_found())

    def _orphans(self) -> Iterator[OldSession]:
        for session_id in self.source.keys("messages", _KEY):
            if self.source.count("sessions", "id IS ?", (session_id,)):
                continue
            if self.dropping:
                self.drop(self.source.found("messages", _KEY, session_id))
                continue
            first = next(self.source.found("messages", _KEY, session_id, _ORDER))
            session = self._recovered(session_id, first)
            session.messages = with_times(self._messages(session_id))
            yield session

    def _recovered(self, key: Any, first: Row) -> OldSession:
        return OldSession(
            source_id=f"sessions.id {key}",
            session_id=f"recovered-session-{key}",
            origin=f"orphans {first['message_uuid']}",
            fields={
                "title": "Recovered: messages of a session that is gone",
                "created_at": self.began(first, "timestamp"),
            },
            messages=iter(()),
            status=Status.PAUSED,
            recovered="messages of a session that is gone",
        )

    def _session_of(self, key: Any) -> OldSession | None:
        """The session that another row names by its number, by what tells it from others."""
        if key is None:
            return None
        row = next(self.source.rows("sessions", "t.id IS ?", (key,)), None)
        if row is not None:
            return OldSession(name_of(row["session_uuid"], row), str(row["started_at"]), iter(()))
        first = next(self.source.found("messages", _KEY, key, _ORDER), None)
        return None if first is None or self.dropping else self._recovered(key, first)

    def _name(self, reading: Reading, column: str, name: str | None) -> str | None:
        """A project or model by its name. One that is not there, or has none that can be stored, is kept as found."""
        reading.raw(column)
        if is_name(name):
            return name
        reading.keep(column)
        return None

    def _project(self, key: Any) -> str | None:
        if key is None or not self.source.has("projects", "id", "name"):
            return None
        row = self.source.one("SELECT name FROM projects WHERE id = ?", (key,))
        return project_name(*row) if row else None

    def _model(self, key: Any) -> str | None:
        if key is None or not self.source.has("models", "id", "provider", "model_name", "model_version"):
            return None
        row = self.source.one("SELECT provider, model_name, model_version FROM models WHERE id = ?", (key,))
        return model_name(*row) if row else None

    def _uuid(self, key: Any) -> str | None:
        row = self.source.one("SELECT session_uuid FROM sessions WHERE id = ?", (key,)) if key is not None else None
        return str(row[0]) if row else None


def _payload(found: dict[str, Any]) -> dict[str, Any] | None:
    """Calls in the ledger's form. What is none of the forms that programs wrote there is kept as it was."""
    calls, others = [], {}
    for column, value in found.items():
        entries = value if isinstance(value, list) else [value]
        taken = [call for entry in entries if (call := _call(entry)) is not None]
        if len(taken) == len(entries):
            calls += taken
        else:
            others[column] = value
    return payload_of(
        tool_calls=calls, source_format=Layout.LLM_SESSIONS.value, source={"message": others} if others else None
    )


def _call(entry: Any) -> dict[str, Any] | None:
    """A call as OpenAI writes it, or with its name beside its arguments."""
    if not isinstance(entry, dict):
        return None
    if read_tool_calls({"tool_calls": [entry]}):
        return entry
    given = next((name for name in ("arguments", "args", "input") if name in entry), None)
    if not isinstance(entry.get("name"), str):
        return None
    rest = {name: value for name, value in entry.items() if name not in ("name", "id", "type", given)}
    return call_entry(entry["name"], entry[given] if given else {}, entry.get("id"), **rest)
