"""Between PydanticAI's messages, in their JSON form, and messages. Needs no framework."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from chatledger.adoption.source.message_content import call_entry, name_in, result_fields, text_of
from chatledger.enums import Outcome, Role
from chatledger.interop.escaping import json_text, readable
from chatledger.schemas import Message
from chatledger.schemas.fields import MAX_COUNT
from chatledger.schemas.message_parts import SOURCE_FORMAT, payload_of, reasoning
from chatledger.unit_of_work import UnitOfWork

SOURCE = "pydantic-ai"
#: In the payload of the first message of a PydanticAI message: the JSON text of that, which search does not read: the
#: names of its parts are no words that anybody said. None in the payloads of the others.
_DATA = "data"
_COUNTS = {
    "input_tokens": "input_tokens", "output_tokens": "output_tokens", "cache_read_tokens": "cached_tokens",
    "cache_write_tokens": "cache_write_tokens", "cache_write_1h_tokens": "cache_write_1h_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
}  # fmt: skip
#: Tokens that have prices of their own.
_AUDIO = ("input_audio_tokens", "output_audio_tokens")
_PARTS_OF = {
    "cached_tokens": "input_tokens", "cache_write_tokens": "input_tokens", "reasoning_tokens": "output_tokens",
    "cache_write_1h_tokens": "cache_write_tokens",
}  # fmt: skip


def to_messages(dumped: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fields of the messages for PydanticAI's messages: one for each prompt and each result, one for a response."""
    return [fields for message in dumped for fields in _of_message(message)]


def stored_messages(uow: UnitOfWork, session_id: str) -> list[dict[str, Any]]:
    """PydanticAI's messages of a session, in their JSON form.

    Raises:
        SessionNotFound
    """
    payloads = uow.messages.payloads(session_id)
    if all(_is_ours(payload) for payload in payloads):
        return [json.loads(payload[_DATA]) for payload in payloads if payload[_DATA] is not None]
    return from_messages(uow.messages.history(session_id))


def from_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """PydanticAI's messages, in their JSON form. Those of other programs are read from their columns and tool calls."""
    found = []
    for message in messages:
        if not _is_ours(message.payload):
            found.append(_of_another_program(message))
        elif message.payload[_DATA] is not None:
            found.append(json.loads(message.payload[_DATA]))
    return found


def _is_ours(payload: Any) -> bool:
    return isinstance(payload, dict) and payload.get(SOURCE_FORMAT) == SOURCE and _DATA in payload


def _of_message(dumped: dict[str, Any]) -> Iterator[dict[str, Any]]:
    shown = readable(dumped)
    found = _response(shown) if shown.get("kind") == "response" else list(_request(shown))
    for number, fields in enumerate(found or [{"role": Role.USER, "content": ""}]):
        said = {
            **(fields.get("payload") or {}),
            SOURCE_FORMAT: SOURCE,
            _DATA: None if number else json_text(dumped, "messages"),
        }
        yield {**fields, "payload": said}


def _request(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for part in message.get("parts") or ():
        kind, content = str(part.get("part_kind")), part.get("content")
        if kind == "tool-return":
            yield _result(part, failed=part.get("outcome") not in (None, "success"))
        elif kind == "retry-prompt" and part.get("tool_name"):
            yield _result(part, failed=True)
        elif kind == "system-prompt" or kind.startswith("instruction"):
            yield {"role": Role.SYSTEM, "content": _said(content)}
        elif content is not None:
            yield {"role": Role.USER, "content": _said(content)}


def _said(content: Any) -> str:
    """The text of a prompt: text, or a list of texts and of other things, some of which have a text as content."""
    if not isinstance(content, list):
        return text_of(content)
    return text_of([part for part in content if isinstance(part, str) or "data" not in part])


def _result(part: dict[str, Any], *, failed: bool) -> dict[str, Any]:
    return result_fields(
        part.get("content"), tool_call_id=part.get("tool_call_id"), name=part.get("tool_name"), is_error=failed
    )


def _response(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The response itself, then a message for each result of a tool that the provider has run."""
    texts, thoughts, calls, results = [], [], [], []
    for part in message.get("parts") or ():
        kind = str(part.get("part_kind"))
        if kind.endswith("tool-call"):
            calls.append(call_entry(part.get("tool_name"), part.get("args"), part.get("tool_call_id")))
        elif kind.endswith("tool-return"):
            results.append(_result(part, failed=part.get("outcome") not in (None, "success")))
        elif kind == "thinking":
            signed = {"signature": part["signature"]} if part.get("signature") else {}
            thoughts.append(reasoning(text_of(part.get("content")), **signed))
        elif kind in ("text", "speech"):
            texts.append(text_of(part.get("content") or part.get("transcript")))
    fields: dict[str, Any] = {
        "role": Role.ASSISTANT,
        "content": "\n".join(filter(None, texts)),
        "payload": payload_of(tool_calls=calls, reasoning=thoughts),
        "model_id": name_in(message.get("model_name")),
        **_usage(message.get("usage")),
    }
    if message.get("state") == "interrupted":
        fields["outcome"] = Outcome.INTERRUPTED
    return [fields, *results]


def _usage(usage: Any) -> dict[str, Any]:
    """The columns of a usage. Counts that contradict each other, and tokens of audio, have no price."""
    if not isinstance(usage, dict):
        return {}
    found = {column: usage[name] for name, column in _COUNTS.items() if _is_count(usage.get(name))}
    details = usage.get("details") if isinstance(usage.get("details"), dict) else None
    if details and "reasoning_tokens" not in found and _is_count(details.get("reasoning_tokens")):
        found["reasoning_tokens"] = details["reasoning_tokens"]
    unpriced = sum(usage[name] for name in _AUDIO if _is_count(usage.get(name)))
    for part, whole in _PARTS_OF.items():
        if part in found and found[part] > found.get(whole, 0):
            del found[part]
            unpriced += 1
    return found | ({"unpriced_units": min(unpriced, MAX_COUNT)} if unpriced else {})


def _is_count(value: Any) -> bool:
    """Whether a number counts something. PydanticAI says 0 of what a provider did not report."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_COUNT


def _of_another_program(message: Message) -> dict[str, Any]:
    at = message.created_at.isoformat()
    if message.role is Role.ASSISTANT:
        usage = {"input_tokens": message.input_tokens or 0, "output_tokens": message.output_tokens or 0}
        named = {"kind": "response", "timestamp": at, "model_name": message.model_id}
        return {**named, "parts": _answer(message), "usage": usage}
    if message.role is Role.TOOL:
        part = {"part_kind": "tool-return", "tool_name": message.name or "", "content": message.content,
                "tool_call_id": message.tool_call_id or "", "timestamp": at}  # fmt: skip
    else:
        kind = "user-prompt" if message.role is Role.USER else "system-prompt"
        part = {"part_kind": kind, "content": message.content, "timestamp": at}
    return {"kind": "request", "parts": [part]}


def _answer(message: Message) -> list[dict[str, Any]]:
    """Thoughts are left out: a provider accepts only those that it has signed itself."""
    parts: list[dict[str, Any]] = []
    if message.content or not message.tool_calls:
        parts.append({"part_kind": "text", "content": message.content})
    for call in message.tool_calls:
        arguments = {} if call.arguments is None else call.arguments
        named = {"part_kind": "tool-call", "tool_name": call.name, "tool_call_id": call.id or ""}
        parts.append({**named, "args": arguments if isinstance(arguments, dict | str) else json.dumps(arguments)})
    return parts
