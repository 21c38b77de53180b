"""Between what stands in a foreign column and JSON that every database keeps."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import Any, NoReturn

from chatledger.dialects.encoding import MAX_DEPTH, encode_json
from chatledger.errors import InvalidInput


class NotJson(ValueError):
    """Text that is not JSON, or says something that JSON cannot."""


def read_json(text: Any) -> Any:
    """What a JSON text says.

    Raises:
        NotJson: it is none, holds NaN or an infinity, has a key twice (one value would be lost), or nests too deeply.
    """
    if not isinstance(text, str):
        raise NotJson
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        raise NotJson from None


# About as long as numbers may be.
_LONG_NUMBER = re.compile(r"\d{4000}")
_ascii = json.JSONEncoder(allow_nan=False).encode


def _constant(_: str) -> NoReturn:
    raise NotJson


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson
    return found


_decode = json.JSONDecoder(parse_constant=_constant, object_pairs_hook=_once).decode


def kept(value: Any) -> Any:
    """A column's value in a JSON form that says exactly what it was.

    Text that databases cannot keep (a NUL, bytes that are not UTF-8) is `{"escaped": …}`: the characters of its JSON
    text, in ASCII. Bytes are `{"base64": …}`, numbers that JSON has not are `{"number": "inf"}`.
    """
    if isinstance(value, bytes | memoryview):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": repr(value)}
    if isinstance(value, str) and not is_clean(value):
        return {"escaped": json.dumps(value)}
    return value


def storable(value: Any) -> Any:
    """A JSON value as it is, or as `{"escaped": …}` where databases cannot keep it."""
    if _is_plainly_storable(value):
        return value
    try:
        encode_json(value, "value")
    except InvalidInput:
        return {"escaped": json.dumps(value)}
    return value


def _is_plainly_storable(value: Any) -> bool:
    """True for most of what comes from JSON, without the walk that looks at each part of a value."""
    try:
        text = _ascii(value)
    except (ValueError, TypeError, RecursionError):
        return False
    # A NUL, or a surrogate: alone, or half of a character that is fine.
    if "\\u0000" in text or "\\ud" in text:
        return False
    return text.count("[") + text.count("{") <= MAX_DEPTH and not _LONG_NUMBER.search(text)


def is_clean(text: str) -> bool:
    """Whether every database can keep a text."""
    if "\x00" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def cleaned(text: str) -> str:
    """The text with a visible sign in place of each character that databases cannot keep."""
    text = text.replace("\x00", "\u2400")
    return text if is_clean(text) else "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
