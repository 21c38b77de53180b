"""The errors of the store itself, and the roots of all others."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import DontWrapMixin


# SQLAlchemy wraps an error that is raised while it binds values or calls a default, unless it is of this kind.
class ChatledgerError(DontWrapMixin, Exception):
    """The root of the tree. `code` is the database's own error code, where there was one."""

    code: str | None = None

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.__dict__.update(facts)

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses take their own arguments; pickling by message and facts crosses processes all the same.
        return (_revive, (type(self), self.args, self.__dict__))


def _revive(cls: type[ChatledgerError], args: tuple[Any, ...], facts: dict[str, Any]) -> ChatledgerError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(facts)
    return error


class NotFound(ChatledgerError, LookupError):
    """What was named does not exist, or is not visible to this user."""


class SessionNotFound(NotFound):
    session_id: str

    def __init__(self, session_id: str) -> None:
        super().__init__(f"no session {session_id!r}", session_id=session_id)


class MessageNotFound(NotFound):
    session_id: str
    sequence_number: int | None

    def __init__(self, session_id: str, sequence_number: int | None = None) -> None:
        which = "no message" if sequence_number is None else f"no message {sequence_number}"
        super().__init__(f"{which} in session {session_id!r}", session_id=session_id, sequence_number=sequence_number)


class MetadataNotFound(NotFound):
    session_id: str
    key: str

    def __init__(self, session_id: str, key: str) -> None:
        super().__init__(f"session {session_id!r} has no metadata {key!r}", session_id=session_id, key=key)


class SnapshotNotFound(NotFound):
    snapshot_id: str

    def __init__(self, snapshot_id: str) -> None:
        super().__init__(f"no snapshot {snapshot_id!r}", snapshot_id=snapshot_id)


class AnnotationNotFound(NotFound):
    annotation_id: str

    def __init__(self, annotation_id: str) -> None:
        super().__init__(f"no annotation {annotation_id!r}", annotation_id=annotation_id)


class Conflict(ChatledgerError):
    """Somebody else was there first. Nothing was written."""


class SessionExists(Conflict):
    session_id: str

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} exists already", session_id=session_id)


class SequenceConflict(Conflict):
    """`actual` is the session's last sequence number when the append was refused."""

    session_id: str
    expected: int
    actual: int

    def __init__(self, session_id: str, expected: int, actual: int) -> None:
        super().__init__(
            f"session {session_id!r} is at message {actual}, so the next is {actual + 1} and not {expected}: "
            "read what was added, then try again",
            session_id=session_id,
            expected=expected,
            actual=actual,
        )


class KeyReused(Conflict):
    """`sequence_number` is the message that holds the key, or None if both messages were in one call."""

    session_id: str
    key: str
    sequence_number: int | None

    def __init__(self, session_id: str, key: str, sequence_number: int | None) -> None:
        holder = "earlier in the same call" if sequence_number is None else f"message {sequence_number}"
        super().__init__(
            f"key {key!r} of session {session_id!r} was used for other content ({holder}): use a new key",
            session_id=session_id,
            key=key,
            sequence_number=sequence_number,
        )


class SessionHeld(Conflict):
    """`session_ids` are the first of those that are held."""

    session_ids: tuple[str, ...]

    def __init__(self, session_ids: tuple[str, ...]) -> None:
        names = ", ".join(map(repr, session_ids))
        which = f"session {names} is held" if len(session_ids) == 1 else f"sessions {names} are held"
        super().__init__(f"{which} and not deleted: release first", session_ids=session_ids)


class TransitionRefused(Conflict):
    """`possible` are the methods that a session in this status obeys."""

    session_id: str
    status: str
    wanted: str
    possible: tuple[str, ...]

    def __init__(self, session_id: str, status: str, wanted: str, possible: tuple[str, ...] = ()) -> None:
        remedy = f" (possible: {', '.join(possible)})" if possible else ""
        super().__init__(
            f"session {session_id!r} is {status} and cannot become {wanted}{remedy}",
            session_id=session_id,
            status=status,
            wanted=wanted,
            possible=possible,
        )


class SessionClosed(ChatledgerError):
    session_id: str
    status: str

    def __init__(self, session_id: str, status: str) -> None:
        super().__init__(
            f"session {session_id!r} is {status} and takes no more messages: reopen it, or fork it to go on from here",
            session_id=session_id,
            status=status,
        )


class InvalidInput(ChatledgerError, ValueError):
    """`field` names the argument; the value itself is never repeated."""

    field: str
    reason: str

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}", field=field, reason=reason)


class Busy(ChatledgerError):
    """The database was in use for longer than the ledger was allowed to wait. Nothing was written."""


class PoolExhausted(Busy):
    """Every connection of the pool was in use for longer than `pool_timeout`. No lock was in the way."""

    def __init__(self) -> None:
        super().__init__(
            "every connection of the pool is in use: close units of work sooner, or raise pool_size or max_overflow"
        )


class NestedWrite(Busy):
    """A writing block inside another one of the same thread or task, which it would wait for. Refused at once."""

    def __init__(self) -> None:
        super().__init__(
            "this thread or task is inside of a writing block: use its unit of work, and do not begin one inside another"
        )


class Unavailable(ChatledgerError):
    """The database cannot be reached, or cannot take what was written. Nothing was acknowledged."""


class LedgerClosed(Unavailable):
    def __init__(self) -> None:
        super().__init__("the ledger is closed: open a new one")


class UnitOfWorkEnded(LedgerClosed):
    def __init__(self) -> None:
        Unavailable.__init__(self, "this unit of work has ended: begin another")


class OutOfSpace(Unavailable):
    """The disk is full. What was committed is safe; make room and try again."""


class SchemaError(ChatledgerError):
    """The database is not one that this release can work with."""


class SchemaBehind(SchemaError):
    current: str | None
    head: str

    def __init__(self, current: str | None, head: str) -> None:
        super().__init__(
            f"the database is at revision {current or 'none'}, this release needs {head}: run `chatledger db upgrade`",
            current=current,
            head=head,
        )


class SchemaAhead(SchemaError):
    current: str
    head: str

    def __init__(self, current: str, head: str) -> None:
        super().__init__(
            f"the database is at revision {current}, which this release does not know (its newest is {head}): "
            "install a newer chatledger",
            current=current,
            head=head,
        )


class NotALedger(SchemaError):
    """The database holds something else. It was not touched."""


class CorruptDatabase(ChatledgerError):
    """The database file is damaged. It was not touched."""


class ReadOnly(ChatledgerError):
    """A write in a reading block, or to a database that may only be read."""


class AdoptionFailed(ChatledgerError):
    """What was copied from an older database does not equal it. Nothing was written."""


class MissingExtra(ChatledgerError, ImportError):
    extra: str

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(f"{needed_for} needs an extra: pip install 'chatledger[{extra}]'", extra=extra)
