"""Checkpoints of agent graphs: stored, found, listed, copied and pruned, for adapters to such frameworks.

What a checkpoint contains is the framework's. All of it belongs to a session, is deleted with it, and counts as activity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Table, bindparam, case, delete, exists, literal_column, select, update

from chatledger.dialects.base import Dialect
from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.enums import OPEN
from chatledger.models import tables
from chatledger.schemas.fields import identifier
from chatledger.services.base import ServiceContext
from chatledger.services.messages.append import lock_session
from chatledger.services.prepared import Prepared
from chatledger.services.rows import sessions
from chatledger.services.visibility import SESSION_KEY, this_session, visibility_parameters, visible_to_owner

checkpoints = tables.graph_checkpoints
writes = tables.graph_writes

# Statements hold a bounded number of parameters.
_CHUNK = 500


class StoredCheckpoint(NamedTuple):
    """A checkpoint as it is stored. `encoding` and `body` are the framework's, for the metadata likewise."""

    namespace: str
    checkpoint_id: str
    parent_id: str | None
    run_id: str | None
    encoding: str
    body: bytes
    metadata_encoding: str
    metadata_body: bytes


class StoredWrite(NamedTuple):
    """What a task wrote after a checkpoint. A number below 0 replaces what is there; others are stored once."""

    namespace: str
    checkpoint_id: str
    task_id: str
    write_number: int
    task_path: str
    channel: str
    encoding: str
    body: bytes


Place = tuple[str, str]
"""A namespace, and the id of a checkpoint in it."""


def put(context: ServiceContext, session_id: str, checkpoint: StoredCheckpoint) -> None:
    """Store a checkpoint, in place of the one with its id.

    Raises:
        SessionNotFound, SessionClosed
        InvalidInput: a name that cannot be stored.
    """
    for field in ("namespace", "checkpoint_id", "parent_id", "run_id"):
        if getattr(checkpoint, field) is not None:
            identifier(getattr(checkpoint, field), field)
    _touch(context, session_id)
    values = {"session_id": session_id, **checkpoint._asdict(), "created_at": context.now()}
    context.rows(_storing(context.dialect), {f"new_{name}": value for name, value in values.items()})


def put_writes(context: ServiceContext, session_id: str, new: Sequence[StoredWrite]) -> None:
    """Store writes. One that is stored already stays, unless its number is below 0.

    Raises:
        SessionNotFound, SessionClosed
        InvalidInput: a name that cannot be stored.
    """
    for write in new:
        for field in ("namespace", "checkpoint_id", "task_id", "task_path", "channel"):
            identifier(getattr(write, field), field)
    _touch(context, session_id)
    keys = list(writes.primary_key)
    for write in new:
        values = {"session_id": session_id, **write._asdict()}
        insert = context.dialect.insert(writes).values(values)
        if write.write_number < 0:
            changed = {name: values[name] for name in ("task_path", "channel", "encoding", "body")}
            context.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed))
        else:
            context.execute(insert.on_conflict_do_nothing(index_elements=keys))


def listed(
    context: ServiceContext,
    session_id: str,
    *,
    namespace: str | None = None,
    checkpoint_id: str | None = None,
    before: str | None = None,
    limit: int | None = None,
) -> list[StoredCheckpoint]:
    """The checkpoints of a session, newest first; none if it does not exist."""
    bounds = {"namespace": namespace, "checkpoint_id": checkpoint_id, "before": before}
    given: dict[str, Any] = {name: identifier(value, name) for name, value in bounds.items() if value is not None}
    if limit is not None:
        given["count"] = max(limit, 0)
    rows = context.rows(_listing(tuple(given)), {**given, **visibility_parameters(context, session_id)})
    return [StoredCheckpoint._make(row) for row in rows]


def writes_of(context: ServiceContext, session_id: str, places: Sequence[Place]) -> dict[Place, list[StoredWrite]]:
    """The writes after checkpoints, in the order in which a graph applies them."""
    found: dict[Place, list[StoredWrite]] = {place: [] for place in places}
    ids = sorted({checkpoint_id for _, checkpoint_id in places})
    if len(ids) == 1:
        rows = context.rows(_WRITES_OF_ONE, {"checkpoint_id": ids[0], **visibility_parameters(context, session_id)})
        _sort_in(found, rows)
        return found
    for start in range(0, len(ids), _CHUNK):
        statement = select(*_columns(writes, StoredWrite)).where(
            _visible(writes), writes.c.checkpoint_id.in_(ids[start : start + _CHUNK])
        )
        _sort_in(found, context.execute(statement.order_by(*_ORDER), visibility_parameters(context, session_id)))
    return found


def sessions_with_checkpoints(context: ServiceContext) -> list[str]:
    """The ids of the sessions that have checkpoints."""
    statement = select(sessions.c.session_id).where(
        visible_to_owner(), exists(select(1).where(checkpoints.c.session_id == sessions.c.session_id))
    )
    return list(context.execute(statement.order_by(sessions.c.session_id), {"owner": context.owner}).scalars())


