"""OpenAI Agents: the tables of `SQLiteSession` and `SQLAlchemySession`, whose names the program may choose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.json_values import kept
from chatledger.adoption.layouts import Layout
from chatledger.adoption.message_content import name_in, text_of
from chatledger.adoption.reader import Reader, name_of, with_times
from chatledger.adoption.side_tables import Aside, remaining
from chatledger.adoption.source import Row, Source, quoted
from chatledger.adoption.source_rows import OldMessage, OldSession
from chatledger.enums import Role, Status

_KEY = "t.session_id"
_SESSIONS = ("session_id", "created_at", "updated_at")
_MESSAGES = ("id", "session_id", "message_data", "created_at")
#: What its extensions keep beside: branches, and usage by turn.
_ASIDES = (
    Aside("message_structure", _KEY, "message_structure"),
    Aside("turn_usage", _KEY, "turn_usage"),
)
_ROLES = {role.value: role for role in Role}


class OpenAIAgents(Reader):
    layout = Layout.OPENAI_AGENTS
    said = "an OpenAI Agents session store"

    @classmethod
    def knows(cls, source: Source) -> bool:
        return _pair(source) is not None

    def __init__(self, source: Source, *, dropping: bool) -> None:
        super().__init__(source, dropping=dropping)
        self._sessions, self._messages = _pair(source) or ("agent_sessions", "agent_messages")
        self._gone = f"NOT EXISTS (SELECT 1 FROM {quoted(self._sessions)} AS s WHERE s.session_id = {_KEY})"

    def tables(self) -> tuple[str, ...]:
        return (self._sessions, self._messages, *(aside.table for aside in _ASIDES))

    def survey(self) -> None:
        self.note_rows("orphan_messages", self._messages, self._gone, "id")
        empty = f"NOT EXISTS (SELECT 1 FROM {quoted(self._messages)} AS m WHERE m.session_id = {_KEY})"
        self.note_rows("sessions_without_messages", self._sessions, empty, "session_id")
        for aside in _ASIDES:
            self.note_rows("orphan_rows", aside.table, self._gone, "session_id")

    def sessions(self) -> Iterator[OldSession]:
        self.source.index(self._messages, _KEY)
        for aside in _ASIDES:
            aside.ready(self.source)
        for row in self.source.rows(self._sessions):
            yield self._session(row)
        yield from self._orphans()
        tables = [aside.table for aside in _ASIDES]
        yield from remaining(self, tables, dict.fromkeys(tables, self._gone))

    def _session(self, row: Row) -> OldSession:
        reading = self.read(row, kept(row["session_id"]))
        reading.raw("session_id")
        session = OldSession(
            source_id=name_of(row["session_id"], row),
            origin=str(row["created_at"]),
            fields={"created_at": reading.moment("created_at", needed=True)},
            messages=with_times(self._of_session(row["session_id"])),
            copied=[row],
        )
        for aside in _ASIDES:
            aside.keep(self.source, row["session_id"], session, "session_id")
        session.as_found |= reading.as_found()
        return session

    def _orphans(self) -> Iterator[OldSession]:
        for session_id in self.source.keys(self._messages, _KEY):
            if self.source.count(self._sessions, "session_id IS ?", (session_id,)):
                continue
            if self.dropping:
                self.drop(self.source.found(self._messages, _KEY, session_id))
                continue
            first = next(self.source.found(self._messages, _KEY, session_id, "t.id"))
            yield OldSession(
                source_id=name_of(session_id, first),
                origin=f"orphans {first['id']} {first['created_at']}",
                fields={
                    "title": "Recovered: messages of a session that is gone",
                    "created_at": self.began(first, "created_at"),
                },
                messages=with_times(self._of_session(session_id)),
                status=Status.PAUSED,
                recovered="messages of a session that is gone",
            )

    def _of_session(self, session_id: Any) -> Iterator[OldMessage]:
        for row in self.source.found(self._messages, _KEY, session_id, "t.id"):
            reading = self.read(row, kept(row["id"]))
            for column in ("id", "session_id"):
                reading.raw(column)
            item = reading.json("message_data", "invalid_json")
            if item is None:  # unreadable: the text is shown, and kept as found
                fields: dict[str, Any] = {"role": Role.USER, "content": reading.text("message_data") or ""}
            else:
                fields = _fields(item)
            yield OldMessage(
                row, {**fields, "created_at": reading.moment("created_at", needed=True)}, as_found=reading.as_found()
            )  # fmt: skip


def _fields(item: Any) -> dict[str, Any]:
    """A message from an item of the Responses API. What a text does not say is in the payload, unchanged."""
    if not isinstance(item, dict):
        return {"role": Role.USER, "content": "", "payload": item}
    kind, role, content = item.get("type"), item.get("role"), item.get("content")
    if role in _ROLES and isinstance(content, str) and item.keys() == {"role", "content"}:
        return {"role": _ROLES[role], "content": text_of(content), "payload": None if _is_kept(content) else item}
    fields: dict[str, Any] = {"role": _ROLES.get(str(role), Role.ASSISTANT), "content": text_of(content)}
    if kind == "function_call":
        fields["name"] = name_in(item.get("name"))
    elif isinstance(kind, str) and kind.endswith("_output"):
        fields |= {"role": Role.TOOL, "tool_call_id": name_in(item.get("call_id"))}
        fields["content"] = text_of(item.get("output"))
    elif kind == "reasoning" and not fields["content"]:
        fields["content"] = text_of(item.get("summary"))
    return {**fields, "payload": item}


def _is_kept(content: str) -> bool:
    return text_of(content) == content


def _pair(source: Source) -> tuple[str, str] | None:
    """The tables of sessions and of messages."""
    messages = [name for name, columns in source.tables.items() if set(columns) == set(_MESSAGES)]
    sessions = [name for name, columns in source.tables.items() if set(columns) == set(_SESSIONS)]
    return (sessions[0], messages[0]) if sessions and messages else None
