"""LangChain: the table of `SQLChatMessageHistory`, whose name the program may choose. It knows no times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.json_values import NotJson, kept, read_json
from chatledger.adoption.layouts import Layout
from chatledger.adoption.message_content import count_in, name_in, text_of
from chatledger.adoption.reader import Reader, name_of
from chatledger.adoption.source import Source
from chatledger.adoption.source_rows import OldMessage, OldSession
from chatledger.enums import Role

_KEY = "t.session_id"
_COLUMNS = ("id", "session_id", "message")
_ROLES = {
    "human": Role.USER, "HumanMessageChunk": Role.USER, "ai": Role.ASSISTANT, "AIMessageChunk": Role.ASSISTANT,
    "system": Role.SYSTEM, "tool": Role.TOOL, "function": Role.TOOL, "developer": Role.DEVELOPER,
}  # fmt: skip
_CHAT_ROLES = {role.value: role for role in Role}


class LangChain(Reader):
    layout = Layout.LANGCHAIN
    said = "a LangChain message store"

    @classmethod
    def knows(cls, source: Source) -> bool:
        return _table(source) is not None

    def __init__(self, source: Source, *, dropping: bool) -> None:
        super().__init__(source, dropping=dropping)
        self._table = _table(source) or "message_store"

    def tables(self) -> tuple[str, ...]:
        return (self._table,)

    def survey(self) -> None:
        if count := self.source.count(self._table):
            self.notes.add("no_time", self._table, self._table, count=count)

    def sessions(self) -> Iterator[OldSession]:
        self.source.index(self._table, _KEY)
        for session_id in self.source.keys(self._table, _KEY):
            first = next(self.source.found(self._table, _KEY, session_id, "t.id"))
            yield OldSession(
                source_id=name_of(session_id, first),
                origin=f"{first['id']} {first['message']}",
                messages=self._messages(session_id),
            )

    def _messages(self, session_id: Any) -> Iterator[OldMessage]:
        for row in self.source.found(self._table, _KEY, session_id, "t.id"):
            reading = self.read(row, kept(row["id"]))
            for column in ("id", "session_id"):
                reading.raw(column)
            message = reading.json("message", "invalid_json", dict)
            if message is None or not isinstance(message.get("data"), dict):
                fields: dict[str, Any] = {
                    "role": Role.USER,
                    "content": reading.text("message") or "",
                    "payload": message,
                }
            else:
                fields = _fields(message.get("type"), message["data"])
            yield OldMessage(row, fields, as_found=reading.as_found())


def _fields(kind: Any, data: dict[str, Any]) -> dict[str, Any]:
    content = data.get("content")
    text = text_of(content)
    role = _ROLES.get(str(kind)) or _CHAT_ROLES.get(str(data.get("role"))) or Role.USER
    usage = data.get("usage_metadata") if isinstance(data.get("usage_metadata"), dict) else {}
    answered = data.get("response_metadata") if isinstance(data.get("response_metadata"), dict) else {}
    assert isinstance(usage, dict)
    assert isinstance(answered, dict)
    # The text itself is not kept twice.
    rest = {name: value for name, value in data.items() if name != "content" or value != text}
    return {
        "role": role,
        "content": text,
        "payload": {"type": kind, "data": rest},
        "name": name_in(data.get("name")),
        "tool_call_id": name_in(data.get("tool_call_id")),
        "model_id": name_in(answered.get("model_name") or answered.get("model")),
        "input_tokens": count_in(usage.get("input_tokens")),
        "output_tokens": count_in(usage.get("output_tokens")),
        "cached_tokens": count_in(_detail(usage, "input_token_details", "cache_read")),
        "reasoning_tokens": count_in(_detail(usage, "output_token_details", "reasoning")),
    }


def _table(source: Source) -> str | None:
    """The table, under LangChain's own name, or under another when what is in it looks like LangChain's."""
    found = [name for name, columns in source.tables.items() if set(columns) == set(_COLUMNS)]
    return next((name for name in found if name == "message_store" or _holds_messages(source, name)), None)


def _holds_messages(source: Source, table: str) -> bool:
    first = next(source.rows(table), None)
    try:
        message = read_json(first["message"]) if first is not None else None
    except NotJson:
        return False
    return isinstance(message, dict) and message.keys() >= {"type", "data"}


def _detail(usage: dict[str, Any], of: str, name: str) -> Any:
    details = usage.get(of)
    return details.get(name) if isinstance(details, dict) else None
