"""JSON as text, the same on every database: what is accepted here comes back equal, the rest is refused by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from enum import Enum
from json import encoder
from typing import Any

from pydantic_core import to_jsonable_python

from chatledger.errors import InvalidInput

MAX_DEPTH = 64
"""Deeper nesting is refused: parsers of other programs give up soon after."""
# Decimal digits of an integer that every parser on the way still reads.
_LARGEST = 10**4000

# What a serialiser would turn into a list or text, from which nobody could tell it any more; an iterator would be empty
# afterwards.
_NO_JSON = (Set, bytes, bytearray, memoryview, complex, Iterator)
_INSTEAD = "give a list for a set or an iterator, and text (such as base64) for bytes"

_dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False).encode
# JSONEncoder creates it for each call, which takes as long as encoding a short text. Only CPython has it.
_make_encoder: Callable[..., Callable[[Any, int], Iterable[str]]] | None = getattr(encoder, "c_make_encoder", None)
_pieces = _make_encoder and _make_encoder(None, None, encoder.encode_basestring, None, ":", ",", False, False, False)
_SURROGATE = re.compile("[\ud800-\udfff]")
# An escaped NUL: \u0000 behind an even number of backslashes.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def encode_json(value: Any, field: str) -> str:
    """The JSON text of a value made of dicts with text keys, lists, text, numbers, booleans and None.

    Pydantic models, dataclasses, datetimes, UUIDs, enums and the like are stored in their JSON form; a tuple as a list.
    Sets, bytes, complex numbers and iterators are refused.

    Raises:
        InvalidInput: NaN or an infinity, a NUL, a lone surrogate, a key that is not text, nesting deeper than 64,
            an object that cannot be stored as JSON, or one that would come back as something else.
    """
    try:
        if _pieces is not None and _is_plain(value, 0):
            text = "".join(_pieces(value, 0))
        else:
            text = _dumps(_plain(value, field, 0))
    except InvalidInput:
        raise
    except ValueError:
        raise InvalidInput(field, "holds NaN or an infinity, which JSON cannot express") from None
    except Exception:  # noqa: BLE001 - a caller's own mapping may raise anything while it is read
        raise InvalidInput(field, "cannot be read as JSON") from None
    if "\\u0000" in text and _NUL.search(text):
        raise InvalidInput(field, "holds a NUL character, which databases cannot keep")
    return check_text(text, field)


def check_text(text: str, field: str) -> str:
    """The text itself, when every database can keep it. Raises InvalidInput for NUL and lone surrogates."""
    if "\x00" in text:
        raise InvalidInput(field, "holds a NUL character, which databases cannot keep")
    if not text.isascii() and _SURROGATE.search(text):
        raise InvalidInput(field, "holds a lone surrogate, which is not valid Unicode")
    return text


def _is_plain(value: Any, depth: int) -> bool:
    """Whether a dict or a list can be encoded as it is, as most can; `_plain` takes twice as long and copies them."""
    kind = type(value)
    if kind is dict:
        for key in value:
            if type(key) is not str:
                return False
        items = value.values()
    elif kind is list:
        items = value
    else:
        return False
    for item in items:
        kind = type(item)
        if kind is str or item is None or kind is float or kind is bool:
            continue
        if kind is int:
            if not -_LARGEST < item < _LARGEST:
                return False
        elif depth == MAX_DEPTH - 1 or not _is_plain(item, depth + 1):
            return False
    return True


def _plain(value: Any, field: str, depth: int) -> Any:
    kind = type(value)
    if kind is str or value is None or kind is bool or kind is float:
        return value
    if kind is int:
        if -_LARGEST < value < _LARGEST:
            return value
        raise InvalidInput(field, "holds an integer of more than 4000 digits")
    if depth >= MAX_DEPTH:
        raise InvalidInput(field, f"is nested deeper than {MAX_DEPTH} levels")
    if kind is dict or isinstance(value, Mapping):
        plain = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidInput(field, f"has a key of type {type(key).__name__}: JSON keys are text")
            plain[str.__str__(key)] = _plain(item, field, depth + 1)
        return plain
    if isinstance(value, list | tuple):
        return [_plain(item, field, depth + 1) for item in value]
    return _plain(_jsonable(value, field), field, depth + 1)


def _jsonable(value: Any, field: str) -> Any:
    if isinstance(value, Enum):
        return value.value
    # Subclasses, such as numpy's float64: the value itself, whatever its own conversions say.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__index__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, _NO_JSON):
        raise InvalidInput(
            field, f"holds a {type(value).__name__}, which would come back as something else: {_INSTEAD}"
        )
    try:
        return to_jsonable_python(value, inf_nan_mode="constants")
    except Exception:  # noqa: BLE001 - whatever its own serialisation raises; the error may hold the value
        pass
    raise InvalidInput(field, f"holds a {type(value).__name__}, which cannot be stored as JSON")
