"""The statements of snapshots: taken, found, read and rewritten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select, update

from chatledger.dialects.constructs import json_text
from chatledger.dialects.types import Identifier, Whole
from chatledger.enums import SnapshotKind
from chatledger.errors import SessionNotFound, SnapshotNotFound
from chatledger.models import tables
from chatledger.schemas import Snapshot
from chatledger.schemas.fields import identifier
from chatledger.services.base import ServiceContext, logger
from chatledger.services.prepared import Prepared
from chatledger.services.rows import SESSION_FIELDS, messages, metadata, sessions
from chatledger.services.snapshots.body import (
    COLUMNS,
    ENCODING,
    Body,
    Writer,
    header,
    line_of,
    lines,
    number_of,
    rewritten,
)
from chatledger.services.visibility import SESSION_KEY, this_session, visibility_parameters, visible_to_owner

snapshots = tables.session_snapshots

# Messages that are read at a time.
_BATCH = 500


def lock(context: ServiceContext, session_id: str, *, deleting: bool = False) -> Any:
    """Lock a session, whatever its status, until the transaction ends; its counters and status. `deleting` keeps its
    messages from being copied.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
    """
    row = context.execute(_LOCK_WHOLE if deleting else _LOCK, visibility_parameters(context, session_id)).one_or_none()
    if row is None:
        raise SessionNotFound(session_id)
    return row


def take(
    context: ServiceContext, session_id: str, kind: SnapshotKind, *, reason: str | None = None, locked: Any = None
) -> Snapshot:
    """Snapshot a session. `locked` is what `lock` gave, where the caller has it already.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
    """
    counters = dict((locked or lock(context, session_id))._mapping)
    del counters["status"]
    writer = Writer()
    writer.write(header(fields_now(context, session_id)))
    for line in current_lines(context, session_id):
        writer.write(line)
    body, size, digest = writer.finish()
    facts = {
        "kind": kind,
        "created_at": context.now(),
        "actor": context.actor,
        "reason": reason,
        **counters,
        "size": size,
    }
    number = context.execute(_NEXT_NUMBER, {"session": session_id}).scalar_one()
    key = {"session_id": session_id, "snapshot_number": number}
    context.execute(insert(snapshots), {**key, **facts, "encoding": ENCODING, "body": body, "digest": digest})
    logger.info("snapshot taken", extra={"session_id": session_id, "snapshot": number})
    return Snapshot(snapshot_id=f"{session_id}:{number}", **key, **facts, stored_size=len(body))


def find(context: ServiceContext, snapshot_id: str) -> Any:
    """The row of a snapshot with its body.

    Raises:
        SnapshotNotFound: no such snapshot, or its session belongs to another user.
    """
    session_id, _, number = identifier(snapshot_id, "snapshot_id").rpartition(":")
    # Eighteen digits fit into the column; `isdecimal` alone would let other scripts' digits through. Each snapshot has
    # one id: a number with zeros before it is none.
    if number.isascii() and number.isdecimal() and len(number) <= 18 and number[0] != "0":
        row = context.execute(_GET, {**visibility_parameters(context, session_id), "number": int(number)}).one_or_none()
        if row is not None:
            return row
    raise SnapshotNotFound(snapshot_id)


def contents(row: Any) -> Iterator[str]:
    """The lines of a snapshot, header first. Raises CorruptDatabase where it is damaged."""
    return lines(f"{row.session_id}:{row.snapshot_number}", Body(row.body, row.size, row.digest), row.encoding)


def current_lines(context: ServiceContext, session_id: str) -> Iterator[str]:
    """The messages of a session now, as a snapshot would hold them, a batch at a time."""
    after = 0
    while rows := context.rows(_MESSAGES, {"session": session_id, "after": after}):
        yield from map(line_of, rows)
        if len(rows) < _BATCH:
            return
        after = rows[-1][1]


def replace_message(context: ServiceContext, session_id: str, number: int, line: str) -> None:
    """Put a message into the place that it has in each snapshot of its session.

    Raises:
        CorruptDatabase: a snapshot is damaged, and nobody can say what it holds.
    """
    for row in context.execute(_WITH_BODY, {"session": session_id}).all():
        name = f"{session_id}:{row.snapshot_number}"
        old = Body(row.body, row.size, row.digest)
        new = rewritten(name, old, row.encoding, lambda found: line if number_of(found) == number else found)
        values = {"new_body": new.body, "new_size": new.size, "new_digest": new.digest}
        context.execute(_REWRITE, {"session": session_id, "number": row.snapshot_number, **values})


def fields_now(context: ServiceContext, session_id: str) -> dict[str, Any]:
    """What a snapshot holds of a session beside its messages, in stored form.

    Raises:
        SessionNotFound: it was deleted meanwhile, in a transaction that has not locked it.
    """
    row = context.execute(_FIELDS, {"session": session_id}).one_or_none()
    if row is None:
        raise SessionNotFound(session_id)
    entries = {entry.key: entry.text for entry in context.execute(_ENTRIES, {"session": session_id})}
    return {**dict(zip(SESSION_FIELDS, row, strict=True)), "metadata": entries}


def to_snapshot(row: Any) -> Snapshot:
    facts = {name: getattr(row, name) for name in Snapshot.model_fields if name != "snapshot_id"}
    return Snapshot(snapshot_id=f"{row.session_id}:{row.snapshot_number}", **facts)


_NUMBER = bindparam("number", type_=Whole)
_COUNTERS = ("message_count", "total_tokens", "total_duration_ms", "total_cost", "last_sequence")
_STATE = select(sessions.c.status, *(sessions.c[name] for name in _COUNTERS)).where(this_session())
_LOCK = _STATE.with_for_update(key_share=True)
_LOCK_WHOLE = _STATE.with_for_update()
_NEXT_NUMBER = select(func.coalesce(func.max(snapshots.c.snapshot_number), 0) + 1).where(
    snapshots.c.session_id == SESSION_KEY
)
_MESSAGES = Prepared(
    select(*COLUMNS)
    .where(
        messages.c.session_id == bindparam("session", type_=Identifier()),
        messages.c.sequence_number > bindparam("after", type_=Whole),
    )
    .order_by(messages.c.sequence_number)
    .limit(_BATCH)
)
_FIELDS: Select[Any] = select(
    *(json_text(sessions.c[name]) if name == "context" else sessions.c[name] for name in SESSION_FIELDS)
).where(sessions.c.session_id == SESSION_KEY)
_ENTRIES = (
    select(metadata.c.key, json_text(metadata.c.value).label("text"))
    .where(metadata.c.session_id == SESSION_KEY)
    .order_by(metadata.c.key)
)
FACTS = (
    *(column for column in snapshots.c if column.name not in ("body", "encoding", "digest")),
    func.length(snapshots.c.body).label("stored_size"),
)
WITH_SESSIONS = snapshots.join(sessions, sessions.c.session_id == snapshots.c.session_id)
_GET: Select[Any] = (
    select(*FACTS, snapshots.c.body, snapshots.c.encoding, snapshots.c.digest)
    .select_from(WITH_SESSIONS)
    .where(snapshots.c.session_id == SESSION_KEY, snapshots.c.snapshot_number == _NUMBER, visible_to_owner())
)
THIS_SNAPSHOT = (snapshots.c.session_id == SESSION_KEY) & (snapshots.c.snapshot_number == _NUMBER)
_WITH_BODY = select(snapshots).where(snapshots.c.session_id == SESSION_KEY)
_REWRITE = (
    update(snapshots)
    .where(THIS_SNAPSHOT)
    .values(
        body=bindparam("new_body", type_=snapshots.c.body.type),
        size=bindparam("new_size", type_=Whole),
        digest=bindparam("new_digest", type_=snapshots.c.digest.type),
    )
)
