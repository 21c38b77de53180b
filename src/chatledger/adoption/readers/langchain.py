"""LangChain: the table of `SQLChatMessageHistory`, whose name the program may choose. It knows no times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.layouts import Layout
from chatledger.adoption.source.database import Source
from chatledger.adoption.source.json_values import NotJson, cleaned, kept, read_json
from chatledger.adoption.source.message_content import call_entry, name_in, result_fields, role_of, text_of
from chatledger.adoption.source.reader import Reader, name_of
from chatledger.adoption.source.row_reader import Reading
from chatledger.adoption.source.rows import OldMessage, OldSession
from chatledger.adoption.source.side_tables import remaining
from chatledger.enums import Role
from chatledger.schemas.message_parts import payload_of, read_tool_calls, reasoning
from chatledger.schemas.token_usage import token_counts

_KEY = "t.session_id"
_COLUMNS = ("id", "session_id", "message")
SOURCE = "langchain"


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
        yield from remaining(self, self.tables(), {})

    def _messages(self, session_id: Any) -> Iterator[OldMessage]:
        tools: dict[str, str] = {}
        for row in self.source.found(self._table, _KEY, session_id, "t.id"):
            reading = self.read(row, kept(row["id"]))
            for column in ("id", "session_id"):
                reading.raw(column)
            message = reading.json("message", "invalid_json", dict)
            if message is None or not isinstance(message.get("data"), dict):
                if message is not None:
                    reading.note("not_a_message")
                fields: dict[str, Any] = {
                    "role": Role.USER,
                    "content": reading.text("message") or "",
                    "payload": payload_of(source_format=SOURCE, source={"message": message} if message else None),
                }
            elif message.get("type") == "remove":
                reading.note("removal")
                continue  # kept with the rows that belong to no session
            else:
                fields = _fields(message.get("type"), message["data"], reading)
                _name_tools(fields, tools)
            yield OldMessage(row, fields, as_found=reading.as_found())


def _fields(kind: Any, data: dict[str, Any], reading: Reading) -> dict[str, Any]:
    content = data.get("content")
    text = text_of(content)
    usage, answered, more = (
        _object(data.get(name)) for name in ("usage_metadata", "response_metadata", "additional_kwargs")
    )
    fields = {
        "role": _role(kind, data, reading),
        "content": text,
        "name": name_in(data.get("name")),
        "tool_call_id": name_in(data.get("tool_call_id")),
        "model_id": name_in(answered.get("model_name") or answered.get("model")),
        **{name: value for name, value in token_counts(usage).items() if name != "tokens_used"},
    }
    # The text itself is not kept twice, nor what is empty.
    rest = {name: value for name, value in data.items() if name != "content" or value != text}
    source = {"message": {"type": kind, "data": rest}} if any(rest.keys() - {"type"}) and _says_more(rest) else {}
    if fields["role"] is Role.TOOL:
        value = data.get("artifact") if data.get("artifact") is not None else content
        result = result_fields(
            value, tool_call_id=data.get("tool_call_id"), name=data.get("name"), is_error=data.get("status") == "error"
        )
        return {
            **fields,
            **result,
            "content": text or result["content"],
            "payload": _joined(result.get("payload"), source),
        }
    calls, thoughts = _calls(data, more), _thoughts(content, more)
    payload = payload_of(tool_calls=calls, reasoning=thoughts, source_format=SOURCE, source=source)
    return {**fields, "payload": payload}


def _name_tools(fields: dict[str, Any], tools: dict[str, str]) -> None:
    """Give a result the name of its tool, which often only the call has."""
    if fields["role"] is Role.TOOL:
        name = tools.pop(fields["tool_call_id"] or "", None)
        fields["name"] = fields["name"] or name_in(name)
    else:
        tools.update({call.id: call.name for call in read_tool_calls(fields["payload"]) if call.id})


def _role(kind: Any, data: dict[str, Any], reading: Reading) -> Role:
    """Who speaks, by the class of the message; a chat message says it by a word of the program's own."""
    word = str(kind).removesuffix("MessageChunk").lower()
    known = role_of(data.get("role")) if word == "chat" else role_of(word)
    if known is None or (word == "chat" and data.get("role") != known.value):
        reading.note("unknown_role" if known is None else "other_role_word")
    return known or Role.USER


def _calls(data: dict[str, Any], more: dict[str, Any]) -> list[dict[str, Any]]:
    """Calls that LangChain parsed, those that it could not parse, and in old messages the provider's own."""
    calls = []
    for name in ("tool_calls", "invalid_tool_calls"):
        given = data.get(name)
        for call in given if isinstance(given, list) else ():
            if isinstance(call, dict):
                extra = {"error": call["error"]} if call.get("error") else {}
                calls.append(call_entry(call.get("name"), call.get("args"), call.get("id"), **extra))
    if calls:
        return calls
    provider = more.get("tool_calls")
    old = [call for call in provider if isinstance(call, dict)] if isinstance(provider, list) else []
    one = more.get("function_call")
    if not old and isinstance(one, dict):
        old = [{"function": one}]
    found = ((_object(call.get("function")), call.get("id")) for call in old)
    return [call_entry(function.get("name"), function.get("arguments"), id_) for function, id_ in found]


def _thoughts(content: Any, more: dict[str, Any]) -> list[dict[str, Any]]:
    """Thoughts among the parts of the content, by the names of several providers, and beside it."""
    found = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") in ("thinking", "redacted_thinking", "reasoning"):
            said = part.get("thinking", part.get("reasoning"))
            text = said if isinstance(said, str) else text_of(part.get("summary"))
            details = {name: part[name] for name in ("signature", "data") if part.get(name)}
            found.append(reasoning(cleaned(text), **details))
    if not found and isinstance(more.get("reasoning_content"), str):
        found.append(reasoning(cleaned(more["reasoning_content"])))
    return found


def _says_more(rest: dict[str, Any]) -> bool:
    """Whether a message says more than its class and its text."""
    return any(value not in (None, [], {}, "", False) for name, value in rest.items() if name != "type")


def _joined(payload: dict[str, Any] | None, source: dict[str, Any]) -> dict[str, Any] | None:
    more = {"source_format": SOURCE, **source} if source else {}
    return {**(payload or {}), **more} or None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


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
