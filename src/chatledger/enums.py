"""The enums of the domain. The database stores their values."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias


class Role(StrEnum):
    """Who wrote a message."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Outcome(StrEnum):
    """How the writing of a message ended. None counts as complete."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    ERROR = "error"
    STREAMING = "streaming"
    """It is being written now (`Ledger.stream`)."""


class Status(StrEnum):
    """The status of a session.

    Active, idle and paused sessions take messages; archived, expired and failed ones are closed.
    """

    ACTIVE = "active"
    IDLE = "idle"
    PAUSED = "paused"
    ARCHIVED = "archived"
    EXPIRED = "expired"
    FAILED = "failed"


OPEN = (Status.ACTIVE, Status.IDLE, Status.PAUSED)
"""The statuses in which a session takes messages."""


class SnapshotKind(StrEnum):
    """Why a snapshot was taken."""

    CHECKPOINT = "checkpoint"
    TIMEOUT_WARNING = "timeout_warning"
    PRE_ARCHIVE = "pre_archive"
    MANUAL = "manual"


class StateScope(StrEnum):
    """Whose state it is."""

    USER = "user"
    PROJECT = "project"
    SESSION = "session"


class Scope(StrEnum):
    """To whom a default timeout applies, the narrowest first."""

    USER = "user"
    PROJECT = "project"
    LEDGER = "ledger"


class LimitKind(StrEnum):
    """The kinds of timeout that a session can have."""

    IDLE = "idle"
    ARCHIVE = "archive"
    HARD = "hard"


class SweepAction(StrEnum):
    """What a sweep does with a session."""

    WARN = "warn"
    IDLE = "mark idle"
    ARCHIVE = "archive"


class Severity(StrEnum):
    """How serious a finding of a check is."""

    DEFECT = "defect"
    NOTE = "note"


class Orphans(StrEnum):
    """What a repair or an adoption does with rows whose session is missing."""

    KEEP = "keep"
    DROP = "drop"


class BatchStatus(StrEnum):
    """Whether the items of a job are handed out. Workers wait while a job is paused and stop when it is cancelled."""

    OPEN = "open"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class ItemStatus(StrEnum):
    """The status of a batch item. A delayed item waits for its next attempt; a failed one has no attempts left."""

    WAITING = "waiting"
    DELAYED = "delayed"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ComparisonKind(StrEnum):
    """What differs between the variants of a comparison."""

    MODEL = "model"
    PROMPT = "prompt"
    PARAMETERS = "parameters"


class JudgeKind(StrEnum):
    """What kind of judge gave a verdict: a person, a model, or a measured number."""

    PERSON = "person"
    MODEL = "model"
    METRIC = "metric"


class ExecutionState(StrEnum):
    """The state of a workflow execution."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """The state of a step in a workflow execution."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


# What an argument takes: the member of an enum or its value, so that a type checker knows the words.
class SessionOrder(StrEnum):
    """What a list of sessions is sorted by. A minus reverses the order."""

    RECENT = "-last_activity"
    STALE = "last_activity"
    NEWEST = "-created_at"
    OLDEST = "created_at"
    NAME = "name"
    NAME_REVERSED = "-name"


RoleLike: TypeAlias = Role | Literal["system", "developer", "user", "assistant", "tool"]
OutcomeLike: TypeAlias = Outcome | Literal["complete", "interrupted", "error", "streaming"]
StatusLike: TypeAlias = Status | Literal["active", "idle", "paused", "archived", "expired", "failed"]
SnapshotKindLike: TypeAlias = SnapshotKind | Literal["checkpoint", "timeout_warning", "pre_archive", "manual"]
SessionOrderLike: TypeAlias = (
    SessionOrder | Literal["-last_activity", "last_activity", "-created_at", "created_at", "name", "-name"]
)
OrphansLike: TypeAlias = Orphans | Literal["keep", "drop"]
BatchStatusLike: TypeAlias = BatchStatus | Literal["open", "paused", "cancelled"]
ItemStatusLike: TypeAlias = ItemStatus | Literal["waiting", "delayed", "running", "done", "failed"]
ComparisonKindLike: TypeAlias = ComparisonKind | Literal["model", "prompt", "parameters"]
JudgeKindLike: TypeAlias = JudgeKind | Literal["person", "model", "metric"]
ExecutionStateLike: TypeAlias = ExecutionState | Literal["pending", "running", "succeeded", "failed", "cancelled"]
