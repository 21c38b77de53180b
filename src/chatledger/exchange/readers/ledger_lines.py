"""Our own export, read back: a header line, then each session's line followed by the lines of its messages and its state.

What comes back: id, owner, project, model, name, parent, title, system prompt, context, metadata and time of creation
of a session; of its messages everything, in order. A cost stays what it was: given, counted with its price, or not
known; `reprice` fills it in. Messages are renumbered from 1: where messages had been deleted, the gaps close. A message
that is a copy of another one is so again, of the same message as it is stored now. Where the original is neither in the
ledger nor in the file, the first of its copies becomes the original. A session becomes archived, expired, failed,
paused or idle again, at the time of the import. What the ledger alone decides does not come back: `updated_at`, and
where it was forked from. A session whose line says more or fewer messages than follow is a failure: the file was cut
off.

The JSON export is read as well, each of its sessions at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from chatledger.enums import StateScope, Status
from chatledger.errors import InvalidInput
from chatledger.exchange.readers.conversation import Conversation, StateLine, Turn, Unreadable
from chatledger.exchange.readers.json_file import Piece
from chatledger.exchange.report import Failure
from chatledger.schemas import NewMessage, Session
from chatledger.schemas.copied_message import SettledMessage
from chatledger.schemas.fields import called, identifier, validated
from chatledger.schemas.new_session import NewSession

NAME = "chatledger"
"""What the header says."""
VERSION = 1

_TAKEN = set(NewSession.model_fields) & set(Session.model_fields)
_OF_SESSION = set(Session.model_fields) | {"type", "messages"}
_OF_STATE = {"type", "key", "value", *(f"{scope.value}_id" for scope in StateScope)}
_OF_MESSAGE = set(SettledMessage.model_fields) | {"type", "session_id", "sequence_number"}


def holds(value: Any) -> bool:
    """Whether a record is a line of our export, or a session of the JSON export."""
    if not isinstance(value, dict):
        return False
    if value.get("type") == "header":
        return value.get("format") == NAME
    return {"session_id", "status", "message_count"} <= value.keys()


def conversations(pieces: Iterable[Piece]) -> Iterator[Conversation | StateLine | Failure]:
    """The sessions of an export.

    Raises:
        InvalidInput: the header is missing, or of a version that this release does not read.
    """
    lines = _Lines(pieces)
    known = False
    current_session: Any = None  # the session whose messages, when they come without it, need no more words
    while line := lines.take():
        try:
            value = line.value()
            kind = value.get("type") if isinstance(value, dict) else None
            if kind == "header":
                _require_version(value)
                known = True
            elif kind is None and holds(value):
                yield _session(line, value, _messages_within(line, value))
            elif not known:
                raise _Refused("file", "does not begin with the header of an export")
            elif kind == "session":
                current_session = value.get("session_id")
                yield _session(line, value, _messages(lines, line, value))
            elif kind == "state":
                yield _state(line, value)
            elif kind != "message":
                raise InvalidInput("type", "is not header, session, message or state")
            elif value.get("session_id", current_session) != current_session:
                current_session = value["session_id"]
                raise InvalidInput("record", "is a message without the line of its session, as may be those behind it")
        except _Refused:
            raise
        except InvalidInput as error:
            yield Failure(record=line.number, line=line.line, reason=str(error))


class _Refused(InvalidInput):
    """The whole file cannot be read."""


class _Line:
    """A piece that is decoded once."""

    def __init__(self, piece: Piece) -> None:
        self.number, self.line = piece.number, piece.line
        self.error: InvalidInput | None = None
        self.decoded: Any = None
        try:
            self.decoded = piece.value()
        except InvalidInput as error:
            self.error = error

    def value(self) -> Any:
        if self.error:
            raise self.error
        return self.decoded

    def is_message(self) -> bool:
        return isinstance(self.decoded, dict) and self.decoded.get("type") == "message"


class _Lines:
    """The lines of an export, one ahead."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = iter(pieces)
        self._ahead: _Line | None = None

    def peek(self) -> _Line | None:
        if self._ahead is None and (piece := next(self._pieces, None)) is not None:
            self._ahead = _Line(piece)
        return self._ahead

    def take(self) -> _Line | None:
        line, self._ahead = self.peek(), None
        return line


