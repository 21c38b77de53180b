"""Sessions that a flush inserts, updates or deletes."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, event, inspect
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import SessionTransaction

from chatledger.dialects import dialect_of
from chatledger.enums import Status
from chatledger.errors import InvalidInput, SessionHeld
from chatledger.full_text.parts import OF_SESSIONS, session_search_columns
from chatledger.models.base import Base
from chatledger.models.registration import register, require_own_project
from chatledger.models.session import Session
from chatledger.models.writing.context import context_of, session_of
from chatledger.models.writing.counters import COUNTERS, READ, touch
from chatledger.models.writing.locking import lock_in_order
from chatledger.schemas.fields import validated
from chatledger.schemas.new_session import NewSession

# Fields that are validated as those of a session that a service creates.
_FIELDS = (
    "session_id", "user_id", "project_id", "model_id", "title", "system_prompt", "context", "name", "parent_id",
    "created_at",
)  # fmt: skip
# Projects that sessions of a user may join, by the transaction that has looked.
_own_projects: WeakKeyDictionary[SessionTransaction, set[str]] = WeakKeyDictionary()
_KEPT = "is kept by the database, from the messages of the session: leave it out"


def install() -> None:
    """Register the events."""
    event.listen(Session, "before_insert", _before_insert, propagate=True)
    event.listen(Session, "before_update", _before_update, propagate=True)
    event.listen(Session, "after_update", _after_update, propagate=True)
    event.listen(Session, "before_delete", _before_delete, propagate=True)


def _before_insert(_mapper: Any, connection: Connection, chat: Session) -> None:
    writer = context_of(session_of(chat))
    _forget_counters(chat)
    if chat.user_id is None:
        chat.user_id = writer.owner
    _validate(chat, _FIELDS)
    if chat.context is None:
        chat.context = {}
    # Together, as a service does, so that a session that is new has no activity before or after its creation.
    values = inspect(chat).dict
    if values.get("created_at") is None:
        chat.created_at = writer.clock()
    for name in [name for name in values if name.startswith("activity_")]:
        del values[name]  # made by the database from `last_activity`
    for name in ("updated_at", "last_activity"):
        if values.get(name) is None:
            setattr(chat, name, chat.created_at)
    _fill_search_columns(chat)
    _register(session_of(chat), connection, chat)


def _forget_counters(chat: Session) -> None:
    """Refuse counters that are given. Those that a transaction left behind that was rolled back are forgotten."""
    read = inspect(chat).info.pop(READ, {})
    for name in COUNTERS:
        value = inspect(chat).dict.get(name)
        if not value:
            continue
        if value != read.get(name):
            raise InvalidInput(name, _KEPT)
        setattr(chat, name, None)
    if read and chat.last_activity == read["last_activity"]:
        chat.last_activity = None  # type: ignore[assignment]  # filled in again


def _before_update(_mapper: Any, connection: Connection, chat: Session) -> None:
    lock_in_order(session_of(chat), connection)
    changed = {attribute.key for attribute in inspect(chat).attrs if attribute.history.has_changes()}
    for name in (*COUNTERS, "last_activity"):
        if name in changed:
            raise InvalidInput(name, _KEPT)
    if "session_id" in changed:
        raise InvalidInput("session_id", "is the session's key and cannot be changed: fork the session instead")
    _validate(chat, [name for name in _FIELDS if name in changed])
    if changed & {*OF_SESSIONS, *(f"search_{name}" for name in OF_SESSIONS)}:
        _fill_search_columns(chat)
    if changed & {"project_id", "model_id"}:
        _register(session_of(chat), connection, chat)


def _fill_search_columns(chat: Session) -> None:
    for name, value in session_search_columns(**{name: getattr(chat, name) for name in OF_SESSIONS}).items():
        setattr(chat, name, value)


def _after_update(_mapper: Any, _connection: Connection, chat: Session) -> None:
    touch(session_of(chat), chat.session_id)  # a trigger moves `updated_at`


def _before_delete(_mapper: Any, connection: Connection, chat: Session) -> None:
    if chat.held_at is not None:
        raise SessionHeld((chat.session_id,))
    dialect_of(connection.dialect.name).delete_dependents(
        connection,
        (
            table
            for table in reversed(Base.metadata.sorted_tables)
            if any(key.referred_table is Session.__table__ for key in table.foreign_key_constraints)
        ),
        (chat.session_id,),
    )


def _validate(chat: Session, names: Any) -> None:
    """Raise InvalidInput for a value that a service would not store."""
    given = {name: getattr(chat, name) for name in names}
    if given.get("context", {}) is None:
        del given["context"]
    new = validated(NewSession, given)
    for name, value in given.items():
        if value is not None and getattr(new, name) != value:
            setattr(chat, name, getattr(new, name))
    if chat.status is not None:
        if chat.status not in list(Status):
            raise InvalidInput("status", f"is not one of {', '.join(Status)}")
        chat.status = Status(chat.status)


def _register(session: OrmSession, connection: Connection, chat: Session) -> None:
    """Register what sessions name, those of the whole flush in one order."""
    chats = [one for one in (*session.new, *session.dirty) if isinstance(one, Session)] or [chat]
    named = [inspect(one).dict for one in chats]
    writer = context_of(session)
    inserted = register(
        connection,
        dialect_of(connection.dialect.name),
        (one.get("project_id") for one in named),
        (one.get("model_id") for one in named),
        writer.clock(),
    )
    if writer.owner is None:
        return
    # Events of one flush come before any of its rows: what the flush has registered is remembered.
    transaction = session.get_nested_transaction() or session.get_transaction()
    assert transaction is not None
    own = _own_projects.setdefault(transaction, set())
    own |= inserted
    for project_id in sorted({one["project_id"] for one in named if one.get("project_id") is not None} - own):
        require_own_project(connection, writer.owner, project_id)
        own.add(project_id)
