"""Conversations in which a message may have several answers, as a session and its forks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

from chatledger.dialects.encoding import encode_json
from chatledger.errors import InvalidInput
from chatledger.exchange.readers.conversation import Conversation, Fork, Shared, Turn, Unreadable
from chatledger.exchange.readers.json_file import Piece
from chatledger.exchange.readers.size_limits import MAX_BRANCHED, MAX_BRANCHED_BYTES
from chatledger.exchange.readers.trees import Branch, Tree
from chatledger.schemas import NewMessage
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.schemas.message import new_message


class Branching(NamedTuple):
    """What a reader of such a format makes of a record."""

    tree: Tree
    end: int | None
    """The node that the main path ends with; None when no node holds a message."""
    fields: dict[str, Any]
    """What `sessions.create` takes."""
    read: Callable[[int], NewMessage]
    """The message of a node, or InvalidInput that names its place in the record."""
    name: Callable[[int], str]
    """What the file calls a node: the same in each of its exports."""
    size: int | None = None
    """Bytes of the record, if it is more than the piece that it is read from."""
    follows_last: bool = True
    """Whether the newest of several answers, which the way goes on with, is the last one and not the first."""

    def conversation(self, piece: Piece, through: Sequence[str] = ()) -> Conversation | None:
        """The main path as a session, and each other path as a fork of it.

        With `through`, the main path leads through the first of these messages that the record has: the way that an
        earlier export took, or None if the record has none of them.

        Raises:
            InvalidInput: there are too many branches.
        """
        if self.end is None:
            return None if through else Conversation(piece.number, piece.line, iter(()), self.fields)
        end = self._end_through(through) if through else self.end
        if end is None:
            return None
        branches = self.tree.branches(end)
        self._require_bearable(branches, len(piece.data) if self.size is None else self.size)
        session_id = self.fields.get("session_id")
        main = {place: as_identifier(self.name(node)) for place, node in enumerate(self.tree.path(end), 1)}
        first = self.tree.first_branches(branches)
        forks = [
            Fork(fork_id(session_id, self.name(leaf)), at, _Path(piece, self, leaf, at, place, first), main.get(at))
            for place, (leaf, at) in enumerate(branches)
        ]
        messages = iter(_Path(piece, self, end, 0))
        again = partial(self.conversation, piece)
        return Conversation(piece.number, piece.line, messages, self.fields, forks=forks, keyed=True, through=again)

    def _end_through(self, names: Sequence[str]) -> int | None:
        """The end of the way through a message: of the main path, if it is on that."""
        assert self.end is not None
        nodes = {as_identifier(self.name(node)): node for node in self.tree.messages()}
        node = next((nodes[name] for name in names if name in nodes), None)
        if node is None or node in self.tree.path(self.end):
            return None if node is None else self.end
        return self.tree.end(last=self.follows_last, below=node)

    def _require_bearable(self, branches: list[Branch], size: int) -> None:
        """Refuse a small record that would become a large part of a disk."""
        if sum(self.tree.depth(leaf) for leaf, _ in branches) > MAX_BRANCHED:
            raise InvalidInput(
                "record", f"branches too often: its forks would hold more than {MAX_BRANCHED:,} messages"
            )
        if len(branches) * size <= MAX_BRANCHED_BYTES:  # as nearly all do, which need not be weighed
            return
        weights = [0] * self.tree.count
        for node in self.tree.messages():
            message = self.read(node)
            weights[node] = len(message.content) + sum(
                len(encode_json(value, name))
                for name, value in (("payload", message.payload), ("metadata", message.metadata))
            )
        sums = self.tree.sums(weights)
        with_each = len(encode_json(self.fields["metadata"], "metadata"))
        if sum(sums[leaf] + with_each for leaf, _ in branches) > MAX_BRANCHED_BYTES:
            raise InvalidInput(
                "record", f"branches too often: its forks would hold more than {MAX_BRANCHED_BYTES >> 20} MiB"
            )


@dataclass(frozen=True)
class _Path:
    """The messages on the way to a node, read again each time, because a message may be on thousands of ways."""

    piece: Piece
    record: Branching
    leaf: int
    above: int
    branch: int = 0
    """Which branch it is, and the first one that each node is on: there it is an original, and a copy in the others."""
    first: Sequence[int | None] = ()

    def __iter__(self) -> Iterator[Turn]:
        for node in self.record.tree.path(self.leaf, self.above):
            try:
                message = self.record.read(node)
            except InvalidInput as error:
                raise Unreadable(self.piece.number, self.piece.line, error) from None
            first = self.first[node] if self.first else None
            if first is None or first == self.branch:
                yield Turn(None, message)
            else:
                yield Turn(None, message, Shared(first + 1, self.record.tree.depth(node)))


def message_at(where: str, fields: dict[str, Any]) -> NewMessage:
    """The message with these fields. Raises InvalidInput that names its place in the record."""
    try:
        return new_message(fields)
    except InvalidInput as error:
        raise InvalidInput(f"{where}.{error.field}", error.reason) from None


def fork_id(session_id: str | None, leaf: str) -> str | None:
    """The id of the fork that ends with a message, from its conversation's and the message's: always the same one."""
    if session_id is None:
        return None
    readable = f"{session_id}:{leaf}"
    if len(readable) <= MAX_IDENTIFIER:
        return readable
    return blake2b(json.dumps([session_id, leaf]).encode(), digest_size=16).hexdigest()


def as_identifier(value: Any) -> str | None:
    """A value where it is text that fits into an id's column."""
    return value if isinstance(value, str) and 0 < len(value) <= MAX_IDENTIFIER else None


def known(values: dict[str, Any], *without: str) -> dict[str, Any]:
    """What an object says, without some of its fields and those that are null."""
    return {name: value for name, value in values.items() if value is not None and name not in without}


def earliest(times: list[datetime | None]) -> datetime | None:
    return min((time for time in times if time is not None), default=None)