def _messages(lines: _Lines, head: _Line, session: dict[str, Any]) -> Iterator[Turn]:
    count, last = 0, 0
    expected = session.get("message_count")
    while count != expected and (line := lines.peek()):
        if line.error:
            lines.take()
            raise Unreadable(line.number, line.line, line.error)
        if not line.is_message():
            break
        lines.take()
        try:
            message, last = _message(line.decoded, session, last)
        except InvalidInput as error:
            raise Unreadable(line.number, line.line, error) from None
        count += 1
        yield Turn(line.line, message, place=_place(session, last))
    _require_count(head, count, expected)
    if (line := lines.peek()) and line.is_message():
        mine = session.get("session_id")
        _require_count(head, count + (line.decoded.get("session_id", mine) == mine), expected)


def _message(value: Any, session: dict[str, Any], last: int) -> tuple[NewMessage, int]:
    number = value.get("sequence_number") if isinstance(value, dict) else None
    if type(number) is not int or number <= last:
        raise InvalidInput("sequence_number", "does not rise")
    if value.get("session_id", session.get("session_id")) != session.get("session_id"):
        raise InvalidInput("session_id", "is not that of the session above")
    _require_known(value, _OF_MESSAGE)
    given = {name: value[name] for name in SettledMessage.model_fields if name in value}
    return validated(SettledMessage, given), number


def _place(session: dict[str, Any], number: int) -> tuple[str, int] | None:
    session_id = session.get("session_id")
    return (session_id, number) if isinstance(session_id, str) else None


def _session(line: _Line, value: dict[str, Any], messages: Iterator[Turn]) -> Conversation:
    _require_known(value, _OF_SESSION)
    fields = {name: value[name] for name in _TAKEN if name in value}
    try:
        status = Status(value.get("status", Status.ACTIVE))
    except ValueError:
        raise InvalidInput("status", f"is not one of {', '.join(Status)}") from None
    parent = fields.pop("parent_id", None)
    if parent is not None:
        identifier(parent, "parent_id")
    return Conversation(line.number, line.line, messages, fields, status, parent=parent)


def _state(line: _Line, value: dict[str, Any]) -> StateLine:
    _require_known(value, _OF_STATE)
    owners = [scope for scope in StateScope if f"{scope.value}_id" in value]
    if len(owners) != 1 or "value" not in value:
        raise InvalidInput("record", "is state without a value, or not of one user, project or session")
    scope = owners[0]
    scope_id = called(value[f"{scope.value}_id"], f"{scope.value}_id")
    return StateLine(line.number, line.line, scope, scope_id, called(value.get("key"), "key"), value["value"])


def _messages_within(line: _Line, session: dict[str, Any]) -> Iterator[Turn]:
    last = 0
    items = session.get("messages")
    if not isinstance(items, list):
        raise Unreadable(line.number, line.line, InvalidInput("messages", "is not a list"))
    for index, item in enumerate(items):
        try:
            message, last = _message(item, session, last)
        except InvalidInput as error:
            wrong = InvalidInput(f"messages[{index}].{error.field}", error.reason)
            raise Unreadable(line.number, line.line, wrong) from None
        yield Turn(None, message, place=_place(session, last))
    _require_count(line, len(items), session.get("message_count"))


def _require_version(header: dict[str, Any]) -> None:
    if header.get("format") != NAME:
        raise _Refused("format", f"of the header is not {NAME}")
    if header.get("version") != VERSION or type(header["version"]) is not int:
        raise _Refused(
            "version", f"of the export is not {VERSION}, which this release reads: install a newer chatledger"
        )


def _require_count(head: _Line, found: int, expected: Any) -> None:
    if expected is not None and found != expected:
        more_or_fewer = "fewer" if isinstance(expected, int) and found < expected else "more"
        wrong = InvalidInput("message_count", f"does not match: {more_or_fewer} messages follow")
        raise Unreadable(head.number, head.line, wrong)


def _require_known(value: dict[str, Any], known: set[str]) -> None:
    if not value.keys() <= known:
        raise InvalidInput("record", "holds a field that this release does not know")
