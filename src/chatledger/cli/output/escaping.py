"""Stored text on a screen: nothing in it may move the cursor, change colours or turn the direction of writing."""

from __future__ import annotations

import re
from typing import TextIO

# C0 but newline and tab, DEL and C1, marks and overrides of direction, and what is not a character.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS = {"\n": "\\n", "\t": "\\t"}


def neutral(text: str) -> str:
    """Text of any number of lines, its control characters shown as escapes such as `\\x1b`."""
    return _CONTROLS.sub(_escape, text)


def one_line(text: str) -> str:
    """The same for text that must stay on its line: breaks and tabs are escapes too."""
    return "".join(_BREAKS.get(character, character) for character in neutral(text))


class Neutral:
    """A text stream that lets nothing through that a terminal would act upon.

    Escapes have four digits, so that JSON which passes stays JSON.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
