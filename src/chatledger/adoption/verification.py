"""The copy compared with its source, inside the transaction, before anything is committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from chatledger.adoption.source.database import Source
from chatledger.adoption.source.rows import OldName
from chatledger.enums import Status
from chatledger.errors import AdoptionFailed
from chatledger.schemas import Message, Model, Price, Project
from chatledger.unit_of_work import UnitOfWork


class Trail:
    """Messages in their order, as one digest and a count."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = blake2b(digest_size=16)

    def add(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.count += 1
            self._hash.update(message.model_dump_json().encode())

    def same_as(self, other: Trail) -> bool:
        return (self.count, self._hash.digest()) == (other.count, other._hash.digest())


def require_session(
    uow: UnitOfWork,
    session_id: str,
    given: Mapping[str, Any],
    metadata: Mapping[str, Any],
    status: Status,
    written: Trail,
    *,
    after: int | None,
) -> None:
    """Read back what was written of one session, and compare it with what was given.

    Raises:
        AdoptionFailed: a message is missing, doubled, changed or out of order, or the session differs.
    """
    session = uow.sessions.get(session_id, include_expired=True)
    read = Trail()
    read.add(uow.messages.iterate(session_id, after=after))
    if not written.same_as(read):
        raise AdoptionFailed(f"the messages of session {session_id!r} do not equal their source: nothing was written")
    if after is not None:
        return  # it was there before, and may have been changed on purpose
    same = session.message_count == session.last_sequence == written.count and session.status is status
    named = {name: value for name, value in given.items() if name in _COMPARED and value is not None}
    same = same and all(getattr(session, name) == value for name, value in named.items())
    if not same or session.metadata != dict(metadata):
        raise AdoptionFailed(f"session {session_id!r} does not equal its source: nothing was written")


_COMPARED = frozenset({"user_id", "project_id", "model_id", "title", "system_prompt", "context", "created_at"})


def require_name(
    old: OldName, stored: Project | Model | None, written: Mapping[str, Any], prices: Sequence[Price] | None
) -> None:
    """Compare a project or model that was read back with what was written; `prices` where a price was.

    Raises:
        AdoptionFailed: it is not there, or differs, or its price does.
    """
    same = stored is not None and all(getattr(stored, name) == value for name, value in written.items())
    if prices is not None:
        same = same and [old.price] == [{kind: getattr(price, kind) for kind in old.price} for price in prices]
    if not same:
        raise AdoptionFailed(f"{old.kind} {old.name!r} does not equal its source: nothing was written")


def require_every_row(source: Source, tables: Iterable[str]) -> None:
    """See that each row of the source is accounted for.

    Raises:
        AdoptionFailed: one is neither in the ledger nor in the report.
    """
    for table in tables:
        rows, settled = source.count(table), sum(source.fates(table).values())
        if rows != settled:
            raise AdoptionFailed(
                f"{rows - settled} of {rows} rows of {table!r} are neither copied nor reported: nothing was written"
            )
