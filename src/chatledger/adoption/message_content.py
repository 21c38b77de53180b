"""Content as providers have it: text, or a list of parts of which some are text."""

from __future__ import annotations

from typing import Any

from chatledger.adoption.json_values import cleaned
from chatledger.enums import Role
from chatledger.schemas.fields import MAX_IDENTIFIER, MAX_TEXT


def text_of(content: Any) -> str:
    """The text of a content. Other parts are in the payload."""
    if isinstance(content, str):
        return cleaned(content)[:MAX_TEXT]
    if not isinstance(content, list):
        return ""
    texts = (part if isinstance(part, str) else _text(part) for part in content)
    return cleaned("\n".join(text for text in texts if text))[:MAX_TEXT]


def _text(part: Any) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str) and not part.get("thought"):
        return str(part["text"])
    return ""


_ROLES = {role.value: role for role in Role}
_OTHER_WORDS = {
    "human": Role.USER, "ai": Role.ASSISTANT, "model": Role.ASSISTANT, "bot": Role.ASSISTANT, "function": Role.TOOL,
}  # fmt: skip


def role_of(word: Any) -> Role | None:
    """Who speaks, by our word or another word for it in any case; None for an unknown word."""
    if not isinstance(word, str):
        return None
    return _ROLES.get(word.lower()) or _OTHER_WORDS.get(word.lower())


def name_in(value: Any) -> str | None:
    """A name or id that stands in foreign JSON, when it can be one of ours. The payload has it in any case."""
    if isinstance(value, str) and 0 < len(value) <= MAX_IDENTIFIER and cleaned(value) == value:
        return value
    return None


def count_in(value: Any) -> int | None:
    """A number of tokens that stands in foreign JSON."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**12 else None
