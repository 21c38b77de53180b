"""What a message of a ChatGPT export says, as text."""

from __future__ import annotations

from typing import Any

from chatledger.exchange.message_format import text_of

#: Where content without parts has its text: code, program output, quotations, pages, what users say of themselves.
_TEXTS = (
    "text",
    "result",
    "summary",
    "content",
    "user_profile",
    "user_instructions",
    "model_set_context",
)


def text_and_payload(content: Any) -> tuple[str, Any]:
    """The text of a message's content, and the payload that keeps what is more than one plain text.

    Such content is kept unchanged, whatever its type. Its text is its text parts (not images and files), its thoughts
    with their headings, or the fields in which its type has text.
    """
    if isinstance(content, str):
        return content, None
    parts = content.get("parts") if isinstance(content, dict) else None
    if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], str) and _is_plain(content):
        return parts[0], None
    return _text(content), {"content": content}


def _is_plain(content: dict[str, Any]) -> bool:
    return content.keys() == {"content_type", "parts"} and content["content_type"] == "text"


def _text(content: Any) -> str:
    if not isinstance(content, dict):
        return ""
    if isinstance(content.get("parts"), list) and (text := text_of(content["parts"])):
        return text
    lines: list[Any] = []
    if isinstance(content.get("thoughts"), list):
        for thought in content["thoughts"]:
            lines += [thought.get("summary"), thought.get("content")] if isinstance(thought, dict) else [thought]
    lines += [content.get(name) for name in _TEXTS]
    return "\n".join(line for line in lines if isinstance(line, str) and line)
