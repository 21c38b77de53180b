"""The text of a message beside its content: structured parts, tools and their arguments and results, attachments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from chatledger.enums import Outcome
from chatledger.full_text.normalization import INDEXED, indexed_text, words_of

# Characters of these texts that are indexed, beside those of the content. Both fit into one tsvector.
_INDEXED = 50_000
# Parts of parts are read so far down.
_DEEPEST = 32
# Values under these names say how a part is to be read, and are no text.
_NOT_TEXT = frozenset(
    {
        "type", "id", "object", "index", "role", "mime_type", "mimetype", "media_type", "mediatype", "content_type",
        "format", "encoding", "detail", "signature", "encrypted", "encrypted_content", "thought_signature",
        "thoughtsignature", "data", "blob", "source_format", "status", "finish_reason", "stop_reason", "created",
        "created_at", "uuid", "call_id", "tool_call_id", "tool_use_id", "parent_id", "message_id", "file_id",
        "sha256", "etag", "cache_control", "logprobs", "usage",
    }
)  # fmt: skip
# A part with one of these beside its name is a call of a tool, or what the tool gave back.
_OF_TOOLS = ("arguments", "args", "input", "parameters", "response", "output", "result")
# Everything below these is text, whatever its name.
_ARGUMENTS = frozenset({"arguments", "args", "input", "parameters", "response", "output", "result", "tool_input"})
# In front of the name of a tool, of which the index holds one word without punctuation.
_TOOL = "chatledgertool"


_Found = list[tuple[str, str | None]]


def search_columns(
    role: str, content: str, payload: str | None, name: str | None, outcome: str | None = None
) -> tuple[str | None, str | None]:
    """What full text indexes of a message: in place of its content, and beside it. The payload is JSON text.

    Every writer fills both columns with this function, and `check` compares them. A message that is still being written
    is indexed when it is finished.
    """
    if outcome == Outcome.STREAMING:
        return "", None
    extra = None
    if payload is not None or name is not None:
        text = " ".join(_distinct(role, content, payload, name))[:_INDEXED]
        if text:
            extra = (indexed_text(text) or text)[:INDEXED]
    return indexed_text(content), extra


def session_search_columns(**texts: str | None) -> dict[str, str | None]:
    """What full text indexes in place of the title and the system prompt of a session, by column; those given alone."""
    return {f"search_{name}": None if text is None else indexed_text(text) for name, text in texts.items()}


OF_SESSIONS = ("title", "system_prompt")
"""The texts of a session that are indexed."""


def texts_of(content: str, payload: Any, name: str | None) -> list[str]:
    """The texts beside the content, as they were written. The payload is a JSON value."""
    return _texts(content, name, _walked(payload))


def tool_word(name: str) -> str | None:
    """The word that the index holds for a tool of this name."""
    word = "".join(words_of(name))
    return f"{_TOOL}{word}" if word else None


def _distinct(role: str, content: str, payload: str | None, name: str | None) -> Iterator[str]:
    """Each text once, and none that the content holds already; then the words for the tools."""
    try:
        value = None if payload is None else from_json(payload)
    except ValueError:  # damaged, which is reported elsewhere
        value = None
    found = _walked(value)
    yield from _texts(content, name, found)
    tools = [tool for _, tool in found if tool]
    for tool in dict.fromkeys([*tools, *([] if name is None or role != "tool" else [name])]):
        if word := tool_word(tool):
            yield word


def _texts(content: str, name: str | None, found: _Found) -> list[str]:
    texts = [] if name is None else [name]
    texts += [text for text, _ in found]
    return [text for text in dict.fromkeys(texts) if text not in content]


def _is_media(text: str) -> bool:
    """Whether a text is the address of an image or a file that holds its bytes."""
    return text.startswith("data:") and ";base64," in text[:200]


def _walked(value: Any) -> _Found:
    """Each text of a JSON value, with the name of the tool if it is one."""
    found: _Found = []
    _walk(value, found, 0, is_text=False)
    return found


def _walk(value: Any, found: _Found, depth: int, *, is_text: bool) -> None:
    if isinstance(value, str):
        if depth <= _DEEPEST and value and not value.isspace() and not _is_media(value):
            found.append((value, None))
    elif depth > _DEEPEST:
        return
    elif isinstance(value, list):
        for item in value:
            _walk(item, found, depth + 1, is_text=is_text)
    elif isinstance(value, dict):
        name = value.get("tool_name") or value.get("name")
        is_tool = isinstance(name, str) and ("tool_name" in value or any(part in value for part in _OF_TOOLS))
        for key, item in value.items():
            if is_text:
                found.append((key, None))
            elif key.lower() in _NOT_TEXT and not isinstance(item, dict | list):
                continue
            if is_tool and item is name:
                found.append((name, name))
                continue
            _walk(item, found, depth + 1, is_text=is_text or key in _ARGUMENTS)
    elif is_text and type(value) in (int, float):
        found.append((str(value), None))
