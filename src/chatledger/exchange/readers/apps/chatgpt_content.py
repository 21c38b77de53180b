"""What a message of a ChatGPT export says: its text, its reasoning, and whether people saw it."""

from __future__ import annotations

from typing import Any

from chatledger.exchange.formats import Format
from chatledger.exchange.message_format import text_of
from chatledger.schemas.message_parts import payload_of, reasoning

# Where content without parts has its text: code, program output, quotations, pages, what users say of themselves.
_TEXTS = (
    "title",
    "text",
    "result",
    "summary",
    "content",
    "output_str",
    "user_profile",
    "user_instructions",
    "model_set_context",
)
# Types of content that the program adds to a conversation and does not show.
_INJECTED = ("user_editable_context", "model_editable_context")
_HIDDEN = ("is_visually_hidden_from_conversation", "is_user_system_message")
_REASONING = ("thoughts", "reasoning_recap")


def text_and_payload(content: Any, tool_calls: tuple[dict[str, Any], ...] = ()) -> tuple[str, Any]:
    """The text of a message's content, and the payload with its tool calls and reasoning.

    Content that is more than one plain text is kept unchanged in the payload, whatever its type. Its text is its text
    parts (not images and files), or the fields in which its type has text. Thoughts are reasoning, and no text.
    """
    if isinstance(content, str):
        return content, payload_of(tool_calls=tool_calls)
    parts = content.get("parts") if isinstance(content, dict) else None
    if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], str) and _is_plain(content):
        return parts[0], payload_of(tool_calls=tool_calls)
    thoughts = _thoughts(content) if isinstance(content, dict) and content.get("content_type") in _REASONING else []
    payload = payload_of(
        tool_calls=tool_calls, reasoning=thoughts, source_format=Format.CHATGPT.value, source={"content": content}
    )
    return "" if thoughts else _text(content), payload


def is_hidden(message: dict[str, Any], role: str) -> bool:
    """Whether the program did not show a message: it says so, is about the user, or a prompt of the program's own."""
    metadata, content = message.get("metadata"), message.get("content")
    if isinstance(metadata, dict) and any(metadata.get(name) is True for name in _HIDDEN):
        return True
    return role == "system" or (isinstance(content, dict) and content.get("content_type") in _INJECTED)


def _thoughts(content: dict[str, Any]) -> list[dict[str, Any]]:
    listed = content.get("thoughts")
    if not isinstance(listed, list):
        text = _text(content)
        return [reasoning(text)] if text else []
    texts = (
        [thought.get("summary"), thought.get("content")] if isinstance(thought, dict) else [thought]
        for thought in listed
    )
    lines = ("\n".join(line for line in text if isinstance(line, str) and line) for text in texts)
    return [reasoning(line) for line in lines if line]


def _is_plain(content: dict[str, Any]) -> bool:
    return content.keys() == {"content_type", "parts"} and content["content_type"] == "text"


def _text(content: Any) -> str:
    if not isinstance(content, dict):
        return ""
    if isinstance(content.get("parts"), list) and (text := text_of(content["parts"])):
        return text
    lines = [content.get(name) for name in _TEXTS]
    return "\n".join(line for line in lines if isinstance(line, str) and line)
