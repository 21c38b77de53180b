"""Content as providers have it (text, parts, tool calls, results) in the ledger's form. Nothing here raises an error."""

from __future__ import annotations

import base64
import json
from typing import Any

from chatledger.adoption.source.json_values import cleaned
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.schemas.fields import MAX_IDENTIFIER, MAX_TEXT
from chatledger.schemas.message_parts import tool_call, tool_result
from chatledger.schemas.token_usage import token_counts

# How deeply parts within parts are read.
_DEPTH = 8
# Media types whose bytes are text.
_TEXTS = ("text/", "application/json", "application/xml", "application/yaml", "application/x-yaml")
# Keys under which a tool's result in JSON has its text, if it is the only one.
_RESULT_TEXT = ("result", "output", "content", "text")

_ROLES = {role.value: role for role in Role}
_OTHER_WORDS = {
    "human": Role.USER, "ai": Role.ASSISTANT, "model": Role.ASSISTANT, "bot": Role.ASSISTANT, "function": Role.TOOL,
}  # fmt: skip


def role_of(word: Any) -> Role | None:
    """Who speaks, by our word or another word for it in any case; None for an unknown word."""
    if not isinstance(word, str):
        return None
    return _ROLES.get(word.lower()) or _OTHER_WORDS.get(word.lower())


def text_of(content: Any) -> str:
    """The text of a content, attached text files included. Thoughts are left out; other parts are in the payload."""
    return cleaned("\n".join(filter(None, _texts(content, _DEPTH))))[:MAX_TEXT]


def _texts(content: Any, depth: int) -> list[str]:
    if isinstance(content, str):
        return [content]
    if isinstance(content, list):
        return [text for part in content for text in _texts(part, depth - 1)] if depth else []
    if not isinstance(content, dict) or content.get("thought"):
        return []
    for name in ("text", "refusal"):
        if isinstance(content.get(name), str):
            return [content[name]]
    if attached := attached_text(content):
        return [attached]
    return _texts(content["content"], depth - 1) if depth and isinstance(content.get("content"), list | str) else []


def attached_text(part: Any) -> str | None:
    """The text of an attached file, where the part holds it: as Anthropic, Gemini, LangChain and OpenAI write it."""
    for name in ("source", "inline_data", "inlineData", "file"):
        if isinstance(part.get(name), dict):
            part = part[name]
            break
    data = part.get("data") or part.get("file_data") or part.get("base64")
    kind = part.get("media_type") or part.get("mime_type") or part.get("mimeType")
    if not isinstance(data, str):
        return None
    if data.startswith("data:"):
        head, _, data = data.partition(",")
        kind = head.removeprefix("data:").removesuffix(";base64")
        if not head.endswith(";base64"):
            return data if is_text_type(kind) else None
    if not is_text_type(kind):
        return None
    if part.get("type") == "text":  # Anthropic's plain text source
        return data
    try:
        return base64.b64decode(data.encode("ascii"), altchars=b"-_" if "-" in data or "_" in data else None).decode()
    except ValueError:
        return None


def is_text_type(kind: Any) -> bool:
    """Whether a media type says that a file is text."""
    return isinstance(kind, str) and kind.lower().startswith(_TEXTS)


def result_text(result: Any) -> str:
    """The result of a tool as text: its text parts, the only text that it names, or its JSON."""
    if result is None:
        return ""
    text = text_of(result) if isinstance(result, str | list) else ""
    if text:
        return text
    if isinstance(result, dict) and len(result) == 1:
        name, value = next(iter(result.items()))
        if name in _RESULT_TEXT and isinstance(value, str):
            return cleaned(value)[:MAX_TEXT]
    if result in ("", [], {}):
        return ""
    return cleaned(json.dumps(result, ensure_ascii=False))[:MAX_TEXT]


def result_fields(
    result: Any, *, tool_call_id: Any = None, name: Any = None, is_error: bool = False, **payload: Any
) -> dict[str, Any]:
    """The fields of a message with the result of one call. An id or a name that is no text of ours is in the payload."""
    named = {"tool_call_id": tool_call_id, "name": name}
    payload |= {key: value for key, value in named.items() if value not in (None, "") and name_in(value) is None}
    text = result_text(result)
    fields = tool_result(
        text,
        tool_call_id=name_in(tool_call_id),
        name=name_in(name),
        value=None if result == text else result,
        is_error=is_error,
    )
    # An id or a name in the payload cannot be passed on beside the argument of the same name.
    return {**fields, "payload": {**fields.get("payload", {}), **payload}} if payload else fields


def call_entry(name: Any, arguments: Any, id: Any = None, **details: Any) -> dict[str, Any]:
    """An entry of `payload["tool_calls"]`, from what a provider says of a call."""
    if id is not None and not isinstance(id, str):
        details["given_id"], id = id, None
    try:
        return tool_call(name if isinstance(name, str) else str(name or ""), arguments, id, **details)
    except InvalidInput:  # not a JSON value, or nested too deeply for a database: the text says it
        return tool_call(str(name or ""), json.dumps(arguments, default=str), id, **details)


def name_in(value: Any) -> str | None:
    """A name or id that stands in foreign JSON, when it can be one of ours. The payload has it in any case."""
    if isinstance(value, str) and 0 < len(value) <= MAX_IDENTIFIER and cleaned(value) == value:
        return value
    return None


def counts_with_details(given: int | None, written: int | None, details: Any) -> dict[str, Any]:
    """The counts of an answer whose input and output are columns, and what else its provider counted is JSON."""
    if not isinstance(details, dict) or not details:
        return {"input_tokens": given, "output_tokens": written}
    of_openai = any(name in details for name in ("prompt_tokens_details", "completion_tokens_details"))
    names = ("prompt_tokens", "completion_tokens") if of_openai else ("input_tokens", "output_tokens")
    return token_counts({**details, names[0]: given, names[1]: written})