def delete_places(context: ServiceContext, session_id: str, places: Iterable[Place]) -> None:
    """Delete checkpoints with the writes after them."""
    for namespace, checkpoint_id in places:
        for table in (writes, checkpoints):
            context.execute(
                delete(table).where(
                    _visible(table), table.c.namespace == namespace, table.c.checkpoint_id == checkpoint_id
                ),
                visibility_parameters(context, session_id),
            )


def delete_all(context: ServiceContext, session_id: str) -> None:
    """Delete all checkpoints of a session."""
    for table in (writes, checkpoints):
        context.execute(delete(table).where(_visible(table)), visibility_parameters(context, session_id))


def of_runs(context: ServiceContext, run_ids: Sequence[str]) -> list[tuple[str, Place]]:
    """The checkpoints that runs have written, with their sessions."""
    found: list[tuple[str, Place]] = []
    names = sorted({identifier(run_id, "run_ids") for run_id in run_ids})
    for start in range(0, len(names), _CHUNK):
        statement = (
            select(checkpoints.c.session_id, checkpoints.c.namespace, checkpoints.c.checkpoint_id)
            .join(sessions, sessions.c.session_id == checkpoints.c.session_id)
            .where(visible_to_owner(), checkpoints.c.run_id.in_(names[start : start + _CHUNK]))
        )
        rows = context.execute(statement, {"owner": context.owner})
        found += [(row.session_id, (row.namespace, row.checkpoint_id)) for row in rows]
    return found


def copy(context: ServiceContext, source_id: str, target_id: str) -> None:
    """Copy the checkpoints of a session, with the writes after them, into another one.

    Raises:
        SessionNotFound, SessionClosed: of the target.
    """
    found = listed(context, source_id)
    places = [(one.namespace, one.checkpoint_id) for one in found]
    for checkpoint in found:
        put(context, target_id, checkpoint)
    for new in writes_of(context, source_id, places).values():
        put_writes(context, target_id, new)


def _touch(context: ServiceContext, session_id: str) -> None:
    """Lock an open session; a step of its graph is activity."""
    parameters = {**visibility_parameters(context, identifier(session_id, "session_id")), "now": context.now()}
    if not context.rows(_TOUCH, parameters):
        lock_session(context, session_id)  # says why


def _visible(table: Table) -> Any:
    return (table.c.session_id == SESSION_KEY) & exists(select(1).where(this_session()))


def _columns(table: Table, shape: type[StoredCheckpoint | StoredWrite]) -> list[Any]:
    return [table.c[name] for name in shape._fields]


def _sort_in(found: dict[Place, list[StoredWrite]], rows: Iterable[Any]) -> None:
    """Add writes to those of their checkpoints. Another namespace may have a checkpoint of the same id."""
    for row in rows:
        write = StoredWrite._make(row)
        if (write.namespace, write.checkpoint_id) in found:
            found[write.namespace, write.checkpoint_id].append(write)


@cache
def _storing(dialect: Dialect) -> Prepared:
    values = {column.name: bindparam(f"new_{column.name}", type_=column.type) for column in checkpoints.columns}
    insert = dialect.insert(checkpoints).values(values)
    kept = ("session_id", "namespace", "checkpoint_id", "created_at")
    changed = {name: insert.excluded[name] for name in values if name not in kept}
    upsert = insert.on_conflict_do_update(index_elements=list(checkpoints.primary_key), set_=changed)
    return Prepared(upsert.returning(checkpoints.c.checkpoint_id))


@cache
def _listing(given: tuple[str, ...]) -> Prepared:
    """`given` are the names of the bounds: a namespace, the id of a checkpoint, one that they are older than, a count."""
    statement = select(*_columns(checkpoints, StoredCheckpoint)).where(_visible(checkpoints))
    for name in ("namespace", "checkpoint_id"):
        if name in given:
            statement = statement.where(checkpoints.c[name] == bindparam(name, type_=Identifier()))
    if "before" in given:
        statement = statement.where(checkpoints.c.checkpoint_id < bindparam("before", type_=Identifier()))
    statement = statement.order_by(checkpoints.c.checkpoint_id.desc(), checkpoints.c.namespace)
    return Prepared(statement.limit(bindparam("count", type_=Whole)) if "count" in given else statement)


_ORDER = (writes.c.task_path, writes.c.task_id, writes.c.write_number)
_WRITES_OF_ONE = Prepared(
    select(*_columns(writes, StoredWrite))
    .where(_visible(writes), writes.c.checkpoint_id == bindparam("checkpoint_id", type_=Identifier()))
    .order_by(*_ORDER)
)
_NOW = bindparam("now", type_=Timestamp())
_TOUCH = Prepared(
    update(sessions)
    .where(this_session(), sessions.c.status.in_([literal_column(f"'{status.value}'") for status in OPEN]))
    .values(last_activity=case((sessions.c.last_activity < _NOW, _NOW), else_=sessions.c.last_activity))
    .returning(sessions.c.session_id)
)
