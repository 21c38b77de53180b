"""Snapshots: what a conversation was at a moment, to be looked at, compared and brought back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, delete, select

from chatledger.enums import SnapshotKind, SnapshotKindLike
from chatledger.errors import InvalidInput
from chatledger.schemas import Message, Session, Snapshot, SnapshotDiff
from chatledger.schemas.fields import identifier, stated
from chatledger.services import audit
from chatledger.services.base import Service, logger
from chatledger.services.rows import to_messages
from chatledger.services.snapshots import restore
from chatledger.services.snapshots.body import fields_of, row_of
from chatledger.services.snapshots.statements import (
    FACTS,
    THIS_SNAPSHOT,
    WITH_SESSIONS,
    contents,
    current_lines,
    fields_now,
    find,
    lock,
    snapshots,
    take,
    to_snapshot,
)
from chatledger.services.visibility import SESSION_KEY, require_visible, visibility_parameters, visible_to_owner


class Snapshots(Service):
    """Copies of whole conversations, kept compressed beside them. They go when their session is deleted."""

    __slots__ = ()

    def take(
        self, session_id: str, kind: SnapshotKindLike = SnapshotKind.CHECKPOINT, *, reason: str | None = None
    ) -> Snapshot:
        """Keep what a session is now: its messages, title, system prompt, context, metadata, project and model.

        Allowed in closed sessions too. Numbers rise by one within a session; that of a deleted newest one comes again.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: no such kind.
        """
        why = stated(reason)
        identifier(session_id, "session_id")
        lock(self._context, session_id)
        return take(self._context, session_id, _kind(kind), reason=why)

    def list(self, session_id: str) -> list[Snapshot]:
        """The snapshots of a session, oldest first, with their counts and sizes.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        identifier(session_id, "session_id")
        rows = self._context.execute(_LIST, visibility_parameters(self._context, session_id)).all()
        if not rows:
            require_visible(self._context, session_id)
        return [to_snapshot(row) for row in rows]

    def get(self, snapshot_id: str) -> Snapshot:
        """One snapshot's figures.

        Raises:
            SnapshotNotFound: no such snapshot, or its session belongs to another user.
        """
        return to_snapshot(find(self._context, snapshot_id))

    def messages(self, snapshot_id: str) -> tuple[Message, ...]:
        """The messages as they were.

        Raises:
            SnapshotNotFound: no such snapshot, or its session belongs to another user.
            CorruptDatabase: it is damaged.
        """
        row = find(self._context, snapshot_id)
        found = contents(row)
        next(found, None)  # the header
        return tuple(to_messages([row_of(row.session_id, line) for line in found]))

    def diff(self, snapshot_id: str) -> SnapshotDiff:
        """How the session differs from a snapshot now. Messages are named by their numbers.

        Raises:
            SnapshotNotFound, CorruptDatabase: as `messages`.
        """
        row = find(self._context, snapshot_id)
        found = contents(row)
        then = fields_of(snapshot_id, next(found, ""))
        now = fields_now(self._context, row.session_id)
        changes = restore.Changes.between(found, current_lines(self._context, row.session_id))
        return SnapshotDiff(
            snapshot_id=snapshot_id,
            added=tuple(changes.added),
            removed=tuple(changes.removed),
            changed=tuple(changes.changed),
            fields=tuple(name for name in now if now[name] != then.get(name)),
        )

    def restore(self, snapshot_id: str, *, as_session_id: str | None = None, reason: str | None = None) -> Session:
        """Bring a conversation back as it was, over its session, or with `as_session_id` as a new one.

        Over the session: messages that came since go, those that are gone or read otherwise come back with their numbers,
        the others stay; title, system prompt, context, metadata, project and model are those of the snapshot. Status,
        owner, limits and holds stay, and numbers go on from the highest there ever was. A `checkpoint` is taken before,
        so that it can be undone. The session must be open.

        As a new session it belongs to the same user, is active and, like a fork, says where it comes from. Messages that
        the ledger still holds are copies (`Message.copied_from`); those that were deleted or changed since the snapshot
        are originals.

        Raises:
            SnapshotNotFound: no such snapshot, or its session belongs to another user.
            SessionClosed: the session takes no messages: `reopen` it first, or restore as a new one.
            SessionExists: the new id is taken.
            CorruptDatabase: the snapshot is damaged. Nothing is changed.
        """
        why = stated(reason)
        row = find(self._context, snapshot_id)
        if as_session_id is None:
            lock(self._context, row.session_id, deleting=True)
            status = restore.require_open(self._context, row.session_id)
            before = take(
                self._context, row.session_id, SnapshotKind.CHECKPOINT, reason=f"before restoring {snapshot_id}"[:1000]
            )
            restored = restore.over(self._context, row, before.snapshot_number, status, reason=why)
        else:
            restored = restore.as_new(self._context, row, as_session_id, reason=why)
        logger.info("snapshot restored", extra={"session_id": restored.session_id, "snapshot": snapshot_id})
        return restored

    def delete(self, snapshot_id: str, *, reason: str | None = None) -> None:
        """Delete one snapshot.

        Raises:
            SnapshotNotFound: no such snapshot, or its session belongs to another user.
        """
        why = stated(reason)
        row = find(self._context, snapshot_id)
        self._context.execute(_DELETE, {"session": row.session_id, "number": row.snapshot_number})
        audit.record_for(
            self._context, row.session_id, "snapshot.deleted", reason=why, details={"snapshot": row.snapshot_number}
        )


def _kind(given: SnapshotKindLike) -> SnapshotKind:
    try:
        return SnapshotKind(given)
    except ValueError:
        raise InvalidInput("kind", f"is not one of {', '.join(SnapshotKind)}") from None


_LIST: Select[Any] = (
    select(*FACTS)
    .select_from(WITH_SESSIONS)
    .where(snapshots.c.session_id == SESSION_KEY, visible_to_owner())
    .order_by(snapshots.c.snapshot_number)
)
_DELETE = delete(snapshots).where(THIS_SNAPSHOT)
