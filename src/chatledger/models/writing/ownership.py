"""What a SQLAlchemy session that is limited to one user reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, event, inspect, or_, select
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria

from chatledger.dialects.types import Identifier
from chatledger.enums import Scope, StateScope
from chatledger.errors import InvalidInput, SessionNotFound
from chatledger.models.annotation import Annotation
from chatledger.models.audit import AuditEntry
from chatledger.models.base import Base
from chatledger.models.batch import BatchItem, BatchJob
from chatledger.models.comparison import ComparisonGroup, ComparisonResult, ComparisonSession
from chatledger.models.graph import GraphCheckpoint, GraphWrite
from chatledger.models.message import Message
from chatledger.models.metadata import SessionMetadata
from chatledger.models.metric import Metric
from chatledger.models.registry import Model, ModelPrice, ModelPriceTier, Project
from chatledger.models.session import Session
from chatledger.models.snapshot import Snapshot
from chatledger.models.state import State
from chatledger.models.timeout import Timeout, TimeoutDefault
from chatledger.models.usage import SessionUsage
from chatledger.models.workflow import Workflow, WorkflowExecution, WorkflowStep
from chatledger.models.writing.context import context_of, session_of
from chatledger.models.writing.locking import sessions

_OF_A_SESSION = (Message, SessionMetadata, Timeout, Snapshot, Annotation, SessionUsage, GraphCheckpoint, GraphWrite)
# Roots that have a `user_id` of their own.
_OWNED = (BatchJob, ComparisonGroup, Workflow, WorkflowExecution)
# What belongs to one of those, by the name of the key that they share.
_OF_A_ROOT = (
    (BatchItem, BatchJob, "job_id"),
    (ComparisonSession, ComparisonGroup, "group_id"),
    (ComparisonResult, ComparisonGroup, "group_id"),
    (WorkflowStep, WorkflowExecution, "execution_id"),
)
_SHARED = (Project, Model, ModelPrice, ModelPriceTier, TimeoutDefault)


def install() -> None:
    """Register the events."""
    for model in (*_OF_A_SESSION, *_OWNED, Session):
        if model is not Message:  # whose session is locked with its owner when it is numbered
            event.listen(model, "before_insert", _insert, propagate=True)
        event.listen(model, "before_update", _change, propagate=True)
        event.listen(model, "before_delete", _change, propagate=True)
    for other in (*_SHARED, *(child for child, _, _ in _OF_A_ROOT), AuditEntry, Metric, State):
        for name in ("before_insert", "before_update", "before_delete"):
            event.listen(other, name, _refuse, propagate=True)


def limit(state: ORMExecuteState, owner: str) -> None:
    """Limit a statement over models to the rows of a user.

    Raises:
        InvalidInput: rows are inserted in a way that cannot be limited, or given to another user.
    """
    mapper = state.bind_mapper
    if state.is_insert and (mapper is None or mapper.class_ is not Message):
        raise InvalidInput("insert", "cannot be limited to one user: add objects to the session instead")
    if state.is_update:
        changed = {getattr(column, "key", column) for column in _set_by(state)}
        if "user_id" in changed:
            raise InvalidInput("user_id", "cannot be changed through a session that is limited to one user")
        if "project_id" in changed and mapper is not None and mapper.class_ is Session:
            raise InvalidInput(
                "project_id", "cannot be changed by a statement that is limited to one user: set it on objects"
            )
    if not state.is_insert and not state.is_column_load:
        state.statement = state.statement.options(*_criteria(owner))


def _set_by(state: ORMExecuteState) -> Iterator[Any]:
    yield from getattr(state.statement, "_values", None) or ()
    parameters = state.parameters or {}
    for row in parameters if isinstance(parameters, list) else [parameters]:
        yield from row


@lru_cache(maxsize=256)
def _criteria(owner: str) -> tuple[Any, ...]:
    """For each model, which of its rows are a user's."""
    conditions = dict(_conditions(bindparam(None, owner, type_=Identifier())))
    return tuple(with_loader_criteria(model, condition) for model, condition in conditions.items())


def _conditions(owner: Any) -> Iterator[tuple[type[Base], ColumnElement[bool]]]:
    visible = select(sessions.c.session_id).where(sessions.c.user_id == owner)
    yield Session, Session.user_id == owner
    for model in _OF_A_SESSION:
        yield model, model.session_id.in_(visible)
    for root in _OWNED:
        yield root, root.user_id == owner
    for child, root, key in _OF_A_ROOT:
        table = root.__table__
        owned = select(table.c[key]).where(table.c.user_id == owner)
        yield child, getattr(child, key).in_(owned)
    yield AuditEntry, AuditEntry.user_id == owner
    yield Metric, or_(Metric.user_id == owner, Metric.session_id.in_(visible))
    yield Project, Project.project_id.in_(select(sessions.c.project_id).where(sessions.c.user_id == owner))
    yield (
        State,
        or_(
            (State.scope == StateScope.USER) & (State.scope_id == owner),
            (State.scope == StateScope.SESSION) & State.scope_id.in_(visible),
        ),
    )
    yield TimeoutDefault, (TimeoutDefault.scope == Scope.USER) & (TimeoutDefault.scope_id == owner)


def _insert(_mapper: Any, connection: Connection, row: Any) -> None:
    owner = context_of(session_of(row)).owner
    if owner is None:
        return
    if isinstance(row, _OF_A_SESSION):
        _require_session(connection, row.session_id, owner)
        return
    if row.user_id is None:
        row.user_id = owner
    if row.user_id != owner:
        raise InvalidInput("user_id", "is not the user that this session is limited to")


def _change(_mapper: Any, connection: Connection, row: Any) -> None:
    owner = context_of(session_of(row)).owner
    if owner is None:
        return
    if isinstance(row, _OF_A_SESSION):
        _require_session(connection, row.session_id, owner)
        return
    if inspect(row).attrs["user_id"].history.has_changes():
        raise InvalidInput("user_id", "cannot be changed through a session that is limited to one user")
    if isinstance(row, Session):
        _require_session(connection, row.session_id, owner)
    elif row.user_id != owner:
        raise InvalidInput("user_id", "is not the user that this session is limited to")


def _refuse(_mapper: Any, _connection: Connection, row: Any) -> None:
    if context_of(session_of(row)).owner is not None:
        raise InvalidInput(
            type(row).__name__, "cannot be written through a session that is limited to one user: use the services"
        )


def _require_session(connection: Connection, session_id: str, owner: str) -> None:
    wanted = select(1).where(sessions.c.session_id == session_id, sessions.c.user_id == owner)
    if connection.execute(wanted).one_or_none() is None:
        raise SessionNotFound(session_id)
