"""JSON values that databases refuse, in a form that they keep: NUL, lone surrogates, NaN, deep nesting."""

from __future__ import annotations

import json
from typing import Any

from chatledger.adoption.source.json_values import cleaned
from chatledger.dialects.encoding import check_text, encode_json
from chatledger.errors import InvalidInput

#: The only key of a value that is escaped: its JSON text, in ASCII. Adopted databases have the same form.
_ESCAPED = "escaped"
#: Parts that are nested deeper are shown as their JSON text.
_DEEPEST = 32
#: Values that are nested deeper are refused: whoever reads the text would run out of stack.
_DEEPEST_ESCAPED = 300


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


def json_text(value: Any, field: str) -> str:
    """The JSON text of a value, for a payload: databases keep it whatever the value holds, and search does not read it
    under the name `data`. `json.loads` gives the value back.

    Raises:
        InvalidInput: the value has no JSON form.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return _json(value, field)
    if text.count("[") + text.count("{") > _DEEPEST_ESCAPED:
        return _json(value, field)
    try:
        return check_text(text, field)
    except InvalidInput:  # a lone surrogate; a NUL is an escape already
        return json.dumps(value, separators=(",", ":"))


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
        return json.dumps(_plain(value, field, 0), separators=(",", ":"))
    except InvalidInput:
        raise
    except (ValueError, RecursionError):  # an integer of too many digits, or a stack that was deep before
        pass
    raise InvalidInput(field, "cannot be read as JSON")


def _plain(value: Any, field: str, depth: int) -> Any:
    """The value, made of what JSON has. As in payloads, keys are text, and bytes and sets are refused."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    if depth > _DEEPEST_ESCAPED:
        raise InvalidInput(field, f"is nested deeper than {_DEEPEST_ESCAPED} levels")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise InvalidInput(field, f"has a key of type {type(key).__name__}: JSON keys are text")
        return {key: _plain(item, field, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, field, depth + 1) for item in value]
    return json.loads(encode_json(value, field))
