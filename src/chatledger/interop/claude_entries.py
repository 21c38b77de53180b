"""Between entries of Claude transcripts, as the Claude Agent SDK mirrors them, and messages. Needs no framework."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from chatledger.adoption.source.message_content import name_in
from chatledger.codecs import anthropic
from chatledger.codecs.texts import text_in
from chatledger.enums import Outcome, Role
from chatledger.errors import InvalidInput
from chatledger.interop.escaping import json_text, readable
from chatledger.interop.stored_items import further_key, key_of
from chatledger.schemas import Message
from chatledger.schemas.message_parts import SOURCE_FORMAT
from chatledger.schemas.token_usage import token_counts
from chatledger.unit_of_work import UnitOfWork

SOURCE = "claude-agent-sdk"
#: In the payload of the first message of an entry: its JSON text. None in the payloads of the others.
_DATA = "data"
#: What the codec of Anthropic's messages keeps beside the text: the entry has it already.
_BLOCKS = "content"
_PARTS_OF = {
    "cached_tokens": "input_tokens", "cache_write_tokens": "input_tokens", "reasoning_tokens": "output_tokens",
    "cache_write_1h_tokens": "cache_write_tokens",
}  # fmt: skip
#: Calls whose results have not come; those that are never answered do not fill the memory.
_OPEN_CALLS = 1000
#: Fields of an entry that those of other programs copy from the entry before them.
_SURROUNDINGS = ("cwd", "version", "gitBranch")


class TranscriptWriter:
    """The entries of one transcript as the fields of messages.

    Claude writes an entry for each block of an answer, and each says what the answer has cost so far: a message has what
    its entry adds. Results are given the name of the tool that was called.
    """

    def __init__(self) -> None:
        self._answer: str | None = None
        self._counted: dict[str, Any] = {}
        self._tools: dict[str, str] = {}

    def copy(self) -> TranscriptWriter:
        """A writer that goes on from here: if its messages are not stored, this one is where it was."""
        return deepcopy(self)

    def messages(self, entries: Iterable[Any]) -> list[dict[str, Any]]:
        """The messages of entries: one for each, and more for one with several results of tools.

        Raises:
            InvalidInput: an entry has no JSON form.
        """
        return [fields for number, entry in enumerate(entries) for fields in self._of_entry(entry, f"entries.{number}")]

    def _of_entry(self, entry: Any, field: str) -> Iterable[dict[str, Any]]:
        data = json_text(entry, field)
        shown = readable(entry)
        shown = shown if isinstance(shown, dict) else {}
        key = key_of(entry.get("uuid")) if isinstance(entry, Mapping) else None
        for number, fields in enumerate(self._said(shown)):
            payload = {name: value for name, value in (fields.get("payload") or {}).items() if name != _BLOCKS}
            yield {
                **fields,
                "payload": {**payload, SOURCE_FORMAT: SOURCE, _DATA: None if number else data},
                "created_at": _time(shown.get("timestamp")),
                "key": further_key(key, number),
            }

    def _said(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        kind, message = entry.get("type"), entry.get("message")
        if kind not in ("user", "assistant") or not isinstance(message, dict):
            text = entry.get("content")
            text = text if kind == "system" and isinstance(text, str) else ""
            return [{"role": Role.SYSTEM, "content": text, "hidden": not text or entry.get("isMeta") is True}]
        messages = _blocks(Role(kind), message.get("content"))
        for fields in messages:
            self._name(fields)
        messages[0] |= self._answered(message)
        if entry.get("isApiErrorMessage") is True:
            messages[0]["outcome"] = Outcome.ERROR
        if any(entry.get(name) is True for name in ("isMeta", "isCompactSummary", "isVisibleInTranscriptOnly")):
            messages = [{**fields, "hidden": True} for fields in messages]
        return messages

    def _name(self, fields: dict[str, Any]) -> None:
        """Remember the tools that a message calls, and name the one whose result it is."""
        for call in (fields.get("payload") or {}).get("tool_calls") or ():
            if isinstance(call.get("id"), str):
                self._tools[call["id"]] = call["function"]["name"]
        while len(self._tools) > _OPEN_CALLS:
            del self._tools[next(iter(self._tools))]
        name = self._tools.pop(fields.get("tool_call_id") or "", None)
        if name is not None and fields.get("name") is None and name_in(name):
            fields["name"] = name

    def _answered(self, message: dict[str, Any]) -> dict[str, Any]:
        """Model and tokens of an answer of the API; tokens that an earlier entry of the same answer has are left out."""
        model = name_in(message.get("model"))
        named = {} if model is None or model.startswith("<") else {"model_id": model}
        if not isinstance(message.get("usage"), dict):
            return named
        counts = token_counts(message["usage"])
        counts.pop("tokens_used", None)  # the sum of the others
        answer = message.get("id")
        before = self._counted if isinstance(answer, str) and answer == self._answer else {}
        self._answer, self._counted = answer, counts
        return named | _added(counts, before)


def _added(counts: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    if not before:
        return counts
    found: dict[str, Any] = {
        name: value if isinstance(value, str) else value - before.get(name, 0)
        for name, value in counts.items()
        if isinstance(value, str) or value > before.get(name, 0)
    }
    for part, whole in _PARTS_OF.items():
        if part in found and found[part] > found.get(whole, 0):
            del found[part]
            found["unpriced_units"] = found.get("unpriced_units", 0) + 1
    return found if found.keys() - {"service_tier"} else {}


def stored_entries(uow: UnitOfWork, session_id: str, transcript_id: str) -> list[Any]:
    """The entries of a transcript, in their order.

    Raises:
        SessionNotFound
    """
    payloads = uow.messages.payloads(session_id)
    if all(_is_ours(payload) for payload in payloads):
        return [json.loads(payload[_DATA]) for payload in payloads if payload[_DATA] is not None]
    return entries_of(uow.messages.history(session_id), transcript_id)


def entries_of(messages: Sequence[Message], transcript_id: str) -> list[Any]:
    """The entries of stored messages. Those that other programs wrote, or that were redacted, are entries that follow
    the one before them.
    """
    found: list[Any] = []
    before: dict[str, Any] = {}
    for message in messages:
        if _is_ours(message.payload):
            if message.payload[_DATA] is not None:
                found.append(json.loads(message.payload[_DATA]))
        elif before.get("uuid") is not None and str(message.key).startswith(f"{key_of(before['uuid'])}#"):
            continue  # a further message of the entry before
        else:
            found.append(_of_another_program(message, before, transcript_id))
        if found and isinstance(found[-1], dict) and found[-1].get("uuid"):
            before = found[-1]
    return found


def titles_of(entries: Iterable[Any]) -> tuple[str | None, str | None]:
    """The last title that a user has given to the transcript in these entries, and the last that was generated."""
    given = made = None
    for entry in entries:
        if isinstance(entry, Mapping):
            given = _text(entry.get("customTitle")) or given
            made = _text(entry.get("aiTitle")) or _text(entry.get("summary")) or made
    return given, made


def _of_another_program(message: Message, before: dict[str, Any], transcript_id: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "parentUuid": before.get("uuid"),
        "isSidechain": before.get("isSidechain") is True,
        "userType": "external",
        "sessionId": transcript_id,
        **{name: before[name] for name in _SURROUNDINGS if name in before},
        "uuid": message.key or str(uuid5(NAMESPACE_URL, f"{message.session_id}/{message.sequence_number}")),
        "timestamp": message.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if message.role in (Role.SYSTEM, Role.DEVELOPER):
        return {**entry, "type": "system", "subtype": "informational", "content": message.content, "level": "info"}
    said = anthropic.write(message)
    if said["role"] == "user":
        return {**entry, "type": "user", "message": said}
    content = said["content"]
    return {
        **entry,
        "type": "assistant",
        "message": {
            "id": f"msg_{entry['uuid']}",
            "type": "message",
            "role": "assistant",
            "model": message.model_id or "<synthetic>",
            "content": content if isinstance(content, list) else [{"type": "text", "text": content}],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": message.input_tokens or 0, "output_tokens": message.output_tokens or 0},
        },
    }


def _blocks(role: Role, content: Any) -> list[dict[str, Any]]:
    """The messages of a content: one, or one for each result of a tool."""
    try:
        return anthropic.messages_of(role, "" if content is None else content)
    except InvalidInput:  # a block that has another form than its type says
        return [{"role": role, "content": text_in(content)}]


def _is_ours(payload: Any) -> bool:
    return isinstance(payload, dict) and payload.get(SOURCE_FORMAT) == SOURCE and _DATA in payload


def _time(timestamp: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(timestamp)
    except (TypeError, ValueError):
        return None
    return None if found.tzinfo is None else found


def _text(value: Any) -> str | None:
    return readable(value) if isinstance(value, str) and value.strip() else None
