"""Bringing a snapshot back, over its session or as a new one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json
from sqlalchemy import bindparam, delete, update

from chatledger.dialects.types import EncodedDocument, Identifier, Timestamp
from chatledger.enums import OPEN, Status
from chatledger.errors import SessionClosed
from chatledger.full_text.parts import OF_SESSIONS, session_search_columns
from chatledger.schemas import NewSession, Session
from chatledger.schemas.fields import validated
from chatledger.services import audit
from chatledger.services.base import ServiceContext
from chatledger.services.messages import copies
from chatledger.services.registry import registration
from chatledger.services.rows import SESSION_FIELDS, messages, metadata, sessions
from chatledger.services.sessions import creation, lifecycle, names
from chatledger.services.snapshots import statements as snapshot_statements
from chatledger.services.snapshots.body import fields_of, number_of, stored_row
from chatledger.services.timeouts import limits
from chatledger.services.visibility import SESSION_KEY, require_visible, visibility_parameters

# Messages that are written, or named in a statement, at a time.
_BATCH = 500


@dataclass
class Changes:
    """How a conversation differs from what it was, by the numbers of messages."""

    added: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)

    @classmethod
    def between(cls, then: Iterable[str], now: Iterable[str]) -> Changes:
        """From the lines of both, which are in the order of their numbers."""
        changes = cls()
        old, new = iter(then), iter(now)
        a, b = next(old, None), next(new, None)
        while a is not None or b is not None:
            before = number_of(a) if a is not None else None
            after = number_of(b) if b is not None else None
            if after is None or (before is not None and before < after):
                changes.removed.append(before or 0)
                a = next(old, None)
            elif before is None or after < before:
                changes.added.append(after)
                b = next(new, None)
            else:
                if a != b:
                    changes.changed.append(after)
                a, b = next(old, None), next(new, None)
        return changes


def require_open(context: ServiceContext, session_id: str) -> Status:
    """The status of a session. Raises SessionClosed where it takes no messages."""
    status: Status = require_visible(context, session_id).status
    if status not in OPEN:
        raise SessionClosed(session_id, status.value)
    return status


def over(context: ServiceContext, row: Any, before: int, status: Status, *, reason: str | None) -> Session:
    """Restore a snapshot over its session, which is locked, open and in a status that it keeps."""
    session_id = row.session_id
    lines = snapshot_statements.contents(row)
    fields = fields_of(f"{session_id}:{row.snapshot_number}", next(lines, ""))
    names.move(context, session_id, fields["project_id"])
    changes = Changes.between(lines, snapshot_statements.current_lines(context, session_id))
    for numbers in _chunks(changes.added + changes.changed):
        statement = delete(messages).where(
            messages.c.session_id == SESSION_KEY, messages.c.sequence_number.in_(list(numbers))
        )
        context.execute(statement, {"session": session_id})
        audit.attribute(context, session_id, audit.MESSAGES_DELETED, reason=f"restoring snapshot {row.snapshot_number}")
    brought_back = set(changes.removed + changes.changed)
    relatives = copies.relatives(context, session_id) if brought_back else []
    copies.hold(context, relatives)
    _insert(context, session_id, row, relatives, only=brought_back)
    if changes.added:
        copies.pass_on(context, [session_id], changes.added)
    _write_fields(context, session_id, fields, status)
    limits.arm(context, session_id)  # other defaults may hold in another project
    details = {
        "snapshot": row.snapshot_number, "undo": before, "removed": len(changes.added),
        "brought_back": len(changes.removed), "changed_back": len(changes.changed),
    }  # fmt: skip
    audit.record_for(context, session_id, "session.restored", reason=reason, details=details)
    return lifecycle.fetch(context, session_id)


def as_new(context: ServiceContext, row: Any, new: str, *, reason: str | None) -> Session:
    """Make a new session of a snapshot.

    Raises:
        SessionExists: the id is taken.
    """
    lines = snapshot_statements.contents(row)
    fields = fields_of(f"{row.session_id}:{row.snapshot_number}", next(lines, ""))
    for _ in lines:  # all of it is whole, or nothing is made
        pass
    given = {
        **fields,
        "session_id": new,
        "user_id": lifecycle.fetch(context, row.session_id).user_id,
        "context": from_json(fields["context"]),
        "metadata": {key: from_json(value) for key, value in fields["metadata"].items()},
    }
    creation.Create(validated(NewSession, given), context.now()).perform(context)
    relatives = [row.session_id, *copies.relatives(context, row.session_id)]
    copies.hold(context, relatives)
    _insert(context, new, row, relatives)
    origin = {"forked_from": row.session_id, "forked_at": row.last_sequence}
    context.execute(update(sessions).where(sessions.c.session_id == new).values(origin))
    details = {"snapshot": row.snapshot_number, "messages": row.message_count}
    audit.record_for(context, new, "session.restored", reason=reason, details=details)
    return lifecycle.fetch(context, new)


def _insert(
    context: ServiceContext, session_id: str, row: Any, relatives: Sequence[str], only: set[int] | None = None
) -> None:
    """Insert the messages of a snapshot, or those of some numbers. Those that are in a related session are copies."""
    lines = snapshot_statements.contents(row)
    next(lines, None)  # the header
    batch: list[dict[str, Any]] = []
    for line in lines:
        if only is None or number_of(line) in only:
            batch.append(stored_row(session_id, line))
        if len(batch) == _BATCH:
            _insert_linked(context, relatives, batch)
            batch = []
    if batch:
        _insert_linked(context, relatives, batch)


def _insert_linked(context: ServiceContext, relatives: Sequence[str], rows: list[dict[str, Any]]) -> None:
    copies.link(context, relatives, rows)
    context.insert_rows(messages, rows)


def _write_fields(context: ServiceContext, session_id: str, fields: dict[str, Any], status: Status) -> None:
    registration.register(context, fields["project_id"], fields["model_id"])
    now = context.now()
    searched = session_search_columns(**{name: fields[name] for name in OF_SESSIONS})
    given = {**{name: fields[name] for name in SESSION_FIELDS}, **searched}
    values = {name: bindparam(f"new_{name}", value, type_=sessions.c[name].type) for name, value in given.items()}
    values["context"] = bindparam("new_context", fields["context"], type_=EncodedDocument())
    values["updated_at"] = bindparam("new_updated_at", now, type_=Timestamp())
    # Messages that came back have woken an idle session, as messages do.
    values["status"] = bindparam("new_status", status, type_=sessions.c.status.type)
    context.execute(
        update(sessions).where(sessions.c.session_id == SESSION_KEY).values(values),
        visibility_parameters(context, session_id),
    )
    context.execute(delete(metadata).where(metadata.c.session_id == bindparam("of", session_id, type_=Identifier())))
    rows = [
        {"session_id": session_id, "key": key, "value": value, "updated_at": now}
        for key, value in fields["metadata"].items()
    ]
    if rows:
        context.insert_rows(metadata, rows)


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _BATCH):
        yield numbers[start : start + _BATCH]
