"""Workflows and their executions as users hold them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.enums import ExecutionState, StepState
from chatledger.schemas.fields import Record
from chatledger.schemas.workflow import WorkflowDefinition


class WorkflowVersion(Record):
    """One version of a workflow."""

    name: str
    version: int
    user_id: str | None
    definition: WorkflowDefinition
    created_at: datetime


class WorkflowExecution(Record):
    """An execution, with the definition that it began with."""

    execution_id: str
    user_id: str | None
    name: str
    version: int
    definition: WorkflowDefinition
    input: Any
    state: ExecutionState
    error: str | None
    """Which steps failed."""
    runner: str | None
    fence: int
    """How often a runner has taken it up."""
    lease_until: datetime | None
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class WorkflowStep(Record):
    """A step of an execution, or what it does for one item of its list."""

    execution_id: str
    step: str
    item: int
    """The place in the list; -1 for the step itself."""
    state: StepState
    attempt: int
    """How often it was begun."""
    items: int | None
    """How many items its list has."""
    input: Any
    output: Any
    """What it gave. Of a step with a list, read the outputs of its items, or `uow.workflows.output`."""
    error: str | None
    session_id: str | None
    """The session that it wrote, if it did."""
    history: tuple[dict[str, Any], ...]
    """Earlier attempts: number, state, error, times and session of each, oldest first."""
    not_before: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
