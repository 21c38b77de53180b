"""The text of values that are more than text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

# Where objects have their text, in the order in which people read it.
_TEXTS = ("title", "url", "text", "content", "output", "stdout", "stderr", "value", "transcript")
_DEPTH = 8


def text_in(value: Any) -> str:
    """The text of a result: text itself, that of a list's items, or of the fields in which objects have theirs.

    An object without such a field is its JSON, so that a result is never empty which is not.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    text = "\n".join(_lines(value, 0))
    return text or (json.dumps(value, ensure_ascii=False) if _is_data(value) else "")


def _is_data(value: Any) -> bool:
    """False for what is empty, and for parts with a type, such as an image: their data are not read as text."""
    if isinstance(value, list):
        return any(_is_data(item) for item in value)
    if isinstance(value, dict):
        return bool(value) and "type" not in value
    return True


def _lines(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, list) and depth < _DEPTH:
        for item in value:
            yield from _lines(item, depth + 1)
    elif isinstance(value, dict) and depth < _DEPTH and value.get("type") not in ("image", "image_url", "base64"):
        for name in _TEXTS:
            yield from _lines(value.get(name), depth + 1)
