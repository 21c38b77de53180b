"""Snapshots: a conversation as it was at one moment, to read, compare and restore."""

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
    """Compressed copies of whole conversations. They are deleted with their session."""

    __slots__ = ()

    def take(
        self, session_id: str, kind: SnapshotKindLike = SnapshotKind.CHECKPOINT, *, reason: str | None = None
    ) -> Snapshot:
        """Store the session as it is now: messages, title, system prompt, context, metadata, project and model.

        Closed sessions can have snapshots too. Snapshot numbers rise by one within a session; the number of a deleted
        newest snapshot is used again.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: an unknown kind.
        """
        why = stated(reason)
        identifier(session_id, "session_id")
        lock(self._context, session_id)
        return take(self._context, session_id, _kind(kind), reason=why)

    def list(self, session_id: str) -> list[Snapshot]:
        """Return the snapshots of a session, oldest first, with their counts and sizes.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        identifier(session_id, "session_id")
        rows = self._context.execute(_LIST, visibility_parameters(self._context, session_id)).all()
        if not rows:
            require_visible(self._context, session_id)
        return [to_snapshot(row) for row in rows]

    def get(self, snapshot_id: str) -> Snapshot:
        """Return one snapshot, without its messages.

        Raises:
            SnapshotNotFound: no such snapshot, or its session belongs to another user.
        """
        return to_snapshot(find(self._context, snapshot_id))

    def messages(self, snapshot_id: str) -> tuple[Message, ...]:
        """Return the messages as they were when the snapshot was taken.

        Raises:
            SnapshotNotFound: no such snapshot, or its session belongs to another user.
            CorruptDatabase: the snapshot is damaged.
        """
        row = find(self._context, snapshot_id)
        found = contents(row)
        next(found, None)  # the header
        return tuple(to_messages([row_of(row.session_id, line) for line in found]))

    def diff(self, snapshot_id: str) -> SnapshotDiff:
        """Return how the session differs from the snapshot now. Messages are named by their numbers.

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
        """Restore a conversation from a snapshot, over its session or, with `as_session_id`, as a new session.

        Over the session: messages added after the snapshot are removed. Messages that were deleted or changed are
        restored under their original numbers; the others stay. Title, system prompt, context, metadata, project and
        model are those of the snapshot. Status, owner, timeouts and holds stay, and new messages are numbered from the
        highest number there ever was. A `checkpoint` snapshot is taken first, so that you can undo the restore. The
        session must be open.

        As a new session it belongs to the same user, is active and, like a fork, names the session it comes from.
        Messages that the ledger still holds become copies (`Message.copied_from`); those that were deleted or changed
        since the snapshot become originals.

        Raises:
            SnapshotNotFound: no such snapshot, or its session belongs to another user.
            SessionClosed: the session takes no messages: call `reopen` first, or restore as a new session.
            SessionExists: the new id is taken.
            SessionNameTaken: in the project of the snapshot, another session has the name of this one.
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
