"""Arrays as the server reads them, written by hand: the driver spends ten times as long on a list of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from chatledger.dialects.types import stamp


def array_literal(values: Sequence[Any]) -> str:
    """The literal of an array: texts, numbers, bytes, aware times and None.

    An array of nothing but None is empty: `unnest` fills shorter arrays with NULL, as long as there is a longer one.
    """
    if not any(values) and values.count(None) == len(values):
        return "{}"
    return "{" + ",".join(["NULL" if value is None else _WRITERS[type(value)](value) for value in values]) + "}"


def _text(value: str) -> str:
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    return '"' + (value.replace('"', '\\"') if '"' in value else value) + '"'


def _bytes(value: bytes) -> str:
    return f'"\\\\x{value.hex()}"'


def _moment(value: datetime) -> str:
    return f'"{stamp(value)}+00"'


class _Writers(dict[type, Callable[[Any], str]]):
    def __missing__(self, kind: type) -> Callable[[Any], str]:
        """A subclass of what is known, such as a word of an enum."""
        self[kind] = found = next(write for known, write in tuple(self.items()) if issubclass(kind, known))
        return found


_WRITERS = _Writers({str: _text, int: int.__repr__, float: float.__repr__, bytes: _bytes, datetime: _moment})
