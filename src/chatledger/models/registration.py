"""Registering the projects and models that sessions and messages name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, Text, literal, select

from chatledger.dialects.base import Dialect
from chatledger.dialects.constructs import got_lock
from chatledger.dialects.types import Timestamp
from chatledger.errors import InvalidInput
from chatledger.models import tables
from chatledger.models.price_names import resolve_new

_PROJECTS, _SESSIONS = tables.projects, tables.sessions
_REGISTRIES = (tables.projects, tables.models)


def lock_name(table: Table, name: ColumnElement[Any]) -> ColumnElement[str]:
    """What a transaction that registers a name locks."""
    return literal(f"{table.name}:", Text) + name


def register(
    connection: Connection,
    dialect: Dialect,
    project_ids: Iterable[str | None],
    model_ids: Iterable[str | None],
    now: datetime,
) -> set[str]:
    """Insert a row for each name that has none, in sorted order, without waiting for other transactions. Return the
    projects that were inserted.

    A name that another transaction is registering at this moment is left to it.
    """
    inserted: set[str] = set()
    for table, given in zip(_REGISTRIES, (project_ids, model_ids), strict=True):
        names = sorted({name for name in given if name is not None})
        if not names:
            continue
        (key,) = table.primary_key.columns
        known = set(connection.scalars(select(key).where(key.in_(names))))
        new = [name for name in names if name not in known]
        for name in new:
            free = got_lock(lock_name(table, literal(name, Text)))
            row = select(literal(name, key.type), literal(now, Timestamp())).where(free)
            statement = dialect.insert(table).from_select([key.name, "created_at"], row, include_defaults=False)
            added = connection.execute(statement.on_conflict_do_nothing(index_elements=[key]).returning(key)).scalars()
            if key.table.name == _PROJECTS.name:
                inserted.update(added)
        if key.table.name == tables.models.name:
            resolve_new(connection, new)
    return inserted


def require_own_project(connection: Connection, owner: str, project_id: str) -> None:
    """Refuse a project that no session of a user belongs to, to a session of theirs.

    A project shows its name, description and metadata to the users whose sessions belong to it. If a user could put a
    session into any project, every project would be open to every user.

    Raises:
        InvalidInput
    """
    own = select(_SESSIONS.c.session_id).where(_SESSIONS.c.project_id == project_id, _SESSIONS.c.user_id == owner)
    if connection.execute(own.limit(1)).first() is None:
        raise InvalidInput(
            "project_id",
            "is taken: through a ledger that is limited to a user, a session can only join a new project or one that a"
            " session of the user belongs to. The first one is put there by a ledger that is not limited",
        )
