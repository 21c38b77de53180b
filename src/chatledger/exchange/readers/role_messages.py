"""Messages with a role in the notations that look alike: OpenAI's, Anthropic's, Gemini's and the AI SDK's.

The notation is recognized for each message, because logs mix them. One message may become several: each tool result is
a message of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chatledger.codecs import ai_sdk, anthropic, gemini
from chatledger.codecs.turns import Fields
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import Format
from chatledger.exchange.readers import openai
from chatledger.exchange.readers.branching import as_identifier, message_at
from chatledger.exchange.readers.conversation import part_key
from chatledger.schemas import NewMessage
from chatledger.schemas.message_parts import SOURCE_FORMAT

_ROLES = openai.NOTATION.roles
# Keys that are read, or that the first message of several has in a column.
_READ = {"role", "content", "parts"}


def format_of(item: Any) -> Format:
    """The notation of a message. OpenAI's, where nothing shows another one."""
    return _codec(item)[0]


def format_among(items: Iterable[Any]) -> Format:
    """The notation of a list of messages: the first that is not OpenAI's, which plain messages look like."""
    return next((found for item in items if (found := format_of(item)) is not Format.OPENAI), Format.OPENAI)


def read_messages(item: Any, place: str) -> list[NewMessage]:
    """The messages that a dict with a role describes.

    Raises:
        InvalidInput: not a dict, an unknown role, or a value that cannot be stored.
    """
    found, codec = _codec(item)
    if codec is None:
        return [openai.from_openai(item, place)]
    role = _ROLES.get(item["role"]) if isinstance(item.get("role", "user"), str) else None
    if role is None:
        raise InvalidInput(f"{place}.role", f"is not one of {', '.join(_ROLES)}")
    messages = codec(role, item)
    columns = openai.read_usage(item.get("usage"), item.get("service_tier")) | openai.model_and_time(item)
    key = as_identifier(item.get("id")) if found is Format.AI_SDK else None
    rest = {name: value for name, value in item.items() if name not in _READ and (name != "id" or key is None)}
    if item["role"] not in (role.value, "model", "function"):
        rest["role"] = item["role"]
    if "parts" in item and item.get("content"):  # the text of its parts, once more
        rest["content"] = item["content"]
        if not any(fields["content"] for fields in messages):
            messages[0] = {**messages[0], "content": item["content"]}
    if rest:
        payload = messages[0].get("payload") or {}
        messages[0] = {**messages[0], "payload": {**payload, SOURCE_FORMAT: found.value, **rest}}
    return [
        message_at(place, {**fields, **(columns if not number else _time(columns)), "key": part_key(key, number)})
        for number, fields in enumerate(messages)
    ]


def _time(columns: dict[str, Any]) -> dict[str, Any]:
    """Usage is counted once, at the first message."""
    return {name: columns[name] for name in ("created_at", "model_id") if name in columns}


def _codec(item: Any) -> tuple[Format, Callable[[Role, dict[str, Any]], list[Fields]] | None]:
    if not isinstance(item, dict):
        return Format.OPENAI, None
    content, parts = item.get("content"), item.get("parts")
    if isinstance(parts, list) and parts and (content is None or isinstance(content, str)):
        if ai_sdk.has_parts(parts):
            return Format.AI_SDK, lambda role, message: ai_sdk.messages_of(role, message["parts"])
        if not content and gemini.has_parts(parts):
            return Format.GEMINI, lambda role, message: gemini.messages_of(role, message["parts"])
    if anthropic.has_blocks(content):
        return Format.ANTHROPIC, lambda role, message: anthropic.messages_of(role, message["content"])
    if ai_sdk.has_content(content):
        return Format.AI_SDK, lambda role, message: ai_sdk.messages_of(role, message["content"], "content")
    return Format.OPENAI, None
