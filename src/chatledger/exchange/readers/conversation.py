"""What every reader of a format makes of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from chatledger.enums import StateScope, Status
from chatledger.errors import InvalidInput
from chatledger.exchange.readers.json_file import Piece
from chatledger.exchange.report import Failure
from chatledger.schemas import NewMessage
from chatledger.schemas.fields import MAX_IDENTIFIER


class Shared(NamedTuple):
    """A message that another branch of the conversation has, too."""

    session: int
    """0 for the conversation itself, else the place of its fork, from 1."""
    number: int


class Turn(NamedTuple):
    """A message, and the line it was read from where one message is one line."""

    line: int | None
    message: NewMessage
    shared: Shared | None = None
    """What it is a copy of, within the conversation."""
    place: tuple[str, int] | None = None
    """The session and the number that it has in the file, if the file says so."""


@dataclass(frozen=True)
class Fork:
    """A branch of a conversation, to become a session of its own."""

    session_id: str | None
    """None where the file does not say by what the conversation is known."""
    at: int
    """How many messages it has in common with the conversation. With none, it is a fork of nothing."""
    messages: Iterable[Turn]
    """The messages behind those. They can be read again."""
    after: str | None = None
    """The key of the last message that it has in common with the conversation."""

    def began(self) -> datetime | None:
        """When it left the conversation, if the file says so."""
        first = next(iter(self.messages), None)
        return None if first is None else first.message.created_at


@dataclass
class Conversation:
    """One session to be made, with its messages still to be read: they are taken once, in order.

    The messages raise `Unreadable` where one of them cannot be read.
    """

    record: int
    line: int | None
    messages: Iterator[Turn]
    fields: dict[str, Any] = field(default_factory=dict)
    """What `sessions.create` takes."""
    status: Status = Status.ACTIVE
    """What the session is to become after its messages."""
    forks: Sequence[Fork] = ()
    """Other ways that it went."""
    keyed: bool = False
    """Whether messages have keys that are the same in each export. Else they are known by their order."""
    parent: str | None = None
    """The session of the file that it belongs to, which may come after it."""
    is_repeated: bool = False
    """Whether a session that continues it, or that it continues, may hold the same messages under another id."""
    notes: Sequence[str] = ()
    """What a warning says of parts of the file that were left out."""
    through: Callable[[Sequence[str]], Conversation | None] | None = None
    """The conversation with another way as the session: the one through the first of these messages that it has."""

    def failure(self, error: Exception, line: int | None = None) -> Failure:
        """The failure of this conversation, at a line where that is known better."""
        return Failure(record=self.record, line=line or self.line, reason=str(error))


@dataclass(frozen=True)
class StateLine:
    """A value of a user, a project, or the session above."""

    record: int
    line: int | None
    scope: StateScope
    scope_id: str
    key: str
    value: Any


def each_record(
    pieces: Iterable[Piece], fits: Callable[[Any], bool], lacks: str, read: Callable[[Piece, Any], Conversation]
) -> Iterator[Conversation | Failure]:
    """A conversation for each record of a file, or the failure of one that does not fit, which says what it lacks."""
    for piece in pieces:
        try:
            record = piece.value()
            if not fits(record):
                raise InvalidInput("record", lacks)
        except InvalidInput as error:
            yield Failure(record=piece.number, line=piece.line, reason=str(error))
        else:
            yield read(piece, record)


def lists_messages(record: Any) -> bool:
    """Whether a record has a list of messages."""
    return isinstance(record, dict) and isinstance(record.get("messages"), list)


def part_key(key: str | None, number: int) -> str | None:
    """The key of a message that is one of several which one message of the file became: the first keeps its id."""
    if key is None or not number:
        return key
    longer = f"{key}#{number + 1}"
    return longer if len(longer) <= MAX_IDENTIFIER else None


class Unreadable(InvalidInput):
    """A part of a file that cannot be read, and its place."""

    failure: Failure

    def __init__(self, record: int, line: int | None, error: InvalidInput) -> None:
        super().__init__(error.field, error.reason)
        self.failure = Failure(record=record, line=line, reason=str(error))
