"""The errors of chatledger: a short tree, each carrying what a caller acts on.

    ChatledgerError
    ├── NotFound
    │   ├── SessionNotFound      no such session, or it belongs to another user
    │   ├── MessageNotFound
    │   ├── MetadataNotFound
    │   ├── SnapshotNotFound
    │   ├── AnnotationNotFound
    │   ├── ProjectNotFound
    │   ├── ModelNotFound
    │   ├── PriceNotFound        no price of the model is in force then
    │   ├── ComparisonNotFound   no such group, or it belongs to another user
    │   ├── BatchNotFound        no such job, or it belongs to another user
    │   ├── BatchItemNotFound
    │   ├── WorkflowNotFound
    │   └── ExecutionNotFound
    ├── Conflict
    │   ├── SessionExists
    │   ├── SequenceConflict     somebody else appended first
    │   ├── KeyReused            the same key was used for other content
    │   ├── SessionHeld          a held session is not deleted: release it first
    │   ├── TransitionRefused    a session in this status cannot go to that one
    │   ├── ProjectExists
    │   ├── ProjectInUse         sessions belong to it: archive it instead
    │   ├── ComparisonExists
    │   ├── ResultExists         this judge already has a result for this prompt: pass replace=True or a trial
    │   ├── BatchExists
    │   ├── LeaseLost            somebody else has the item by now
    │   └── ExecutionBusy        another runner holds the lease of this execution, or has taken it over
    ├── SessionClosed            archived, expired or failed: it takes no more messages
    ├── InvalidInput             (also a ValueError) names the field
    ├── Busy                     waited as long as was allowed; try again
    │   ├── PoolExhausted        for a connection of the pool, and not for a lock
    │   └── NestedWrite          a writing block inside another one of the same thread or task
    ├── Unavailable              the database cannot be reached or cannot be written
    │   ├── ConnectionFailed     no connection to the server, or it was lost: `ledger.run` tries again
    │   │   └── StandbyServer    the server takes no writes: another one is the primary
    │   ├── AccessDenied         the server refuses the user, the password or the database of the URL
    │   ├── CommitUnknown        the connection was lost during the commit, which may have happened
    │   ├── LedgerClosed
    │   │   └── UnitOfWorkEnded  used after its block
    │   └── OutOfSpace
    ├── SchemaError
    │   ├── SchemaBehind         run `chatledger db upgrade`
    │   ├── SchemaAhead          install a newer chatledger
    │   └── NotALedger           the database is something else
    ├── CorruptDatabase
    ├── ReadOnly
    ├── AdoptionFailed           a copy of an older database does not equal it
    └── MissingExtra             an optional dependency is not installed

Messages never contain what a user stored (message text, metadata, passwords): only ids, sequence numbers and names of
fields. Driver errors become one of these in one place, `dialects.base.Dialect.translate`, by error code and never by
the text of a message. (The only exception is a refused connection, of which the driver tells no code.)
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.exc import DontWrapMixin

__all__ = [
    "AccessDenied",
    "AdoptionFailed",
    "AnnotationNotFound",
    "BatchExists",
    "BatchItemNotFound",
    "BatchNotFound",
    "Busy",
    "ChatledgerError",
    "CommitUnknown",
    "ComparisonExists",
    "ComparisonNotFound",
    "Conflict",
    "ConnectionFailed",
    "CorruptDatabase",
    "ExecutionBusy",
    "ExecutionNotFound",
    "InvalidInput",
    "KeyReused",
    "LeaseLost",
    "LedgerClosed",
    "MessageNotFound",
    "MetadataNotFound",
    "MissingExtra",
    "ModelNotFound",
    "NestedWrite",
    "NotALedger",
    "NotFound",
    "OutOfSpace",
    "PoolExhausted",
    "PriceNotFound",
    "ProjectExists",
    "ProjectInUse",
    "ProjectNotFound",
    "ReadOnly",
    "ResultExists",
    "SchemaAhead",
    "SchemaBehind",
    "SchemaError",
    "SequenceConflict",
    "SessionClosed",
    "SessionExists",
    "SessionHeld",
    "SessionNotFound",
    "SnapshotNotFound",
    "StandbyServer",
    "TransitionRefused",
    "Unavailable",
    "UnitOfWorkEnded",
    "WorkflowNotFound",
]


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

    def __init__(self, session_id: str, sequence_number: int | None = None, *, key: str | None = None) -> None:
        which = "no message" if sequence_number is None else f"no message {sequence_number}"
        if key is not None:
            which += f" with key {key!r}"
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


class ProjectNotFound(NotFound):
    project_id: str

    def __init__(self, project_id: str) -> None:
        super().__init__(f"no project {project_id!r}", project_id=project_id)


class ModelNotFound(NotFound):
    model_id: str

    def __init__(self, model_id: str) -> None:
        super().__init__(f"no model {model_id!r}", model_id=model_id)


class PriceNotFound(NotFound):
    model_id: str

    def __init__(self, model_id: str) -> None:
        super().__init__(f"model {model_id!r} has no such price", model_id=model_id)


class ComparisonNotFound(NotFound):
    group_id: str

    def __init__(self, group_id: str) -> None:
        super().__init__(f"no comparison {group_id!r}", group_id=group_id)


class BatchNotFound(NotFound):
    job_id: str

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no batch {job_id!r}", job_id=job_id)


class BatchItemNotFound(NotFound):
    job_id: str
    key: str | int

    def __init__(self, job_id: str, key: str | int) -> None:
        super().__init__(f"no item {key!r} in batch {job_id!r}", job_id=job_id, key=key)


class WorkflowNotFound(NotFound):
    name: str
    version: int | None

    def __init__(self, name: str, version: int | None = None) -> None:
        which = f"no workflow {name!r}" if version is None else f"no version {version} of workflow {name!r}"
        super().__init__(which, name=name, version=version)


class ExecutionNotFound(NotFound):
    execution_id: str

    def __init__(self, execution_id: str) -> None:
        super().__init__(f"no execution {execution_id!r}", execution_id=execution_id)


class Conflict(ChatledgerError):
    """Somebody else was there first. Nothing was written."""


class SessionExists(Conflict):
    session_id: str

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} exists already", session_id=session_id)


class SessionNameTaken(Conflict):
    """Names are unique within a user and a project."""

    name: str

    def __init__(self, name: str) -> None:
        super().__init__(f"another session of this user and project is named {name!r}", name=name)


class SequenceConflict(Conflict):
    """`actual` is the session's last sequence number when the append was refused; `truncate` compares the number of
    the newest message.
    """

    session_id: str
    expected: int
    actual: int

    def __init__(self, session_id: str, expected: int, actual: int, *, newest: bool = False) -> None:
        super().__init__(
            f"the newest message of session {session_id!r} is {actual} and not {expected}: read again, then try again"
            if newest
            else f"session {session_id!r} is at message {actual}, so the next is {actual + 1} and not {expected}: "
            "read what was added, then try again",
            session_id=session_id,
            expected=expected,
            actual=actual,
        )


class StateChanged(Conflict):
    """`actual` is the version that is stored, or 0 if there is no such state."""

    key: str
    expected: int
    actual: int

    def __init__(self, key: str, expected: int, actual: int) -> None:
        super().__init__(
            f"state {key!r} has version {actual} and not {expected}: read it again",
            key=key,
            expected=expected,
            actual=actual,
        )


class MessageChanged(Conflict):
    session_id: str
    sequence_number: int

    def __init__(self, session_id: str, sequence_number: int) -> None:
        super().__init__(
            f"message {sequence_number} of session {session_id!r} was changed since it was read: read it again",
            session_id=session_id,
            sequence_number=sequence_number,
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


class ProjectExists(Conflict):
    project_id: str

    def __init__(self, project_id: str) -> None:
        super().__init__(f"project {project_id!r} exists already", project_id=project_id)


class ProjectInUse(Conflict):
    project_id: str

    def __init__(self, project_id: str) -> None:
        super().__init__(f"sessions belong to project {project_id!r}: archive it instead", project_id=project_id)


class ComparisonExists(Conflict):
    group_id: str

    def __init__(self, group_id: str) -> None:
        super().__init__(f"comparison {group_id!r} exists already", group_id=group_id)


class ResultExists(Conflict):
    group_id: str
    prompt_key: str
    judge: str
    trial: int

    def __init__(self, group_id: str, prompt_key: str, judge: str, trial: int = 1) -> None:
        repeated = "" if trial == 1 else f" in trial {trial}"
        super().__init__(
            f"judge {judge!r} already has a result for prompt {prompt_key!r} of comparison {group_id!r}{repeated}: "
            "pass replace=True to replace it, or another trial to record a repetition",
            group_id=group_id,
            prompt_key=prompt_key,
            judge=judge,
            trial=trial,
        )


class BatchExists(Conflict):
    job_id: str

    def __init__(self, job_id: str) -> None:
        super().__init__(f"batch {job_id!r} exists already: add items to it, or choose another id", job_id=job_id)


class LeaseLost(Conflict):
    """The worker came too late, and what it brings is not recorded."""

    job_id: str
    item_number: int

    def __init__(self, job_id: str, item_number: int) -> None:
        super().__init__(
            f"the lease of item {item_number} of batch {job_id!r} is lost: the item was given back, or to somebody else",
            job_id=job_id,
            item_number=item_number,
        )


class ExecutionBusy(Conflict):
    """`lease_until` is when another runner's lease ends unless it is moved on, as far as that is known."""

    execution_id: str
    lease_until: datetime | None

    def __init__(self, execution_id: str, lease_until: datetime | None = None) -> None:
        super().__init__(
            f"execution {execution_id!r} is in the hands of another runner: "
            "wait for its lease to end, or take it over if you know that it is dead",
            execution_id=execution_id,
            lease_until=lease_until,
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
    """A writing block of the same ledger inside another one of the same thread or task. Refused at once.

    The inner block would wait for what the outer one has locked.
    """

    def __init__(self) -> None:
        super().__init__(
            "this thread or task is inside a writing block: use its unit of work instead of beginning another one"
        )


class Unavailable(ChatledgerError):
    """The database cannot be reached, or cannot take what was written. Nothing was acknowledged."""


class ConnectionFailed(Unavailable):
    """There is no connection to the server, or it was lost before the commit. Nothing was written.

    `Ledger.run` tries again for `Settings.retry_timeout` seconds.
    """


class StandbyServer(ConnectionFailed):
    """The server takes no writes: it is a standby, or is set to read only (`default_transaction_read_only`).

    The connection is closed, and the next one looks for the primary among the hosts of the URL.
    """


class AccessDenied(Unavailable):
    """The server refuses the user, the password or the database of the URL. Trying again does not help."""


class CommitUnknown(Unavailable):
    """The connection (on SQLite: the disk) failed during the commit, which may have happened all the same.

    Look before you repeat it: `uow.messages.find(session_id, key=…)` finds a message by its key, and an append with the
    same key is stored only once.
    """

    def __init__(self, code: str | None = None) -> None:
        super().__init__(
            "the connection or the disk failed during the commit, which may have happened: look for what was written"
            " (a message by its key) before you do it again, or repeat it if every append has a key=",
            code=code,
        )


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
