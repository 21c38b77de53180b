"""What a reader makes of tables beside sessions and messages: annotations, measurements, comparisons, batches,
workflows.

`whole` says whether the rows of the ledger have all that a row of the source says. One that says more is also kept with
the rows that belong to no session.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chatledger.adoption.source.database import Row
from chatledger.adoption.source.rows import OldSession
from chatledger.enums import BatchStatus, ComparisonKind, ExecutionState, ItemStatus, JudgeKind, StepState


@dataclass
class OldAnnotation:
    """An annotation to be, of a session or of one of its messages."""

    row: Row
    session: OldSession
    message: str | None
    """The key of the message that it is about."""
    fields: dict[str, Any]
    """What `annotations.add` takes, but for the metadata."""
    metadata: dict[str, Any]
    as_found: dict[str, Any]
    created_at: datetime | None
    updated_at: datetime | None


@dataclass
class OldMetric:
    """A measurement to be."""

    row: Row
    fields: dict[str, Any]
    """What `metrics.record` takes, but for the session and the metadata."""
    session: OldSession | None
    metadata: dict[str, Any]
    as_found: dict[str, Any]


@dataclass
class OldMember:
    """A session of a comparison."""

    row: Row
    session: OldSession
    variant: str
    created_at: datetime | None
    whole: bool


@dataclass
class OldResult:
    """What one judge measured of one variant on one prompt, from one row of the source for each score."""

    rows: list[Row]
    prompt_key: str
    variant: str
    judge: str
    judge_kind: JudgeKind
    trial: int
    scores: dict[str, float]
    notes: str | None
    created_at: datetime | None
    partly: list[Row] = field(default_factory=list)
    """Rows of which the result does not have everything."""


@dataclass
class OldComparison:
    """A comparison to be, with its sessions and results."""

    row: Row
    group_id: str
    kind: ComparisonKind
    title: str | None
    created_at: datetime | None
    variants: list[str]
    members: list[OldMember]
    results: list[OldResult]
    whole: bool


@dataclass
class OldItem:
    """An item of a batch."""

    row: Row
    key: str
    payload: Any
    status: ItemStatus
    result: Any
    session: OldSession | None
    error_kind: str | None
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None
    whole: bool


@dataclass
class OldBatch:
    """A batch to be, with its items still to be read."""

    row: Row
    job_id: str
    name: str | None
    status: BatchStatus
    metadata: dict[str, Any]
    as_found: dict[str, Any]
    created_at: datetime | None
    items: Iterator[OldItem]


@dataclass
class OldWorkflow:
    """A version of a workflow to be."""

    row: Row
    name: str
    definition: dict[str, Any]
    created_at: datetime | None
    whole: bool


@dataclass
class OldStep:
    """A step of an execution. The row is None for a step that was not begun."""

    row: Row | None
    step: str
    state: StepState
    input: Any = None
    output: Any = None
    error: str | None = None
    session: OldSession | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    whole: bool = True


@dataclass
class OldExecution:
    """An execution of a workflow to be."""

    row: Row
    execution_id: str
    workflow: dict[str, Any]
    """The definition that the workflow had: finds its version in the ledger."""
    definition: dict[str, Any]
    """The definition that it ran with."""
    input: Any
    state: ExecutionState
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None
    steps: list[OldStep]
    whole: bool


OldRecord = OldAnnotation | OldMetric | OldComparison | OldBatch | OldWorkflow | OldExecution
