"""Workflows: definitions in versions, their executions, and the steps of each."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Counter, Json, Key, Stamped, Timestamp, Whole, one_of
from chatledger.vocabulary import ExecutionState, StepState


class Workflow(Base):
    """One version of a definition. Versions are never changed."""

    __tablename__ = "chatledger_workflows"
    __table_args__ = {"info": {"distribution": "root"}}  # noqa: RUF012 - SQLAlchemy's own form

    #: Whose it is; empty for nobody's.
    user_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    name: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    version: Mapped[int] = mapped_column(types.Whole, primary_key=True)
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

    execution_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    user_id: Mapped[Key | None]
    name: Mapped[Key]
    version: Mapped[Whole]
    definition: Mapped[Json]
    input: Mapped[Json]
    state: Mapped[ExecutionState] = mapped_column(types.Word(ExecutionState))
    error: Mapped[str | None]
    #: Who executes it, for people.
    runner: Mapped[str | None]
    #: Rises with each runner that takes the execution up: what an older one still writes is refused.
    fence: Mapped[Counter]
    #: Until when nobody else may take it up; moved on while its runner lives.
    lease_until: Mapped[Timestamp | None]
    cancel_requested_at: Mapped[Timestamp | None]
    created_at: Mapped[Stamped]
    started_at: Mapped[Timestamp | None]
    finished_at: Mapped[Timestamp | None]


class WorkflowStep(Base):
    """One step of an execution (item -1), or what it does for one item of its list."""

    __tablename__ = "chatledger_workflow_steps"
    __table_args__ = (
        one_of("state", StepState),
        Index("ix_chatledger_workflow_steps_session_id", "session_id", postgresql_where=text("session_id IS NOT NULL"),
              sqlite_where=text("session_id IS NOT NULL")),
        {"info": {"distribution": "root"}},
    )  # fmt: skip

    execution_id: Mapped[str] = mapped_column(
        types.Identifier,
        ForeignKey("chatledger_workflow_executions.execution_id", ondelete="CASCADE"),
        primary_key=True,
    )
    step: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    item: Mapped[int] = mapped_column(types.Whole, primary_key=True)
    state: Mapped[StepState] = mapped_column(types.Word(StepState))
    #: How often it was begun.
    attempt: Mapped[Counter]
    #: How many items its list has; known when the step begins.
    items: Mapped[Whole | None]
    input: Mapped[Json | None]
    output: Mapped[Json | None]
    error: Mapped[str | None]
    #: The session that it wrote. A soft reference.
    session_id: Mapped[Key | None]
    #: JSON: the attempts before this one.
    history: Mapped[Json | None]
    #: Not to be tried again before.
    not_before: Mapped[Timestamp | None]
    started_at: Mapped[Timestamp | None]
    finished_at: Mapped[Timestamp | None]
