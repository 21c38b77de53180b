"""Messages that say something in a place where no reader looks: they would be stored empty without a word."""

from __future__ import annotations

from typing import Any

from chatledger.schemas import NewMessage
from chatledger.schemas.message_parts import REASONING, SOURCE_FORMAT, TOOL_CALLS

# Fields of which a text is not what is said.
_BESIDE = {
    "id", "type", "role", "name", "from", "model", "created", "created_at", "createdAt", "timestamp", "usage", "data",
    "url", "image_url", "file", "files", "files_v2", "image", "audio", "input_audio", "source", "sync_sources",
    "metadata", "signature", "encrypted_content", "asset_pointer", "content_type", "mime_type", "tool_call_id", "format",
    "inlineData", "inline_data", "fileData", "file_data", "mediaType", "filename", "language", "attachments", "refusal",
    "finish_reason", "stop_reason", "state", "status", "video_url", "cache_control", "uuid", "weight", "loss",
    TOOL_CALLS, REASONING, SOURCE_FORMAT,
}  # fmt: skip
_DEPTH = 6


def is_unread(message: NewMessage) -> bool:
    """Whether a message has no text, no tool calls and no reasoning, and yet a text in its payload."""
    payload = message.payload
    if message.content.strip() or not payload:
        return False
    if isinstance(payload, dict) and (payload.get(TOOL_CALLS) or payload.get(REASONING)):
        return False
    return _says_something(payload, 0)


def _says_something(value: Any, depth: int) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if depth == _DEPTH:
        return False
    if isinstance(value, list):
        return any(_says_something(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return any(_says_something(item, depth + 1) for name, item in value.items() if name not in _BESIDE)
    return False
