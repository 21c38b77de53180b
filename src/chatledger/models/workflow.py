"""Workflows: definitions in versions, their executions, and the steps of each."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.enums import ExecutionState, StepState
from chatledger.models.base import (
    Base,
    Counter,
    Json,
    Key,
    Number,
    PrimaryKey,
    Stamped,
    Timestamp,
    Whole,
    children,
    one_of,
    parent,
)


class Workflow(Base):
    """One version of a definition. Versions are never changed."""

    __tablename__ = "chatledger_workflows"
    __table_args__ = {"info": {"distribution": "root"}}  # noqa: RUF012 - SQLAlchemy's own form

    user_id: Mapped[PrimaryKey]
    """Whose it is; empty for nobody's."""
    name: Mapped[PrimaryKey]
    version: Mapped[Number]
    definition: Mapped[Json]
    created_at: Mapped[Stamped]


class WorkflowExecution(Base):
    """One execution, with a copy of the definition that it began with."""

    __tablename__ = "chatledger_workflow_executions"
    __table_args__ = (
        one_of("state", ExecutionState),
        Index("ix_chatledger_workflow_executions_user_id", "user_id", "created_at", "execution_id"),
        Index("ix_chatledger_workflow_executions_created_at", "created_at", "execution_id"),
        {"info": {"distribution": "root"}},
    )

    execution_id: Mapped[PrimaryKey]
    user_id: Mapped[Key | None]
    name: Mapped[Key]
    version: Mapped[Whole]
    definition: Mapped[Json]
    input: Mapped[Json]
    state: Mapped[ExecutionState]
    error: Mapped[str | None]
    runner: Mapped[str | None]
    """Who executes it, for people."""
    fence: Mapped[Counter]
    """Rises with each runner that takes the execution up: what an older one still writes is refused."""
    lease_until: Mapped[Timestamp | None]
    """Until when nobody else may take it up; moved on while its runner lives."""
    cancel_requested_at: Mapped[Timestamp | None]
    created_at: Mapped[Stamped]
    started_at: Mapped[Timestamp | None]
    finished_at: Mapped[Timestamp | None]

    steps: Mapped[list[WorkflowStep]] = children("execution", order_by="WorkflowStep.step, WorkflowStep.item")


class WorkflowStep(Base):
    """One step of an execution (item -1), or what it does for one item of its list."""

    __tablename__ = "chatledger_workflow_steps"
    __table_args__ = (
        one_of("state", StepState),
        Index("ix_chatledger_workflow_steps_session_id", "session_id", postgresql_where=text("session_id IS NOT NULL"),
              sqlite_where=text("session_id IS NOT NULL")),
        {"info": {"distribution": "root"}},
    )  # fmt: skip

    execution_id: Mapped[PrimaryKey] = mapped_column(
        ForeignKey("chatledger_workflow_executions.execution_id", ondelete="CASCADE")
    )
    step: Mapped[PrimaryKey]
    item: Mapped[Number]
    state: Mapped[StepState]
    attempt: Mapped[Counter]
    """How often it was begun."""
    items: Mapped[Whole | None]
    """How many items its list has; known when the step begins."""
    input: Mapped[Json | None]
    output: Mapped[Json | None]
    error: Mapped[str | None]
    session_id: Mapped[Key | None]
    """The session that it wrote. A soft reference."""
    history: Mapped[Json | None]
    """JSON: the attempts before this one."""
    not_before: Mapped[Timestamp | None]
    """Not to be tried again before."""
    started_at: Mapped[Timestamp | None]
    finished_at: Mapped[Timestamp | None]

    execution: Mapped[WorkflowExecution] = parent("steps")
