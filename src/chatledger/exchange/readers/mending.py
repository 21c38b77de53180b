"""JSON texts decoded, and characters mended in them that databases cannot keep: one must not refuse a conversation."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from chatledger.errors import InvalidInput
from chatledger.exchange.report import ImportWarning

# Escapes of a NUL and of surrogates, half of a pair or alone.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MENDED = "held characters that JSON or databases do not allow: NUL is \u2400 now, and other ones are \ufffd"


class NotJson(ValueError):
    """A text that Python reads and that JSON does not allow."""


def _constant(_: str) -> NoReturn:
    raise NotJson("holds NaN or an infinity, which JSON cannot express")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotJson("holds an object in which a name stands twice")
    return found


decode = json.JSONDecoder(parse_constant=_constant).decode
decode_unique = json.JSONDecoder(parse_constant=_constant, object_pairs_hook=_unique).decode
# With control characters in texts, such as a line break that is not escaped.
_lenient = json.JSONDecoder(parse_constant=_constant, strict=False).decode
_lenient_unique = json.JSONDecoder(parse_constant=_constant, strict=False, object_pairs_hook=_unique).decode


class Mender:
    """Decodes records, and notes those in which it has mended something."""

    def __init__(self) -> None:
        self._noted: dict[int, ImportWarning] = {}

    def value(self, number: int, line: int, data: bytes, *, unique: bool) -> Any:
        """What a record says, without characters that cannot be stored.

        Raises:
            ValueError, RecursionError: it is not JSON.
            InvalidInput: two names are the same when they are mended.
        """
        mended = False
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text, mended = data.decode("utf-8", "replace"), True
        try:
            value = (decode_unique if unique else decode)(text)
        except json.JSONDecodeError as error:
            if not error.msg.startswith("Invalid control character"):
                if mended:  # the file is not text at all, or was cut off within a character
                    data.decode("utf-8")
                raise
            value, mended = (_lenient_unique if unique else _lenient)(text), True
        if mended or _SUSPECT.search(data):
            changed = _mended(value)
            mended = mended or changed != value
            value = changed
        if mended:
            self._noted[number] = ImportWarning(record=number, line=line, reason=_MENDED)
        return value

    def take(self) -> list[ImportWarning]:
        """The notes since the last call."""
        noted = list(self._noted.values())
        self._noted.clear()
        return noted


def mended_text(text: str) -> str:
    """A text with a visible sign in place of each character that databases cannot keep."""
    text = text.replace("\0", "\u2400")
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return mended_text(value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        found = {mended_text(name): _mended(item) for name, item in value.items()}
        if len(found) < len(value):
            raise InvalidInput("record", "holds names that differ only in characters that databases cannot keep")
        return found
    return value
