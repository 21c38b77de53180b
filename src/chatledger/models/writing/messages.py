"""Messages that a flush inserts, updates or deletes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, event, inspect
from sqlalchemy.orm import Session as OrmSession

from chatledger.dialects import dialect_of
from chatledger.errors import InvalidInput
from chatledger.models.message import Message
from chatledger.models.registration import register
from chatledger.models.writing.context import context_of, session_of
from chatledger.models.writing.counters import touch
from chatledger.models.writing.locking import lock_in_order, lock_session
from chatledger.models.writing.prices import costs_of
from chatledger.models.writing.rows import refused_number
from chatledger.schemas.costs import COUNTS
from chatledger.schemas.digest import FIELDS
from chatledger.schemas.fields import called, validated
from chatledger.schemas.message import NewMessage
from chatledger.schemas.stored_message import to_row

# The attribute of each field of `NewMessage`.
_ATTRIBUTES = {name: "metadata_" if name == "metadata" else name for name in NewMessage.model_fields}
# In `InstanceState.info`: the number that a flush gave, which stays on an object whose transaction was rolled back.
_NUMBERED = "chatledger_number"
# In `InstanceState.info`: what an earlier flush of this object filled in.
_FILLED = "chatledger_filled"
# In `InstanceState.info`: the flush that has prepared the object.
_READY = "chatledger_ready"


def install() -> None:
    """Register the events."""
    event.listen(Message, "before_insert", _before_insert, propagate=True)
    event.listen(Message, "after_insert", _after_insert, propagate=True)
    event.listen(Message, "before_update", _before_update, propagate=True)
    event.listen(Message, "after_update", _after_change, propagate=True)
    event.listen(Message, "after_delete", _after_change, propagate=True)


def _before_insert(_mapper: Any, connection: Connection, message: Message) -> None:
    session = session_of(message)
    flush = lock_in_order(session, connection)
    if inspect(message).info.get(_READY) is not flush:
        new = [one for one in session.new if isinstance(one, Message)]
        new.sort(key=lambda one: inspect(one).insert_order or 0)
        # All at once: prices and names are read once.
        _prepare(session, connection, new)
        for one in new:
            inspect(one).info[_READY] = flush


def _after_insert(_mapper: Any, _connection: Connection, message: Message) -> None:
    inspect(message).info[_NUMBERED] = message.sequence_number
    touch(session_of(message), message.session_id)


def _after_change(_mapper: Any, _connection: Connection, message: Message) -> None:
    touch(session_of(message), message.session_id)


def _prepare(session: OrmSession, connection: Connection, new: Sequence[Message]) -> None:
    """Validate new messages, fill in what they do not say, and lock their sessions."""
    writer = context_of(session)
    now = writer.clock()
    rows = []
    for message in new:
        info = inspect(message).info
        if info.get(_NUMBERED) == message.sequence_number:
            message.sequence_number = None  # type: ignore[assignment]  # of a transaction that was rolled back
        for name, value in info.pop(_FILLED, {}).items():
            if getattr(message, name) == value:
                setattr(message, name, None)
        if message.session_id is None:
            raise InvalidInput("session_id", "is missing: give the message a session, or the id of one")
        called(message.session_id, "session_id")
        rows.append((message.session_id, _stored(message, now)))
    register(connection, dialect_of(connection.dialect.name), (), (row["model_id"] for _, row in rows), now)
    for message, (_, row), found in zip(new, rows, costs_of(connection, rows), strict=True):
        if found.priced_from is not None:
            inspect(message).info[_FILLED] = found._asdict()
        message.cost, message.priced_from, message.priced_as = found
        message.digest = row["digest"]
        message.search_text, message.search_extra = row["search_text"], row["search_extra"]
    _check_numbers(connection, new, writer.owner)


def _check_numbers(connection: Connection, new: Sequence[Message], owner: str | None) -> None:
    """See that numbers that are given are the next, and that all sessions belong to the owner.

    The numbers themselves are the column's default: with them, rows would be sent to some databases one by one.
    """
    if owner is None and all(message.sequence_number is None for message in new):
        return
    last = {
        session_id: lock_session(connection, session_id, owner)
        for session_id in sorted({message.session_id for message in new})
    }
    for message in new:
        number = last[message.session_id] = last[message.session_id] + 1
        if message.sequence_number is not None:
            if message.sequence_number != number:
                raise refused_number(number)
            message.sequence_number = None  # type: ignore[assignment]  # it will get this very number


def _before_update(_mapper: Any, connection: Connection, message: Message) -> None:
    attributes = inspect(message).attrs
    for name in ("session_id", "sequence_number"):
        if attributes[name].history.has_changes():
            raise InvalidInput(name, "is part of a message's key and cannot be changed: add a new message instead")
    changed = {name for name, attribute in _ATTRIBUTES.items() if attributes[attribute].history.has_changes()}
    session = session_of(message)
    writer = context_of(session)
    lock_in_order(session, connection)
    if changed.intersection((*FIELDS, "created_at")):
        row = _stored(message, writer.clock())
        message.digest = row["digest"]
        message.search_text, message.search_extra = row["search_text"], row["search_extra"]
        if "model_id" in changed:
            register(connection, dialect_of(connection.dialect.name), (), (row["model_id"],), writer.clock())
        if changed.intersection((*COUNTS, "model_id")) and "cost" not in changed and message.priced_from is not None:
            [found] = costs_of(connection, [(message.session_id, {**row, "cost": None})])
            message.cost, message.priced_from, message.priced_as = found
    if "cost" in changed:
        message.cost = validated(NewMessage, {"role": message.role, "cost": message.cost}).cost
        if not attributes["priced_from"].history.has_changes():
            message.priced_from = message.priced_as = None  # the caller gave it


def _stored(message: Message, now: Any) -> dict[str, Any]:
    """A message in stored form, after the same validation as a service's. Its attributes are normalised."""
    state = inspect(message)
    if state.pending:  # nothing of it is in the database, so what is not set is None
        values = state.dict
        given = {name: values.get(attribute) for name, attribute in _ATTRIBUTES.items()}
    else:
        given = {name: getattr(message, attribute) for name, attribute in _ATTRIBUTES.items()}
    if given["content"] is None:
        given["content"] = ""
    new = validated(NewMessage, given)
    row = to_row(new, now)
    for name, attribute in _ATTRIBUTES.items():
        value = getattr(new, name)
        if value is not given[name] and name != "payload" and value != given[name]:
            setattr(message, attribute, value)
    message.role, message.content = new.role, new.content
    if new.outcome is not None:
        message.outcome = new.outcome
    if given["metadata"] is not None and not new.metadata:
        message.metadata_ = None
    if given["created_at"] is not row["created_at"]:
        message.created_at = row["created_at"]
    return row
