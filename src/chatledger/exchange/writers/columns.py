"""The columns of tables: their names, their kinds, and where their values come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from chatledger.exchange.formats import TableOf
from chatledger.exchange.writers.json import to_json
from chatledger.schemas import Message, Session


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    WHOLE = "whole"
    FLAG = "flag"
    MONEY = "money"
    MOMENT = "moment"
    JSON = "json"
    """JSON, as its text."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    kind: Kind
    value: Callable[[Session, Message | None], Any]
    """From the session, and the message where rows are messages."""


# Of the session, what the row of a message says too, and by which name.
_OF_SESSION = {"user_id": "user_id", "project_id": "project_id", "session_model_id": "model_id"}


def _kind(annotation: Any) -> Kind:
    """The kind of a field, from its type."""
    if get_origin(annotation) is not None and type(None) in get_args(annotation):
        [annotation] = [part for part in get_args(annotation) if part is not type(None)] or [Any]
    if isinstance(annotation, type):
        for base, kind in (
            (str, Kind.TEXT),
            (bool, Kind.FLAG),
            (int, Kind.WHOLE),
            (Decimal, Kind.MONEY),
            (datetime, Kind.MOMENT),
        ):
            if issubclass(annotation, base):
                return kind
    return Kind.JSON


def _reader(name: str, kind: Kind, *, of_message: bool) -> Callable[[Session, Message | None], Any]:
    def read(session: Session, message: Message | None) -> Any:
        value = getattr(message if of_message else session, name)
        if kind is Kind.JSON:
            # An empty dict is what is not there; a payload may be any value.
            return None if value is None or (value == {} and name != "payload") else to_json(value)
        return str(value) if isinstance(value, StrEnum) else value

    return read


def _columns(record: type[Session | Message], *, of_message: bool) -> list[Column]:
    hints = get_type_hints(record)
    kinds = {name: _kind(hints[name]) for name in record.model_fields}
    return [Column(name, kind, _reader(name, kind, of_message=of_message)) for name, kind in kinds.items()]


def _of_messages() -> tuple[Column, ...]:
    first, number, *others = _columns(Message, of_message=True)
    added = [
        Column(name, Kind.TEXT, _reader(field, Kind.TEXT, of_message=False)) for name, field in _OF_SESSION.items()
    ]
    return (first, number, *added, *others)


COLUMNS: dict[TableOf, tuple[Column, ...]] = {
    TableOf.MESSAGES: _of_messages(),
    TableOf.SESSIONS: tuple(_columns(Session, of_message=False)),
}
