"""`llm` since 0.3x: messages known by their hash, each naming the one before it; a thread is a chain to its tip."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from chatledger.adoption.json_values import NotJson, cleaned, kept, read_json
from chatledger.adoption.message_content import name_in
from chatledger.adoption.reader import Reader, name_of, with_times
from chatledger.adoption.row_reader import plain
from chatledger.adoption.side_tables import Aside
from chatledger.adoption.source import Row, Source
from chatledger.adoption.source_rows import OldMessage, OldSession
from chatledger.enums import Status
from chatledger.schemas.fields import MAX_TEXT

_PARTS = "t.message_hash"
_TIP = "t.tip_message_hash"
_PARENT = "t.parent_message_hash"
_THREAD = "t.thread_id"
_OF_PART = (Aside("part_fragments", "t.part_id", "fragments"), Aside("part_attachments", "t.part_id", "attachments"))
_OF_TURN = (
    Aside("turn_fragments", "t.turn_id", "turn_fragments"),
    Aside("turn_tools", "t.turn_id", "tools"),
    Aside("tool_instantiations", "t.turn_id", "tool_instantiations"),
)
TABLES = (
    "threads", "turns", "messages", "parts", "turn_search", *(aside.table for aside in (*_OF_PART, *_OF_TURN)),
)  # fmt: skip
#: From the tip back to the beginning. UNION, so that hashes in a circle would end.
_CHAIN = (
    "WITH RECURSIVE chain(hash, depth) AS (SELECT ?, 0 UNION SELECT m.parent_hash, c.depth + 1 FROM chain AS c"
    " JOIN messages AS m ON m.hash = c.hash WHERE m.parent_hash IS NOT NULL AND c.depth < 1000000)"
    " SELECT hash FROM chain ORDER BY depth DESC"
)


def are_in(source: Source) -> bool:
    return (
        source.has("threads", "id", "tip_message_hash")
        and source.has("turns", "id", "thread_id", "tip_message_hash", "parent_message_hash")
        and source.has("messages", "hash", "parent_hash", "role")
        and source.has("parts", "message_hash", "position", "type", "text", "payload")
    )


class Threads:
    """The threads of a log."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._source = reader, reader.source

    def sessions(self) -> Iterator[OldSession]:
        for table, key in (
            ("parts", _PARTS), ("turns", _TIP), ("turns", _PARENT), ("turns", _THREAD), ("messages", "t.hash"),
        ):  # fmt: skip
            self._source.index(table, key)
        for aside in (*_OF_PART, *_OF_TURN):
            aside.ready(self._source)
        for row in self._source.rows("threads"):
            yield self._session(row)
        yield from self._unreachable()

    def _session(self, row: Row) -> OldSession:
        reading = self._reader.read(row, kept(row["id"]))
        first = next(self._source.found("turns", _THREAD, row["id"], "t.datetime_utc, t.id"), None)
        began = reading.moment("datetime_utc", needed=True)
        if first is not None:
            began = self._reader.began(first, "datetime_utc") or began
        session = OldSession(
            source_id=name_of(reading.raw("id"), row),
            origin="",  # a ULID
            fields={
                "title": reading.text("name"),
                "model_id": name_in(first["model"]) if first else None,
                "created_at": began,
            },
            messages=with_times(self._messages(row), began),
            copied=[row],
        )
        session.as_found = {"datetime_utc": kept(row["datetime_utc"]), **reading.as_found()}
        return session

    def _messages(self, thread: Row) -> Iterator[OldMessage]:
        if thread["tip_message_hash"] is None:
            return
        for (key,) in self._source.query(_CHAIN, (thread["tip_message_hash"],)):
            for row in self._source.found("messages", "t.hash", key):
                yield self._message(row, thread["id"])

    def _unreachable(self) -> Iterator[OldSession]:
        first = next(self._source.unsettled("messages"), None)
        if first is None:
            return
        yield OldSession(
            source_id="llm messages of no thread",
            session_id="llm-messages-without-thread",
            origin=str(first["hash"]),
            fields={"title": "Recovered: messages of no thread"},
            messages=self._lost(),
            status=Status.PAUSED,
            recovered="messages of no thread",
        )

    def _lost(self) -> Iterator[OldMessage]:
        for row in self._source.unsettled("messages"):
            self._reader.notes.add("unreachable_messages", "messages", kept(row["hash"]))
            yield self._message(row, None)

    def _message(self, row: Row, thread: Any) -> OldMessage:
        reading = self._reader.read(row, kept(row["hash"]))
        message = OldMessage(row, {"role": reading.role("role"), "created_at": None}, shared=True)
        for name in ("hash", "parent_hash"):
            value = reading.text(name)
            if value is not None:
                message.metadata[name] = value
        message.as_found = reading.as_found()
        self._take_parts(row, message)
        self._take_turn(row, thread, message)
        return message

    def _take_parts(self, row: Row, message: OldMessage) -> None:
        texts: list[str] = []
        parts: list[dict[str, Any]] = []
        for part in self._source.found("parts", _PARTS, row["hash"], "t.position, t.id"):
            said = {
                name: value for name, value in plain(part).items() if name not in ("id", "message_hash", "position")
            }
            payload = _object(part["payload"])
            if payload is not None:
                said["payload"] = payload
            text = part["text"] if isinstance(part["text"], str) else self._referred(payload)
            texts.append(text or _output(payload))
            parts.append(said)
            message.kept.append(part)
            for aside in _OF_PART:
                aside.keep(self._source, part["id"], message, "part_id")
            if part["type"] == "tool_result" and payload is not None:
                message.fields["name"] = name_in(payload.get("name"))
                message.fields["tool_call_id"] = name_in(payload.get("tool_call_id"))
        message.fields["content"] = cleaned("\n".join(filter(None, texts)))[:MAX_TEXT]
        if any(part.keys() - {"type", "text"} or part.get("text") != message.fields["content"] for part in parts):
            message.fields["payload"] = {"parts": parts}

    def _take_turn(self, row: Row, thread: Any, message: OldMessage) -> None:
        """What is known of an answer; of a question only when it was asked."""
        turn = self._turn(_TIP, row["hash"], thread)
        if turn is None:
            asked = self._turn(_PARENT, row["hash"], thread)
            message.fields["created_at"] = self._time(asked)
            return
        reading = self._reader.read(turn, kept(turn["id"]))
        for name in ("thread_id", "parent_message_hash", "tip_message_hash"):
            reading.raw(name)
        message.fields |= {
            "model_id": reading.identifier("model"),
            "duration_ms": reading.milliseconds("duration_ms", of_a_second=1000),
            "input_tokens": reading.whole("input_tokens"),
            "output_tokens": reading.whole("output_tokens"),
            "created_at": reading.moment("datetime_utc", needed=True),
        }
        turned = {"turn_id": kept(reading.raw("id"))}
        for name in ("options_json", "token_details", "response_json"):
            value = reading.json(name, "invalid_json")
            if value is not None and value != {}:
                turned[name.removesuffix("_json")] = value
        message.metadata |= turned
        message.as_found |= reading.as_found()
        message.kept.append(turn)
        for aside in _OF_TURN:
            aside.keep(self._source, turn["id"], message, "turn_id")

    def _turn(self, key: str, value: Any, thread: Any) -> Row | None:
        """The turn of a message: that of this thread, or where a fork shares it, the first."""
        found = list(self._source.found("turns", key, value, "t.datetime_utc, t.id"))
        return next((turn for turn in found if turn["thread_id"] == thread), found[0] if found else None)

    def _time(self, turn: Row | None) -> datetime | None:
        return None if turn is None else self._reader.began(turn, "datetime_utc")

    def _referred(self, payload: dict[str, Any] | None) -> str:
        """The text of a part that is put together from fragments, as it was sent."""
        refs = (payload or {}).get("text_ref")
        texts: list[str] = []
        for ref in refs if isinstance(refs, list) else []:
            if isinstance(ref, dict) and "fragment" in ref:
                found = self._source.one("SELECT content FROM fragments WHERE id = ?", (ref["fragment"],))
                texts.append(str(found[0]) if found else "")
            elif isinstance(ref, dict):
                texts.append(str(ref.get("literal") or ""))
        return "".join(texts)


def _object(text: Any) -> dict[str, Any] | None:
    try:
        value = read_json(text)
    except NotJson:
        return None
    return value if isinstance(value, dict) else None


def _output(payload: dict[str, Any] | None) -> str:
    output = (payload or {}).get("output")
    return output if isinstance(output, str) else ""
