"""A file cut into JSON texts, each read by itself, so that memory does not grow with the file."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

from chatledger.errors import InvalidInput
from chatledger.exchange.readers.json_array import Elements
from chatledger.exchange.readers.mending import Mender, NotJson, decode, decode_unique
from chatledger.exchange.readers.size_limits import MAX_RECORD, TOO_LONG

Shape = Literal["lines", "array", "object"]

# What is looked at to tell JSON Lines from one document.
_FIRST_LINE = 1 << 24
_MINUTE = 60
_BOM = b"\xef\xbb\xbf"
_OTHER_UNICODE = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


@dataclass(frozen=True, slots=True)
class Piece:
    """One JSON text of a file: a line, an element of the outermost array, or the whole."""

    number: int
    """From 1."""
    line: int
    offset: int
    """The byte at which it begins."""
    data: bytes
    problem: str | None = None
    """Why there is no data."""
    mender: Mender | None = None
    """What mends characters that cannot be stored. Without it, they are refused."""

    def value(self, *, unique: bool = False) -> Any:
        """What the text says. Of a name that stands twice in an object the last one counts, or `unique` refuses it.

        Raises:
            InvalidInput: it is not UTF-8, not JSON, holds NaN or an infinity, or is nested beyond reason.
        """
        if self.problem:
            raise InvalidInput("record", self.problem)
        try:
            if self.mender is not None:
                return self.mender.value(self.number, self.line, self.data, unique=unique)
            return (decode_unique if unique else decode)(self.data.decode("utf-8"))
        except InvalidInput:
            raise
        except UnicodeDecodeError as error:
            reason = f"is not UTF-8 at {self._place(error.start)}"
        except json.JSONDecodeError as error:
            place = self._place(len(error.doc[: error.pos].encode()))
            reason = f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]} at {place}"
        except RecursionError:
            reason = "is nested too deeply"
        except ValueError as error:
            reason = str(error) if isinstance(error, NotJson) else "holds an integer of more than 4000 digits"
        raise InvalidInput("record", reason)

    def _place(self, byte: int) -> str:
        line = self.line + self.data.count(b"\n", 0, byte)
        return f"byte {self.offset + byte} of the file, line {line}"


class PlainFile:
    """A file of JSON, cut into pieces: a regular one (links to it are followed), or an open one of a known size.

    Raises:
        InvalidInput: no such file, not a regular file, unreadable, empty, or neither JSON nor JSON Lines.
    """

    def __init__(
        self, path: str | os.PathLike[str] | BinaryIO, *, size: int | None = None, mender: Mender | None = None
    ) -> None:
        self._file: BinaryIO = _opened(path) if isinstance(path, str | os.PathLike) else path
        self._mender = mender
        self._modified = os.fstat(self._file.fileno()).st_mtime if size is None else None
        try:
            self.size = os.fstat(self._file.fileno()).st_size if size is None else size
            self.shape: Shape = self._look()
        except BaseException:
            self._file.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether it has been read and closed."""
        return self._file.closed

    @property
    def is_growing(self) -> bool:
        """Whether it was written to within the last minute, as far as that is known: not of a part of an archive."""
        return self._modified is not None and 0 <= time.time() - self._modified < _MINUTE

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._file.tell()

    def pieces(self) -> Iterator[Piece]:
        """The pieces, from the beginning of the file."""
        self._to_start()
        if self.shape == "lines":
            return self._lines()
        return self._elements() if self.shape == "array" else self._whole()

    def _lines(self) -> Iterator[Piece]:
        number = line = 0
        while True:
            offset = self._file.tell()
            data = self._file.readline(MAX_RECORD + 1)
            if not data:
                return
            line += 1
            too_long = len(data) > MAX_RECORD
            while too_long and not data.endswith(b"\n") and data:
                data = self._file.readline(1 << 20)
            if too_long or data.strip():
                number += 1
                yield self._piece(
                    number, line, offset, b"" if too_long else data.rstrip(), TOO_LONG if too_long else None
                )

    def _elements(self) -> Iterator[Piece]:
        for number, (line, offset, data, problem) in enumerate(Elements(self._file), 1):
            yield self._piece(number, line, offset, data, problem)

    def _whole(self) -> Iterator[Piece]:
        offset = self._file.tell()
        data = self._file.read(MAX_RECORD + 1)
        too_long = len(data) > MAX_RECORD
        yield self._piece(1, 1, offset, b"" if too_long else data, TOO_LONG if too_long else None)

    def _piece(self, number: int, line: int, offset: int, data: bytes, problem: str | None) -> Piece:
        return Piece(number, line, offset, data, problem, self._mender)

    def _to_start(self) -> None:
        self._file.seek(0)
        if self._file.read(len(_BOM)) != _BOM:
            self._file.seek(0)

    def _look(self) -> Shape:
        start = self._file.read(4)
        if start.startswith(_OTHER_UNICODE):
            raise InvalidInput("file", "is UTF-16 or UTF-32: convert it to UTF-8")
        self._to_start()
        first = self._filled_line()
        if not first:
            raise InvalidInput("file", "is empty")
        if first[:1] not in (b"{", b"["):
            raise InvalidInput("file", "is neither JSON nor JSON Lines: it does not begin with { or [")
        if len(first) >= _FIRST_LINE:
            return "lines" if first[:1] == b"{" else "array"
        second = self._filled_line()
        if first[:1] == b"[":  # lists in lines, only when each line is whole
            return "lines" if second[:1] == b"[" and _is_json(first) else "array"
        # A document in several lines has a name behind its first brace, never another object.
        return "lines" if _is_json(first) or second[:1] == b"{" else "object"

    def _filled_line(self) -> bytes:
        while line := self._file.readline(_FIRST_LINE):
            if line.strip():
                return line.strip()
        return b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    try:
        # Opening a FIFO would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not a path").lower()
    else:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "rb")
        os.close(descriptor)
        reason = "it is not a regular file"
    raise InvalidInput("file", f"{Path(os.fsdecode(path)).name!r} cannot be read: {reason}")


def _is_json(data: bytes) -> bool:
    try:
        decode(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True
