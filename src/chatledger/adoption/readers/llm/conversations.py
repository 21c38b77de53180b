"""`llm` up to 0.2x: a response is a prompt and its answer, so one row becomes two messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.readers.llm.attachments import attachment_text
from chatledger.adoption.readers.llm.threads import Threads
from chatledger.adoption.source.database import Row, Source
from chatledger.adoption.source.json_values import cleaned, kept
from chatledger.adoption.source.message_content import call_entry, counts_with_details, result_fields
from chatledger.adoption.source.reader import Reader, name_of, with_times
from chatledger.adoption.source.row_reader import Reading, plain
from chatledger.adoption.source.rows import OldMessage, OldSession
from chatledger.adoption.source.side_tables import Aside
from chatledger.enums import Role, Status
from chatledger.schemas.fields import MAX_TEXT
from chatledger.schemas.message_parts import payload_of, reasoning

_KEY = "t.conversation_id"
_OF_RESPONSE = "t.response_id"
_ORDER = "coalesce(moment(CAST(t.datetime_utc AS BLOB)), 9e18), t.id"
_RESULT_FILES = Aside("tool_results_attachments", "t.tool_result_id", "attachments")
_TOOLS = Aside("tool_responses", _OF_RESPONSE, "tools")
# What belongs to the prompt of a response.
_OF_PROMPT = (
    Aside("prompt_fragments", _OF_RESPONSE, "fragments"),
    Aside("system_fragments", _OF_RESPONSE, "system_fragments"),
    Aside("prompt_attachments", _OF_RESPONSE, "attachments"),
)
TABLES = (
    "conversations", "responses", "tool_responses", "tool_calls", "tool_results", "tool_results_attachments",
    *(aside.table for aside in _OF_PROMPT),
)  # fmt: skip
GONE = f"NOT EXISTS (SELECT 1 FROM conversations AS c WHERE c.id = {_KEY})"
# Columns of JSON that go along with the answer.
_JSON = ("options_json", "prompt_json", "response_json", "token_details")


def are_in(source: Source) -> bool:
    return source.has("conversations", "id", "name", "model") and source.has(
        "responses", "id", "prompt", "response", "conversation_id", "datetime_utc"
    )


class Conversations:
    """The conversations of a log."""

    def __init__(self, reader: Reader, threads: Threads | None) -> None:
        self._reader, self._source, self._threads = reader, reader.source, threads

    def sessions(self) -> Iterator[OldSession]:
        self._source.index("responses", _KEY)
        for table in ("tool_calls", "tool_results"):
            if table in self._source.tables:
                self._source.index(table, _OF_RESPONSE)
        for aside in (_TOOLS, _RESULT_FILES, *_OF_PROMPT):
            aside.ready(self._source)
        for row in self._source.rows("conversations"):
            yield self._session(row)
        yield from self._orphans()

    def _session(self, row: Row) -> OldSession:
        reading = self._reader.read(row, kept(row["id"]))
        first = next(self._source.found("responses", _KEY, row["id"], _ORDER), None)
        thread = None if self._threads is None else self._threads.of_conversation(row["id"])
        messages = self._messages(row["id"])
        if thread is not None:
            assert self._threads is not None
            messages = self._threads.continued(thread, messages)
        session = OldSession(
            source_id=name_of(reading.raw("id"), row),
            origin="",  # a ULID
            fields={
                "title": reading.text("name"),
                "model_id": reading.identifier("model"),
                "system_prompt": _clean(first["system"]) if first else None,
                "created_at": self._reader.began(first, "datetime_utc") if first else None,
            },
            messages=with_times(messages),
            as_found=reading.as_found(),
            copied=[row],
        )
        if thread is not None:
            session.copied.append(thread)
            session.as_found["thread"] = {name: value for name, value in plain(thread).items() if name != "id"}
        return session

    def _orphans(self) -> Iterator[OldSession]:
        for conversation in self._source.keys("responses", _KEY):
            if self._source.count("conversations", "id IS ?", (conversation,)):
                continue
            if self._reader.dropping:
                self._reader.drop(self._source.found("responses", _KEY, conversation))
                continue
            first = next(self._source.found("responses", _KEY, conversation, _ORDER))
            yield OldSession(
                source_id=name_of(conversation, first),
                session_id=conversation if isinstance(conversation, str) else "llm-responses-without-conversation",
                origin=f"orphans {first['id']}",
                fields={
                    "title": "Recovered: responses of a conversation that is gone",
                    "created_at": self._reader.began(first, "datetime_utc"),
                },
                messages=with_times(self._messages(conversation)),
                status=Status.PAUSED,
                recovered="responses of a conversation that is gone",
            )

    def _messages(self, conversation: Any) -> Iterator[OldMessage]:
        for row in self._source.found("responses", _KEY, conversation, _ORDER):
            yield from self._of_response(row)

    def _of_response(self, row: Row) -> Iterator[OldMessage]:
        """Results of tools, the prompt, the answer."""
        reading = self._reader.read(row, kept(row["id"]))
        reading.raw("id")
        reading.raw("conversation_id")
        at = reading.moment("datetime_utc", needed=True)
        results = list(self._results(row["id"]))
        for message in results:
            message.fields["created_at"] = at
        yield from results
        asked = self._prompt(row, reading)
        if asked.fields["content"] or asked.kept or not results:
            asked.fields["created_at"] = at
            yield asked
        yield self._answer(row, reading, at)

    def _prompt(self, row: Row, reading: Reading) -> OldMessage:
        typed = reading.text("prompt") or ""
        message = OldMessage(row, {"role": Role.USER}, part=":prompt")
        for aside in _OF_PROMPT:
            aside.keep(self._source, row["id"], message, "response_id")
        before, after = self._fragments("prompt_fragments", row["id"]), self._attached("prompt_attachments", row["id"])
        message.fields["content"] = "\n".join([*before, typed, *after])[:MAX_TEXT]
        if before or after:
            message.metadata["prompt"] = typed
        system = reading.text("system")
        if system:
            message.metadata["system"] = system
        return message

    def _answer(self, row: Row, reading: Reading, at: Any) -> OldMessage:
        fields = {
            "role": Role.ASSISTANT,
            "content": reading.content("response"),
            "model_id": reading.identifier("model"),
            "duration_ms": reading.milliseconds("duration_ms", of_a_second=1000),
            "input_tokens": reading.whole("input_tokens"),
            "output_tokens": reading.whole("output_tokens"),
            "created_at": at,
        }
        message = OldMessage(row, fields, {"response_id": kept(row["id"])}, part=":response")
        for name in _JSON:
            value = reading.json(name, "invalid_json")
            if value is not None and value != {}:
                message.metadata[name.removesuffix("_json")] = value
        given, written = fields.pop("input_tokens"), fields.pop("output_tokens")
        fields |= counts_with_details(given, written, message.metadata.get("token_details"))
        thought = reading.text("reasoning")
        _TOOLS.keep(self._source, row["id"], message, "response_id")
        calls = list(self._source.found("tool_calls", _OF_RESPONSE, row["id"]))
        message.kept.extend(calls)
        fields["payload"] = payload_of(
            tool_calls=[_call(call) for call in calls], reasoning=[reasoning(thought)] if thought else []
        )
        message.as_found = reading.as_found()
        return message

    def _results(self, response: Any) -> Iterator[OldMessage]:
        for row in self._source.found("tool_results", _OF_RESPONSE, response):
            reading = self._reader.read(row, kept(row["id"]))
            for column in ("id", "response_id"):
                reading.raw(column)
            output, failed = reading.text("output") or "", reading.text("exception")
            fields = result_fields(
                "\n".join(filter(None, [output, *self._attached("tool_results_attachments", row["id"])])),
                tool_call_id=reading.identifier("tool_call_id"),
                name=reading.identifier("name"),
                is_error=bool(failed),
                **({"exception": failed} if failed else {}),
            )
            message = OldMessage(row, fields, as_found=reading.as_found())
            _RESULT_FILES.keep(self._source, row["id"], message, "tool_result_id")
            yield message

    def _fragments(self, table: str, response: Any) -> list[str]:
        """The texts that stand before a prompt, as they were sent."""
        if table not in self._source.tables or "fragments" not in self._source.tables:
            return []
        found = self._source.found(table, _OF_RESPONSE, response, 't."order"')
        keys = [row["fragment_id"] for row in found]
        texts = (self._source.one("SELECT content FROM fragments WHERE id = ?", (key,)) for key in keys)
        return [_clean(text[0]) or "" for text in texts if text]

    def _attached(self, table: str, owner: Any) -> list[str]:
        """The texts of the files that are attached to a prompt or to the result of a tool."""
        key = _RESULT_FILES.key if table == _RESULT_FILES.table else _OF_RESPONSE
        found = self._source.found(table, key, owner, 't."order"')
        texts = (attachment_text(self._source, row["attachment_id"]) for row in list(found))
        return [text for text in texts if text]


def _call(row: Row) -> dict[str, Any]:
    """A row of `tool_calls`."""
    own = ("id", "response_id", "name", "arguments", "tool_call_id")
    more = {name: value for name, value in plain(row).items() if name not in own}
    return call_entry(kept(row["name"]), kept(row["arguments"]), kept(row["tool_call_id"]), **more)


def _clean(text: Any) -> str | None:
    return cleaned(text)[:MAX_TEXT] if isinstance(text, str) else None
