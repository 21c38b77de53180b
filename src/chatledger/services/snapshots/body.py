"""How a conversation is laid down in a snapshot: lines of JSON, compressed, read and written a line at a time.

The first line is the session's, then comes one for each message in the order of their numbers. Values stand as the
database holds them (JSON as its text, money in nano-dollars), so that a line is equal exactly when the message is.
Columns that were added since the first version stand at the end of a line, by name, where a message has them: the
lines of older snapshots are still equal to those of the same messages today.

What a message was copied from is not in its line. It changes when an original is deleted, which does not change the
conversation, and a line would keep the id of a session that has been erased. A restore finds it out again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from pydantic_core import from_json

from chatledger.dialects.types import dollars, stamp, to_moment
from chatledger.enums import Outcome, Role
from chatledger.errors import CorruptDatabase
from chatledger.full_text.parts import search_columns
from chatledger.services.rows import MESSAGE, messages

ENCODING = "jsonl+zlib"
VERSION = 2
"""Of the header."""
_READABLE = (1, 2)

# What is read of a message for a snapshot.
_LATER = (
    "reasoning_tokens", "cache_write_tokens", "cache_write_1h_tokens", "unpriced_units", "service_tier", "priced_from",
    "priced_as", "outcome", "hidden",
)  # fmt: skip
_LEFT_OUT = ("copied_from", "copied_sequence")
_FIRST = (*(column for column in MESSAGE if column.name not in (*_LATER, *_LEFT_OUT)), messages.c.digest)
COLUMNS = (*_FIRST, *(column for column in MESSAGE if column.name in _LATER))
_ALL = tuple(column.name for column in COLUMNS)
_NAMES = _ALL[: len(_FIRST)]
_CREATED = _NAMES.index("created_at")
# A snapshot is never unpacked further than its own size; this much at a time.
_CHUNK = 64 * 1024

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class Body(NamedTuple):
    """A snapshot's conversation as it is stored."""

    body: bytes
    size: int
    """Bytes before compression."""
    digest: bytes


class Writer:
    """Takes lines and gives a body. Holds what is compressed already, and nothing else."""

    def __init__(self) -> None:
        # Half the time of the usual 6 for a sixth more bytes: the session is locked meanwhile.
        self._compressor = zlib.compressobj(3)
        self._digest = blake2b(digest_size=16)
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, line: str) -> None:
        encoded = line.encode() + b"\n"
        self._size += len(encoded)
        self._digest.update(encoded)
        self._pieces.append(self._compressor.compress(encoded))

    def finish(self) -> Body:
        self._pieces.append(self._compressor.flush())
        return Body(b"".join(self._pieces), self._size, self._digest.digest())


def header(fields: dict[str, Any]) -> str:
    """The first line: what a session was, but for its messages."""
    return _dumps({"chatledger": "snapshot", "version": VERSION, **fields})


def line_of(row: Sequence[Any]) -> str:
    """The line of a message, from a row of `COLUMNS`, in stored form or not.

    Raises:
        CorruptDatabase: its time is invalid, so that no snapshot could give the message back.
    """
    values = dict(zip(_ALL, row, strict=True))
    values["digest"] = None if values["digest"] is None else bytes(values["digest"]).hex()
    later: dict[str, Any] = {name: value for name in _LATER if (value := values[name]) is not None}
    # The session's id is that of the snapshot.
    first = [values[name] for name in _NAMES[1:]]
    try:
        first[_CREATED - 1] = _stamped(values["created_at"])
        if "priced_from" in later:
            later["priced_from"] = _stamped(later["priced_from"])
        return _dumps([*first, later] if later else first)
    except (ValueError, AttributeError):
        pass
    raise CorruptDatabase(f"message {row[1]} of session {row[0]!r} is damaged: run `chatledger db check`")


def number_of(line: str) -> int:
    """The number of a message, from its line."""
    return int(line[1 : line.index(",")])


def _stamped(moment: Any) -> str:
    checked = to_moment(moment)
    return moment if isinstance(moment, str) else stamp(checked)


def row_of(session_id: str, line: str) -> list[Any]:
    """A row of `MESSAGE` again, from a line."""
    values = _values(session_id, line)
    return [values.get(column.name) for column in MESSAGE]


def _values(session_id: str, line: str) -> dict[str, Any]:
    found = json.loads(line)
    later = found.pop() if len(found) == len(_NAMES) else {}
    return {**dict.fromkeys(_LATER), **dict(zip(_NAMES, [session_id, *found], strict=True)), **later}


def stored_row(session_id: str, line: str) -> dict[str, Any]:
    """What is inserted into `messages` for a line."""
    values = _values(session_id, line)
    values["role"] = Role(values["role"])
    values["outcome"] = None if values["outcome"] is None else Outcome(values["outcome"])
    values["priced_from"] = None if values["priced_from"] is None else to_moment(values["priced_from"])
    values["cost"] = None if values["cost"] is None else dollars(values["cost"])
    values["created_at"] = to_moment(values["created_at"])
    values["digest"] = None if values["digest"] is None else bytes.fromhex(values["digest"])
    values["search_text"], values["search_extra"] = search_columns(
        values["role"], values["content"], values["payload"], values["name"], values["outcome"]
    )
    return values


def lines(snapshot_id: str, body: Body, encoding: str) -> Iterator[str]:
    """The lines of a body, header first. Nothing of it is given before all of it is known to be what was written.

    Raises:
        CorruptDatabase: it is not what was written, or was written by a newer release.
    """
    if encoding != ENCODING or not _is_whole(body):
        raise CorruptDatabase(f"snapshot {snapshot_id!r} is damaged: run `chatledger db check`")
    begun: list[bytes] = []
    for piece in _unpacked(bytes(body.body), body.size):
        first, *others = piece.split(b"\n")
        begun.append(first)
        for other in others:
            yield b"".join(begun).decode()
            begun = [other]


def _is_whole(body: Body) -> bool:
    digest, size = blake2b(digest_size=16), 0
    try:
        for piece in _unpacked(bytes(body.body), body.size):
            digest.update(piece)
            size += len(piece)
    except (zlib.error, ValueError):
        return False
    return size == body.size and digest.digest() == bytes(body.digest)


def fields_of(snapshot_id: str, line: str) -> dict[str, Any]:
    """What the header says of the session.

    Raises:
        CorruptDatabase: as `lines`.
    """
    try:
        found: dict[str, Any] = from_json(line)
        if found.pop("chatledger") == "snapshot" and found.pop("version") in _READABLE:
            return found
    except (ValueError, KeyError, AttributeError, TypeError):
        pass
    raise CorruptDatabase(f"snapshot {snapshot_id!r} is damaged: run `chatledger db check`")


def rewritten(snapshot_id: str, body: Body, encoding: str, change: Callable[[str], str]) -> Body:
    """The body with every message's line put through a function.

    Raises:
        CorruptDatabase: as `lines`.
    """
    writer = Writer()
    for place, line in enumerate(lines(snapshot_id, body, encoding)):
        writer.write(change(line) if place else line)
    return writer.finish()


def _unpacked(body: bytes, size: int) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    given = 0
    while body and not unpacker.eof:
        piece = unpacker.decompress(body, _CHUNK)
        body = unpacker.unconsumed_tail
        given += len(piece)
        if given > size:
            raise ValueError("larger than it was")
        yield piece
    if not unpacker.eof:
        raise ValueError("cut off")
