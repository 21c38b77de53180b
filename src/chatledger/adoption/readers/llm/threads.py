"""`llm` since 0.3x: messages known by their hash, each naming the one before it; a thread is a chain to its tip."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Any

from chatledger.adoption.readers.llm.parts import OF_PART, Parts
from chatledger.adoption.source.database import Row, Source
from chatledger.adoption.source.json_values import cleaned, kept
from chatledger.adoption.source.message_content import counts_with_details, name_in, role_of
from chatledger.adoption.source.reader import Reader, name_of, with_times
from chatledger.adoption.source.rows import OldMessage, OldSession
from chatledger.adoption.source.side_tables import Aside
from chatledger.enums import Role, Status
from chatledger.schemas.fields import MAX_TEXT

_TIP = "t.tip_message_hash"
_PARENT = "t.parent_message_hash"
_THREAD = "t.thread_id"
_OF_TURN = (
    Aside("turn_fragments", "t.turn_id", "turn_fragments"),
    Aside("turn_tools", "t.turn_id", "tools"),
    Aside("tool_instantiations", "t.turn_id", "tool_instantiations"),
)
TABLES = (
    "threads", "turns", "messages", "parts", "turn_search", *(aside.table for aside in (*OF_PART, *_OF_TURN)),
)  # fmt: skip
# From the tip back to the beginning. UNION, so that hashes in a circle would end.
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
        self._parts = Parts(self._source)
        for table, key in (
            ("turns", _TIP), ("turns", _PARENT), ("turns", _THREAD), ("messages", "t.hash"),
        ):  # fmt: skip
            self._source.index(table, key)
        for aside in _OF_TURN:
            aside.ready(self._source)

    def sessions(self) -> Iterator[OldSession]:
        """The threads that do not continue an older conversation, forks after the threads that they come from."""
        older = "EXISTS (SELECT 1 FROM conversations AS c WHERE c.id = t.id)" if self._has_conversations() else "0"
        for row in self._source.rows("threads", f"NOT {older}", order="t.forked_from IS NOT NULL, r"):
            yield self._session(row)
        yield from self._unreachable()

    def of_conversation(self, conversation: Any) -> Row | None:
        """The thread in which a newer `llm` went on with an older conversation."""
        return self._thread(conversation)

    def continued(self, thread: Row, older: Iterator[OldMessage]) -> Iterator[OldMessage]:
        """The messages of an older conversation, then those of the thread that do not repeat them.

        A thread begins with the whole conversation as it was sent once more. Where that is not what the older tables
        hold, everything is kept, and noted.
        """
        told: list[bytes] = []
        systems: set[Any] = set()
        for message in older:
            told.append(_print(message.fields["role"], message.fields["content"]))
            systems.add(message.metadata.get("system"))
            yield message
        hashes = [key for (key,) in self._source.query(_CHAIN, (thread["tip_message_hash"],))]
        repeated = self._repeated(hashes, told, systems, thread)
        for key in hashes[:repeated]:
            for row in self._source.found("messages", "t.hash", key):
                self._source.settle(row, "derived", shared=True)
                for part in self._parts.of(key):
                    self._source.settle(part, "derived", shared=True)
        for key in hashes[repeated:]:
            for row in self._source.found("messages", "t.hash", key):
                yield from self._message(row, thread["id"])

    def _repeated(self, hashes: list[str], told: list[bytes], systems: set[Any], thread: Row) -> int:
        """How many messages at the beginning of a thread are those of the older conversation."""
        matched = 0
        for place, key in enumerate(hashes):
            row = next(self._source.found("messages", "t.hash", key), None)
            if row is None or self._turn(_TIP, key, thread["id"]) is not None:
                return place  # an answer of the newer program
            texts = "\n".join(filter(None, self._parts.texts(row)))
            if role_of(row["role"]) is Role.SYSTEM and texts in systems:
                continue
            if matched == len(told):
                return place
            if _print(role_of(row["role"]) or Role.USER, cleaned(texts)[:MAX_TEXT]) != told[matched]:
                self._reader.notes.add("history_differs", "threads", kept(thread["id"]))
                return 0
            matched += 1
        return len(hashes)

    def _has_conversations(self) -> bool:
        return self._source.has("conversations", "id") and self._source.has("responses", "conversation_id")

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
            messages=with_times(self._messages(row), self._root_began(row) or began),
            copied=[row],
            fork_of=self._fork_of(row),
        )
        session.as_found = {"datetime_utc": kept(row["datetime_utc"]), **reading.as_found()}
        return session

    def _fork_of(self, row: Row) -> OldSession | None:
        """The thread that a fork comes from, by its name."""
        parent = self._thread(row["forked_from"])
        return None if parent is None else OldSession(name_of(parent["id"], parent), origin="", messages=iter(()))

    def _root_began(self, row: Row) -> datetime | None:
        """When the first of the threads began that a fork comes from: messages that both have take the same time."""
        seen = set()
        while row["forked_from"] not in seen and (parent := self._thread(row["forked_from"])) is not None:
            seen.add(row["forked_from"])
            row = parent
        first = next(self._source.found("turns", _THREAD, row["id"], "t.datetime_utc, t.id"), None)
        return None if first is None else self._reader.began(first, "datetime_utc")

    def _thread(self, key: Any) -> Row | None:
        return None if key is None else next(self._source.rows("threads", "t.id IS ?", (key,)), None)

    def _messages(self, thread: Row) -> Iterator[OldMessage]:
        if thread["tip_message_hash"] is None:
            return
        for (key,) in self._source.query(_CHAIN, (thread["tip_message_hash"],)):
            for row in self._source.found("messages", "t.hash", key):
                yield from self._message(row, thread["id"])

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
            yield from self._message(row, None)

    def _message(self, row: Row, thread: Any) -> Iterator[OldMessage]:
        """What was said, then each result of a tool as a message of its own."""
        reading = self._reader.read(row, kept(row["hash"]))
        message = OldMessage(row, {"role": reading.role("role"), "created_at": None}, shared=True)
        for name in ("hash", "parent_hash"):
            value = reading.text(name)
            if value is not None:
                message.metadata[name] = value
        message.as_found = reading.as_found()
        results = self._parts.take(row, message)
        self._take_turn(row, thread, message)
        said = message.fields["content"] or message.fields["payload"] or not results
        if not said:
            message.fields |= results.pop(0)
        yield message
        for number, fields in enumerate(results, 2):
            at = {"created_at": message.fields["created_at"]}
            yield OldMessage(row, {**fields, **at}, part=f":{number}", shared=True)

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
        given, written = (message.fields.pop(f"{name}_tokens") for name in ("input", "output"))
        message.fields |= counts_with_details(given, written, turned.get("token_details"))
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


def _print(role: Any, text: str) -> bytes:
    """What tells one message from another, in a few bytes."""
    return blake2b(f"{role} {text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
