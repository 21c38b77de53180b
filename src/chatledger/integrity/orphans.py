"""Rows of sessions that are not there, and names that sessions refer to and nobody has.

What is found of a missing session goes into a session of its own, `recovered-` and the old id, and not back under the
old id: nobody knows whose it was or why it went (it may have been erased), so it must not be taken for the session that
programs know. It is closed, belongs to nobody, and is held, so that no purge takes away what a repair has saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from chatledger.dialects.types import Identifier
from chatledger.enums import Status
from chatledger.models import tables
from chatledger.services import audit
from chatledger.services.base import ServiceContext
from chatledger.services.registry import registration
from chatledger.services.rows import messages, metadata, sessions

CHILDREN = (
    tables.messages,
    tables.session_metadata,
    tables.session_timeouts,
    tables.session_snapshots,
    tables.annotations,
    tables.graph_checkpoints,
    tables.graph_writes,
)
# Where projects and models are named. Usage has the models that messages name.
_NAMED = (
    (sessions.c.project_id, tables.projects),
    (sessions.c.model_id, tables.models),
    (tables.session_usage.c.model_id, tables.models),
)
_TIMEOUTS = tables.session_timeouts

RECOVERED = "recovered"
"""The key of a recovery session's metadata that says where its rows come from."""


class Orphaned(NamedTuple):
    """Rows of one table that belong to a missing session."""

    table: str
    session_id: str
    rows: int


def find_orphans(context: ServiceContext) -> Iterator[Orphaned]:
    """Every table's rows of missing sessions, by session."""
    for table in CHILDREN:
        there = exists(select(1).where(sessions.c.session_id == table.c.session_id))
        statement = (
            select(table.c.session_id, func.count().label("number"))
            .where(~there)
            .group_by(table.c.session_id)
            .order_by(table.c.session_id)
        )
        for row in context.execute(statement):
            yield Orphaned(table.name, row.session_id, row.number)


def unknown_names(context: ServiceContext) -> Iterator[tuple[str, str, int]]:
    """Projects and models that sessions or messages name and that have no row: column, name, how often."""
    for name, table in _NAMED:
        column = next(iter(table.primary_key.columns)).name
        there = exists(select(1).where(table.c[column] == name))
        statement = select(name.label("name"), func.count().label("number"))
        for row in context.execute(statement.where(name != "", ~there).group_by(name).order_by(name)):
            yield column, row.name, row.number


def register(context: ServiceContext, column: str, name: str) -> None:
    """Make the row of a project or model."""
    registration.register(context, name if column == "project_id" else None, name if column == "model_id" else None)


def drop(context: ServiceContext, found: list[Orphaned]) -> None:
    """Delete the rows of missing sessions."""
    tables = {table.name: table for table in CHILDREN}
    for orphan in found:
        table = tables[orphan.table]
        context.execute(delete(table).where(table.c.session_id == orphan.session_id))


def recover(context: ServiceContext, session_id: str, found: list[Orphaned]) -> str:
    """Move the rows of one missing session into a session of their own; its id."""
    new = make_recovery(context, session_id, {orphan.table: orphan.rows for orphan in found})
    # What a default limit made for the new session would stand in the way of the row that comes.
    context.execute(delete(_TIMEOUTS).where(_TIMEOUTS.c.session_id == new))
    tables = {table.name: table for table in CHILDREN}
    for orphan in found:
        table = tables[orphan.table]
        values: dict[str, Any] = {"session_id": new}
        if table is _TIMEOUTS:
            values["next_check_at"] = None
        context.execute(update(table).where(table.c.session_id == session_id).values(values))
    context.execute(update(messages).where(messages.c.copied_from == session_id).values(copied_from=new))
    return new


def move_below_one(context: ServiceContext, session_id: str, numbers: list[int]) -> str:
    """Move messages with an invalid number out of an existing session, in their order; the id of where they are."""
    new = make_recovery(context, session_id, {"messages": len(numbers)})
    for place, number in enumerate(numbers, 1):
        this = (messages.c.session_id == session_id) & (messages.c.sequence_number == number)
        context.execute(update(messages).where(this).values(session_id=new, sequence_number=place))
    return new


def make_recovery(context: ServiceContext, session_id: str, rows: dict[str, int]) -> str:
    """Make the session that something of a session is saved into; its id."""
    base = f"recovered-{session_id}"
    new, number = base, 1
    while context.execute(_TAKEN, {"session": new}).scalar_one():
        number += 1
        new = f"{base}-{number}"
    now = context.now()
    values = {
        "session_id": new, "status": Status.ARCHIVED, "title": "Recovered by a repair", "context": {},
        "created_at": now, "updated_at": now, "last_activity": now, "archived_at": now, "held_at": now,
    }  # fmt: skip
    context.execute(insert(sessions), values)
    facts = {"from": session_id, "at": now.isoformat(), "rows": rows}
    entry = {"session_id": new, "key": free_key(context, session_id, RECOVERED), "value": facts, "updated_at": now}
    context.execute(insert(metadata), entry)
    audit.record_for(context, new, "repair.recovered", count=sum(rows.values()), details={"from": session_id, **rows})
    return new


def free_key(context: ServiceContext, session_id: str, key: str) -> str:
    """A metadata key that a session does not have yet."""
    wanted, number = key, 1
    while context.execute(_HAS_KEY, {"session": session_id, "entry": wanted}).scalar_one():
        number += 1
        wanted = f"{key}-{number}"
    return wanted


_SESSION = bindparam("session", type_=Identifier())
_TAKEN = select(exists(select(1).where(sessions.c.session_id == _SESSION)))
_HAS_KEY = select(
    exists(select(1).where(metadata.c.session_id == _SESSION, metadata.c.key == bindparam("entry", type_=Identifier())))
)
