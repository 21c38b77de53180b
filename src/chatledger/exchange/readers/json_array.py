"""The elements of a JSON array, cut out without decoding, so that one that is broken does not lose the rest.

Brackets are counted outside of strings, on bytes: in UTF-8 no byte of a longer character looks like one. Whether an
element is JSON is found when it is decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from chatledger.exchange.readers.size_limits import MAX_RECORD, TOO_LONG

_CHUNK = 1 << 16

# A whole string, or the quote of one whose end was not read yet, or a bracket. Possessive: it never goes back.
_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_SEPARATOR = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[",\]]', re.DOTALL)
_FILLED = re.compile(rb"[^\s,]")

Element = tuple[int, int, bytes, str | None]
"""The line, the first byte, the text, and what is wrong with it."""


class Elements:
    """Iterates over the elements of the array that a file holds. What cannot be cut is an element with a problem."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._buffer = b""
        self._at = 0  # of what was not given out, in the buffer
        self._offset = file.tell()  # of the buffer, in the file
        self._line = 1
        self._ended = False

    def __iter__(self) -> Iterator[Element]:
        if not self._next_filled():
            return
        self._pass(self._at + 1)  # the bracket that opens the array
        while self._next_filled():
            mark = self._buffer[self._at : self._at + 1]
            if mark == b"]":
                self._pass(self._at + 1)
                if self._next_filled():
                    yield self._problem("stands behind the end of the array")
                return
            end = self._end(_BRACKET) if mark in (b"{", b"[") else self._end(_SEPARATOR)
            if end is None:
                yield self._problem("is cut off: the file ends inside of it" if self._ended else TOO_LONG)
                return
            element = (self._line, self._offset + self._at, self._buffer[self._at : end], None)
            self._pass(end)
            yield element
        yield self._problem("is missing: the file ends before its array does")

    def _end(self, pattern: re.Pattern[bytes]) -> int | None:
        """Where the element ends that begins here, or None when it does not. Reads on as needed."""
        depth, cursor = 0, self._at
        while True:
            for token in pattern.finditer(self._buffer, cursor):
                mark = token[0]
                if mark == b'"':
                    cursor = token.start()
                    break
                if mark in (b"{", b"["):
                    depth += 1
                elif mark in (b"}", b"]", b","):
                    depth -= 1
                    if depth == 0:
                        return token.end()
                    if depth < 0:  # what separates a scalar from the rest does not belong to it
                        return token.start()
            else:
                cursor = len(self._buffer)
            cursor -= self._at
            if len(self._buffer) - self._at > MAX_RECORD or not self._read():
                return None
            cursor += self._at

    def _next_filled(self) -> bool:
        """Go to the next byte that is neither space nor comma; whether there is one."""
        while True:
            found = _FILLED.search(self._buffer, self._at)
            self._pass(found.start() if found else len(self._buffer))
            if found:
                return True
            if not self._read():
                return False

    def _read(self) -> bool:
        """Read as much again as is held: what is looked at twice is then never more than what was read."""
        held = self._buffer[self._at :]
        chunk = self._file.read(max(_CHUNK, len(held)))
        self._offset += self._at
        self._buffer, self._at = held + chunk, 0
        self._ended = not chunk
        return bool(chunk)

    def _pass(self, to: int) -> None:
        self._line += self._buffer.count(b"\n", self._at, to)
        self._at = to

    def _problem(self, reason: str) -> Element:
        return self._line, self._offset + self._at, b"", reason
