"""Parents and children: sessions that belong to another one, such as those of an agent's helpers.

A parent is a soft key. Children are found by it when their parent is deleted; a child of another user is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import bindparam, select

from chatledger.dialects.types import Identifier
from chatledger.errors import InvalidInput, SessionNotFound
from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions
from chatledger.services.visibility import keep_session, this_session, visibility_parameters

# Values that a statement names.
_MANY = 500


def owner_of_parent(context: ServiceContext, parent_id: str) -> str | None:
    """The user of a session that is to be a parent, and is kept until the transaction ends.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
    """
    row = context.execute(_PARENT, visibility_parameters(context, parent_id)).one_or_none()
    if row is None:
        raise SessionNotFound(parent_id)
    return str(row.user_id) if row.user_id is not None else None


def require_parent(context: ServiceContext, session_id: str, parent_id: str, user_id: str | None) -> None:
    """Look at a parent for a session that exists.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
        InvalidInput: the parent belongs to another user than the session, or it is the session or one of its own
            children.
    """
    require_same_user(owner_of_parent(context, parent_id), user_id)
    seen: set[str] = set()
    ancestor: str | None = parent_id
    while ancestor is not None and ancestor not in seen:
        if ancestor == session_id:
            raise InvalidInput("parent", "is the session itself or one of its children")
        seen.add(ancestor)
        ancestor = context.execute(_PARENT_ID, {"session": ancestor}).scalar_one_or_none()


def require_same_user(parent_user: str | None, user_id: str | None) -> None:
    """Raises InvalidInput: a child of somebody else's session would go when that is deleted."""
    if parent_user != user_id:
        raise InvalidInput("parent", "belongs to another user than the session")


class Families:
    """Sessions with everything below them, for a deletion that takes all of it or nothing."""

    def __init__(self, context: ServiceContext, roots: Sequence[str], *, lock: bool) -> None:
        self._roots = set(roots)
        self._below: dict[str, Any] = {}
        level = list(roots)
        while level:
            found = [row for names in _chunks(level) for row in context.execute(_children(names, lock=lock)).all()]
            level = [row.session_id for row in found if row.session_id not in self._below]
            self._below.update((row.session_id, row) for row in found)

    @property
    def held(self) -> list[str]:
        """The sessions below that are on hold."""
        return sorted(name for name, row in self._below.items() if row.held_at is not None)

    def blocked(self) -> set[str]:
        """The roots that cannot be deleted, because a session below is on hold."""
        return {above for name in self.held for above in self._above(name)} & self._roots

    def below(self, roots: set[str]) -> list[Any]:
        """The rows of what is below some of the roots, apart from what is a root itself."""
        return [
            row
            for name, row in self._below.items()
            if name not in self._roots and not roots.isdisjoint(self._above(name))
        ]

    def _above(self, name: str) -> list[str]:
        above: list[str] = []
        while (row := self._below.get(name)) is not None and row.parent_id not in above:
            name = row.parent_id
            above.append(name)
        return above


def _children(parents: Sequence[str], *, lock: bool) -> Any:
    statement = (
        select(_child.c.session_id, _child.c.parent_id, _child.c.held_at, _child.c.message_count)
        .join(sessions, sessions.c.session_id == _child.c.parent_id)
        .where(_child.c.parent_id.in_(list(parents)), _child.c.user_id.is_not_distinct_from(sessions.c.user_id))
        .order_by(_child.c.session_id)
    )
    return statement.with_for_update(of=_child) if lock else statement


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + _MANY] for start in range(0, len(values), _MANY))


_child = sessions.alias("child")
_PARENT = keep_session(select(sessions.c.user_id).where(this_session()))
_PARENT_ID = select(sessions.c.parent_id).where(sessions.c.session_id == bindparam("session", type_=Identifier()))
