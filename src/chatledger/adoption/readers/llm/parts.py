"""`llm` since 0.3x: the parts of a message (text, thoughts, tool calls, results, attachments)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.readers.llm.attachments import attachment_text
from chatledger.adoption.source.database import Row, Source
from chatledger.adoption.source.json_values import NotJson, cleaned, read_json
from chatledger.adoption.source.message_content import call_entry, result_fields, result_text
from chatledger.adoption.source.row_reader import plain
from chatledger.adoption.source.rows import OldMessage
from chatledger.adoption.source.side_tables import Aside
from chatledger.schemas.fields import MAX_TEXT
from chatledger.schemas.message_parts import payload_of, reasoning

SOURCE = "llm"
_PARTS = "t.message_hash"
OF_PART = (Aside("part_fragments", "t.part_id", "fragments"), Aside("part_attachments", "t.part_id", "attachments"))
# What a call and a result say in the ledger's form.
_CALL = ("name", "arguments", "tool_call_id")
_RESULT = ("name", "output", "tool_call_id")


class Parts:
    """The parts of a log's messages."""

    def __init__(self, source: Source) -> None:
        self._source = source
        source.index("parts", _PARTS)
        for aside in OF_PART:
            aside.ready(source)

    def of(self, message_hash: Any) -> Iterator[Row]:
        """The parts of a message, in order."""
        return self._source.found("parts", _PARTS, message_hash, "t.position, t.id")

    def texts(self, row: Row) -> Iterator[str]:
        """The texts of a message as `take` puts them together, results included, and thoughts not."""
        for part in self.of(row["hash"]):
            payload = _object(part["payload"]) or {}
            if part["type"] == "tool_result":
                yield result_text(payload.get("output"))
            elif part["type"] == "attachment":
                yield attachment_text(self._source, _attachment(payload)) or ""
            elif part["type"] != "reasoning":
                yield part["text"] if isinstance(part["text"], str) else self._referred(payload)

    def take(self, row: Row, message: OldMessage) -> list[dict[str, Any]]:
        """Put the text, the calls and the thoughts of a message into it; return the fields of its results."""
        texts: list[str] = []
        calls, thoughts, results, others = [], [], [], []
        for part in self.of(row["hash"]):
            payload = _object(part["payload"])
            given = payload or {}
            kind, text = part["type"], part["text"] if isinstance(part["text"], str) else self._referred(payload)
            covered = {"id", "message_hash", "position", "type", "text", "tool_name"}
            if kind == "tool_call":
                extra = {name: value for name, value in given.items() if name not in _CALL}
                name = given.get("name") or part["tool_name"]
                calls.append(call_entry(name, given.get("arguments"), given.get("tool_call_id"), **extra))
            elif kind == "tool_result":
                results.append(self._result(part, given))
            elif kind == "reasoning":
                thoughts.append(reasoning(cleaned(text), **given))
            elif kind == "attachment":
                texts.append(attachment_text(self._source, _attachment(given)) or "")
                covered -= {"type"}
            else:
                texts.append(text)
                covered -= {"type"} if kind != "text" or texts[1:] or not isinstance(part["text"], str) else set()
            if payload is not None and kind in ("tool_call", "tool_result", "reasoning"):
                covered.add("payload")
            stored = plain(part)
            if stored.keys() - covered or (kind == "text" and cleaned(text)[:MAX_TEXT] != text):
                said = {name: value for name, value in stored.items() if name not in ("id", "message_hash", "position")}
                others.append(said if payload is None else {**said, "payload": payload})
            message.kept.append(part)
            for aside in OF_PART:
                aside.keep(self._source, part["id"], message, "part_id")
        message.fields["content"] = cleaned("\n".join(filter(None, texts)))[:MAX_TEXT]
        source = {"parts": others} if others else None
        message.fields["payload"] = payload_of(
            tool_calls=calls, reasoning=thoughts, source_format=SOURCE, source=source
        )  # fmt: skip
        return results

    def _result(self, part: Row, given: dict[str, Any]) -> dict[str, Any]:
        extra = {name: value for name, value in given.items() if name not in _RESULT}
        return result_fields(
            given.get("output") if "output" in given else part["text"],
            tool_call_id=given.get("tool_call_id"),
            name=given.get("name") or part["tool_name"],
            is_error=bool(given.get("exception")),
            **extra,
        )

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


def _attachment(payload: dict[str, Any]) -> Any:
    found = payload.get("attachment")
    return found.get("id") if isinstance(found, dict) else None
