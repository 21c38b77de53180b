"""A transcript that an agent writes line by line: all of its lines are parts of the same few conversations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chatledger.errors import InvalidInput
from chatledger.exchange.readers.json_file import Piece
from chatledger.exchange.readers.size_limits import MAX_TRANSCRIPT

_NUMBERS = 10
UNFINISHED = "its last message is still being written, and was left out: import the file again later"


class Line(NamedTuple):
    """A line that holds an object."""

    number: int
    """From 1."""
    record: dict[str, Any]


@dataclass
class Transcript:
    """The lines of a file."""

    lines: list[Line] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    """Numbers of lines that hold nothing that a transcript has."""
    size: int = 0
    """In bytes."""

    def notes(self) -> list[str]:
        """What a warning says of lines that were left out."""
        if not self.unread:
            return []
        several = len(self.unread) > 1
        numbers = ", ".join(map(str, self.unread[:_NUMBERS])) + (" and others" if self.unread[_NUMBERS:] else "")
        return [f"line{'s' * several} {numbers} {'are' if several else 'is'} no part of a transcript, and left out"]


def read_transcript(pieces: Iterable[Piece]) -> Transcript:
    """All lines of a transcript. A last line that is cut off is not counted as unread: the agent may be writing it.

    Raises:
        InvalidInput: it is longer than `MAX_TRANSCRIPT`.
    """
    found = Transcript()
    broken = False
    for piece in pieces:
        found.size += len(piece.data)
        if found.size > MAX_TRANSCRIPT:
            raise InvalidInput("file", f"is a transcript of more than {MAX_TRANSCRIPT >> 20} MiB")
        broken = False
        try:
            value = piece.value()
        except InvalidInput:
            value, broken = None, True
        if isinstance(value, dict):
            found.lines.append(Line(piece.line, value))
        else:
            found.unread.append(piece.line)
    if broken and found.lines:
        found.unread.pop()
    return found
