"""JSON values that databases refuse, in a form that they keep: NUL, lone surrogates, NaN, deep nesting."""

from __future__ import annotations

import json
from typing import Any

from chatledger.adoption.source.json_values import cleaned
from chatledger.dialects.encoding import encode_json
from chatledger.errors import InvalidInput

#: The only key of a value that is escaped: its JSON text, in ASCII. Adopted databases have the same form.
_ESCAPED = "escaped"
#: Parts that are nested deeper are shown as their JSON text.
_DEEPEST = 32


def escape(value: Any, field: str) -> Any:
    """The value itself if a payload can hold it, else an object with its JSON text. `unescape` gives it back.

    Raises:
        InvalidInput: the value has no JSON form.
    """
    if isinstance(value, dict) and value.keys() == {_ESCAPED}:  # or it would be taken for an escaped one
        return {_ESCAPED: _json(value, field)}
    if is_storable(value):
        return value
    return {_ESCAPED: _json(value, field)}


def unescape(stored: Any) -> Any:
    """The value that `escape` was given."""
    if isinstance(stored, dict) and stored.keys() == {_ESCAPED} and isinstance(stored[_ESCAPED], str):
        return json.loads(stored[_ESCAPED])
    return stored


def is_storable(value: Any) -> bool:
    """Whether a payload can hold the value under one of its keys."""
    try:
        encode_json({"item": value}, "item")
    except InvalidInput:
        return False
    return True


def readable(value: Any, depth: int = 0) -> Any:
    """The value for people and for search: visible signs in place of what databases refuse."""
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, float):
        return value if value - value == 0 else repr(value)
    if depth >= _DEEPEST:
        return cleaned(json.dumps(value, default=str, ensure_ascii=False))
    if isinstance(value, dict):
        return {cleaned(str(key)): readable(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [readable(inner, depth + 1) for inner in value]
    return value


def _json(value: Any, field: str) -> str:
    try:
        return json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        pass
    raise InvalidInput(field, "has no JSON form")
