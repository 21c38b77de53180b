"""The closed lists of the domain. Their values are what the database stores."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Outcome(StrEnum):
    """How the writing of a message ended. Most messages do not say, and count as complete."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    ERROR = "error"


class Status(StrEnum):
    """Where a session stands in its life.

    Active, idle and paused sessions take messages; archived, expired and failed ones are closed.
    """

    ACTIVE = "active"
    IDLE = "idle"
    PAUSED = "paused"
    ARCHIVED = "archived"
    EXPIRED = "expired"
    FAILED = "failed"


#: The statuses in which a session takes messages.
OPEN = (Status.ACTIVE, Status.IDLE, Status.PAUSED)


class SnapshotKind(StrEnum):
    """Why a snapshot was taken."""

    CHECKPOINT = "checkpoint"
    TIMEOUT_WARNING = "timeout_warning"
    PRE_ARCHIVE = "pre_archive"
    MANUAL = "manual"


class Scope(StrEnum):
    """For whom a default limit holds, from the narrowest."""

    USER = "user"
    PROJECT = "project"
    LEDGER = "ledger"


class LimitKind(StrEnum):
    """Which limit of a session."""

    IDLE = "idle"
    ARCHIVE = "archive"
    HARD = "hard"


class SweepAction(StrEnum):
    """What a sweep does with a session."""

    WARN = "warn"
    IDLE = "mark idle"
    ARCHIVE = "archive"


class Severity(StrEnum):
    """How much a finding of a check means."""

    DEFECT = "defect"
    NOTE = "note"


class Orphans(StrEnum):
    """What a repair, or an adoption, does with rows of sessions that are missing."""

    KEEP = "keep"
    DROP = "drop"


class BatchStatus(StrEnum):
    """Whether items of a job are handed out. Workers wait for a paused job, and leave a cancelled one."""

    OPEN = "open"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class ItemStatus(StrEnum):
    """Where an item of a job stands. A delayed one waits for its next attempt; a failed one has had its last."""

    WAITING = "waiting"
    DELAYED = "delayed"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ComparisonKind(StrEnum):
    """In what the variants of a comparison differ."""

    MODEL = "model"
    PROMPT = "prompt"
    PARAMETERS = "parameters"


class JudgeKind(StrEnum):
    """Who judges: somebody, a model, or a number that was measured."""

    PERSON = "person"
    MODEL = "model"
    METRIC = "metric"


class ExecutionState(StrEnum):
    """Where an execution of a workflow stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """Where a step of an execution stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


# What an argument takes: the member of an enum or its value, so that a type checker knows the words.
RoleLike: TypeAlias = Role | Literal["system", "developer", "user", "assistant", "tool"]
OutcomeLike: TypeAlias = Outcome | Literal["complete", "interrupted", "error"]
StatusLike: TypeAlias = Status | Literal["active", "idle", "paused", "archived", "expired", "failed"]
SnapshotKindLike: TypeAlias = SnapshotKind | Literal["checkpoint", "timeout_warning", "pre_archive", "manual"]
OrphansLike: TypeAlias = Orphans | Literal["keep", "drop"]
BatchStatusLike: TypeAlias = BatchStatus | Literal["open", "paused", "cancelled"]
ItemStatusLike: TypeAlias = ItemStatus | Literal["waiting", "delayed", "running", "done", "failed"]
ComparisonKindLike: TypeAlias = ComparisonKind | Literal["model", "prompt", "parameters"]
JudgeKindLike: TypeAlias = JudgeKind | Literal["person", "model", "metric"]
ExecutionStateLike: TypeAlias = ExecutionState | Literal["pending", "running", "succeeded", "failed", "cancelled"]
