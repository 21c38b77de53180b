"""Checkpoints of agent graphs, such as those of LangGraph: the state of a program between its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import Mapped

from chatledger.models.base import Base, Blob, Key, Number, PrimaryKey, SessionKey, Stamped, parent

if TYPE_CHECKING:
    from chatledger.models.session import Session


class GraphCheckpoint(Base):
    """The state of a graph after a step. Its body is the framework's, and is not read by chatledger."""

    __tablename__ = "chatledger_graph_checkpoints"
    __table_args__ = {"info": {"distribution": "session"}}  # noqa: RUF012 - SQLAlchemy's own form

    session_id: Mapped[SessionKey]
    namespace: Mapped[PrimaryKey]
    """Empty for the graph itself; the name of a subgraph otherwise."""
    checkpoint_id: Mapped[PrimaryKey]
    """Chosen by the framework; ids sort by time."""
    parent_id: Mapped[Key | None]
    """The checkpoint that this one followed."""
    run_id: Mapped[Key | None]
    encoding: Mapped[str]
    """How the framework has written `body`."""
    body: Mapped[Blob]
    metadata_encoding: Mapped[str]
    metadata_body: Mapped[Blob]
    created_at: Mapped[Stamped]

    session: Mapped[Session] = parent("graph_checkpoints")


class GraphWrite(Base):
    """What a task has written after a checkpoint, before the next one is made of it."""

    __tablename__ = "chatledger_graph_writes"
    __table_args__ = {"info": {"distribution": "session"}}  # noqa: RUF012 - SQLAlchemy's own form

    session_id: Mapped[SessionKey]
    namespace: Mapped[PrimaryKey]
    checkpoint_id: Mapped[PrimaryKey]
    task_id: Mapped[PrimaryKey]
    write_number: Mapped[Number]
    """The place among the task's writes; negative for errors, interrupts and the like, of which the newest counts."""
    task_path: Mapped[str]
    channel: Mapped[str]
    encoding: Mapped[str]
    body: Mapped[Blob]

    session: Mapped[Session] = parent("graph_writes")
