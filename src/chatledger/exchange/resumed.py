"""Messages of a resumed session that are in the ledger already, in the session that it continues.

Some agents write a resumed session into a new file, with a new id, and repeat the messages of the old one: the same text
at the same time. Such a message becomes a copy (`Message.copied_from`), so that statistics and search count it once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select

from chatledger.dialects.constructs import hour_of
from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.schemas import NewMessage
from chatledger.services.messages import copies
from chatledger.services.rows import messages, sessions
from chatledger.services.visibility import SESSION_KEY, visible_to_owner
from chatledger.unit_of_work import UnitOfWork

Place = tuple[str, int]
"""A message by its session and its number."""

# Values that a statement names.
_MANY = 500
# What is the same in both files. Ids of lines and what is known of the usage may differ.
_SAME = ("role", "content", "payload", "name", "tool_call_id", "hidden")


@dataclass(frozen=True)
class ResumedSessions:
    """Where the messages of a conversation are looked for: in sessions of the same project and user."""

    project_id: str | None
    user_id: str | None

    def originals(self, uow: UnitOfWork, session_id: str, batch: Sequence[NewMessage]) -> dict[int, Place]:
        """The originals of those messages of a batch that another session has too, by their place in the batch.

        Their sessions are kept from being deleted until the transaction ends.
        """
        found = self._find(uow, self._overlapping(uow, session_id, batch), session_id, batch)
        if not found:
            return {}
        copies.hold(uow._context, {place[0] for place in found.values()})
        # Again: a message may have been deleted before its session was held.
        return self._find(uow, sorted({place[0] for place in found.values()}), session_id, batch)

    def _overlapping(self, uow: UnitOfWork, session_id: str, batch: Sequence[NewMessage]) -> list[str]:
        """Other sessions that were active when the messages were written."""
        times = _times(batch)
        if not times:
            return []
        statement = _ACTIVE.where(
            _is(sessions.c.project_id, self.project_id), _is(sessions.c.user_id, uow._context.owner or self.user_id)
        )
        parameters = {"session": session_id, "first": times[0], "last": times[-1], "owner": uow._context.owner}
        return list(uow._context.execute(statement, parameters).scalars())

    @staticmethod
    def _find(
        uow: UnitOfWork, session_ids: Sequence[str], session_id: str, batch: Sequence[NewMessage]
    ) -> dict[int, Place]:
        wanted: dict[datetime, list[int]] = defaultdict(list)
        for index, message in enumerate(batch):
            if message.created_at is not None:
                wanted[message.created_at].append(index)
        found: dict[int, Place] = {}
        taken: set[Place] = set()
        for names in _chunks(session_ids):
            for times in _chunks(sorted(wanted)):
                there = messages.c.session_id.in_(names), messages.c.created_at.in_(times)
                for row in uow._context.execute(_MESSAGES.where(*there)).all():
                    place = (row.original, row.original_number)
                    if place in taken or place[0] == session_id:
                        continue
                    for index in wanted[row.created_at]:
                        if index not in found and _is_same(row, batch[index]):
                            found[index] = place
                            taken.add(place)
                            break
        return found


_FIRST, _LAST = bindparam("first", type_=Timestamp()), bindparam("last", type_=Timestamp())
_ACTIVE = (
    select(sessions.c.session_id)
    .where(
        sessions.c.session_id != SESSION_KEY,
        sessions.c.activity_hour >= hour_of(_FIRST),  # which is indexed
        sessions.c.last_activity >= _FIRST,
        sessions.c.created_at <= _LAST,
        visible_to_owner(),
    )
    .order_by(sessions.c.session_id)
)
_MESSAGES = select(
    messages.c.created_at,
    *(messages.c[name] for name in _SAME),
    func.coalesce(messages.c.copied_from, messages.c.session_id, type_=Identifier()).label("original"),
    func.coalesce(messages.c.copied_sequence, messages.c.sequence_number, type_=Whole).label("original_number"),
).order_by(messages.c.session_id, messages.c.sequence_number)


def _is(column: ColumnElement[Any], value: str | None) -> ColumnElement[bool]:
    # PostgreSQL uses no index for IS NOT DISTINCT FROM.
    return column.is_(None) if value is None else column == value


def _is_same(row: Any, message: NewMessage) -> bool:
    return all(getattr(row, name) == getattr(message, name) for name in _SAME)


def _times(batch: Iterable[NewMessage]) -> list[datetime]:
    return sorted({message.created_at for message in batch if message.created_at is not None})


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + _MANY] for start in range(0, len(values), _MANY))
