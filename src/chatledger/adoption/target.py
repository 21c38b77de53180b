"""The ledger's side: where a session goes, what of it is there already, and the writing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, update

from chatledger.adoption.layouts import Layout
from chatledger.adoption.source.json_values import is_clean
from chatledger.adoption.source.rows import OldSession
from chatledger.adoption.to_new_message import MARK, digest, origin
from chatledger.enums import Status
from chatledger.errors import AdoptionFailed
from chatledger.models import Message as MessageRow
from chatledger.models import Session as SessionRow
from chatledger.schemas import NewMessage, Session
from chatledger.schemas.digest import message_digest
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.schemas.stored_message import to_row
from chatledger.services.messages import copies
from chatledger.unit_of_work import UnitOfWork

# Keys that are looked up at a time.
_LOOKED_UP = 500


class Place(NamedTuple):
    """Where a session goes."""

    session_id: str
    there: Session | None
    """What an earlier adoption made of it."""
    taken: bool
    """Its own id belongs to somebody else."""


def place_of(uow: UnitOfWork, layout: Layout, session: OldSession) -> Place:
    """The session that was made of it before, else the first id that is free: its own, or one that names its layout."""
    own = session.session_id or session.source_id
    other = f"{layout.value}:{origin(session)}"
    first = own if own and is_clean(own) and len(own) <= MAX_IDENTIFIER else f"{layout.value}:{digest(own)}"
    free = None
    for session_id in (first, other):
        found = uow.sessions.find(session_id, include_expired=True)
        if found is None:
            free = free or session_id
        elif _is_made_of(found, layout, session):
            return Place(session_id, found, session_id != own)
    if free is None:
        raise AdoptionFailed(f"sessions {first!r} and {other!r} are there and are others: delete or rename one")
    return Place(free, None, free != own)


def _is_made_of(found: Session, layout: Layout, session: OldSession) -> bool:
    mark = found.metadata.get(MARK)
    if not isinstance(mark, dict):
        return False
    return mark.get("layout") == layout.value and mark.get("origin") == origin(session)


def compare(uow: UnitOfWork, session_id: str, messages: Sequence[NewMessage]) -> tuple[list[int], list[int]]:
    """Places of the messages that the session has not got, and of those that it has with other content."""
    known: dict[str | None, Any] = {}
    keys = [message.key for message in messages]
    row = MessageRow
    for start in range(0, len(keys), _LOOKED_UP):
        wanted = select(row.key, row.digest, row.cost, row.priced_from, row.created_at).where(
            row.session_id == session_id, row.key.in_(keys[start : start + _LOOKED_UP])
        )
        known |= {found.key: found for found in uow.session.execute(wanted)}
    absent: list[int] = []
    changed: list[int] = []
    for place, message in enumerate(messages):
        found = known.get(message.key)
        if found is None:
            absent.append(place)
        elif (found.priced_from is None and message.cost != found.cost) or _digest(
            message, found.created_at
        ) != found.digest:
            changed.append(place)
    return absent, changed


def _digest(message: NewMessage, stored_at: datetime) -> bytes:
    row = to_row(message, stored_at)
    return message_digest(row, row["created_at"])


def link(uow: UnitOfWork, parent: str, messages: Sequence[NewMessage]) -> list[NewMessage]:
    """The messages of a fork; each that its parent has, with the same content, is a copy of the parent's."""
    copies.hold(uow._context, [parent])
    known: dict[str | None, Any] = {}
    keys = [message.key for message in messages]
    row = MessageRow
    for start in range(0, len(keys), _LOOKED_UP):
        wanted = select(
            row.key, row.digest, row.created_at, row.sequence_number, row.copied_from, row.copied_sequence
        ).where(row.session_id == parent, row.key.in_(keys[start : start + _LOOKED_UP]))
        known |= {found.key: found for found in uow.session.execute(wanted)}
    linked: list[NewMessage] = []
    for message in messages:
        found = known.get(message.key)
        if found is None or _digest(message, found.created_at) != found.digest:
            linked.append(message)
            continue
        # A copy names the original, and never another copy.
        place = (found.copied_from, found.copied_sequence)
        source, number = place if found.copied_from is not None else (parent, found.sequence_number)
        linked.append(message.model_copy(update={"copied_from": source, "copied_sequence": number}))
    return linked


def mark_fork(uow: UnitOfWork, session_id: str, parent: str, last: int) -> None:
    """Say of a session where it was forked from: its parent, and the parent's last message that it has."""
    row = SessionRow
    uow.session.execute(update(row).where(row.session_id == session_id).values(forked_from=parent, forked_at=last))


def close(uow: UnitOfWork, session_id: str, status: Status, closed_at: datetime | None) -> None:
    """Bring a session where it stood, with the time at which it came there."""
    turn = {
        Status.IDLE: uow.sessions.mark_idle,
        Status.PAUSED: uow.sessions.pause,
        Status.ARCHIVED: uow.sessions.archive,
        Status.EXPIRED: uow.sessions.expire,
        Status.FAILED: uow.sessions.fail,
    }.get(status)
    if turn is not None:
        turn(session_id)
    values: dict[str, Any] = {}
    column = {Status.ARCHIVED: "archived_at", Status.EXPIRED: "expired_at"}.get(status)
    if column and closed_at is not None:  # the services know the present only
        values[column] = closed_at
    if values:
        uow.session.execute(update(SessionRow).where(SessionRow.session_id == session_id).values(values))


def add_metadata(uow: UnitOfWork, there: Session, metadata: dict[str, Any]) -> list[str]:
    """Bring the metadata of a session that is there up to date; the names of entries that differ and are left.

    Entries that are missing are set, and our mark and lists that only grew are replaced. Others may have been changed
    on purpose.
    """
    different = []
    for name, value in metadata.items():
        if name not in there.metadata:
            uow.metadata.set(there.session_id, name, value)
            continue
        stored = there.metadata[name]
        if stored == value:
            continue
        grown = isinstance(stored, list) and isinstance(value, list) and value[: len(stored)] == stored
        if grown or name == MARK:
            uow.metadata.set(there.session_id, name, value)
        else:
            different.append(name)
    return different
