"""Events of Google ADK, as JSON with the names of its fields, as messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.source.json_values import cleaned
from chatledger.adoption.source.message_content import call_entry, name_in, result_fields, text_of
from chatledger.enums import Role
from chatledger.schemas.fields import MAX_TEXT
from chatledger.schemas.message_parts import payload_of, reasoning
from chatledger.schemas.token_usage import token_counts

SOURCE = "google-adk"


def messages_of(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The messages of an event: what was said, then each result of a tool. The first has the usage and the event."""
    parts = [part for part in _object(event.get("content")).get("parts") or [] if isinstance(part, dict)]
    answers = [part["function_response"] for part in parts if isinstance(part.get("function_response"), dict)]
    said = [part for part in parts if not isinstance(part.get("function_response"), dict)]
    first = {"source_format": SOURCE, "event": event} if event else {}
    if said or not answers:
        yield {**_said(event, said), **_usage(event), "payload": _payload(said, first)}
        first = {}
    for number, answer in enumerate(answers):
        fields = result_fields(
            answer.get("response"),
            tool_call_id=answer.get("id"),
            name=answer.get("name"),
            is_error=bool(_object(answer.get("response")).get("error")),
            **first,
        )
        yield {**fields, **(_usage(event) if not said and not number else {})}
        first = {}


def _said(event: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    author = event.get("author")
    by_user = author == "user" or _object(event.get("content")).get("role") == "user"
    results = [_object(part.get("code_execution_result")).get("output") for part in parts]
    texts = [text_of(parts), *(text for text in results if isinstance(text, str))]
    return {
        "role": Role.USER if by_user else Role.ASSISTANT,
        "content": cleaned("\n".join(filter(None, texts)))[:MAX_TEXT],
        "name": name_in(author) if author != "user" else None,
    }


def _payload(parts: list[dict[str, Any]], source: dict[str, Any]) -> dict[str, Any] | None:
    calls = [_object(part.get("function_call")) for part in parts]
    thoughts = [part for part in parts if part.get("thought")]
    return payload_of(
        tool_calls=[call_entry(call.get("name"), call.get("args"), call.get("id")) for call in calls if call],
        reasoning=[
            reasoning(cleaned(str(part.get("text") or "")), **_named(part, "thought_signature")) for part in thoughts
        ],
        source=source,
    )


def _usage(event: dict[str, Any]) -> dict[str, Any]:
    usage = _object(event.get("usage_metadata"))
    return {
        "model_id": name_in(event.get("model_version")),
        **{name: value for name, value in token_counts(usage).items() if name != "tokens_used"},
    }


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _named(part: dict[str, Any], name: str) -> dict[str, Any]:
    return {name: part[name]} if part.get(name) else {}
