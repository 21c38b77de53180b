"""Workflows of a source, and their executions with all steps."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, update

from chatledger.adoption.records.target import Target
from chatledger.adoption.source.records import OldExecution, OldStep, OldWorkflow
from chatledger.enums import StepState
from chatledger.errors import ExecutionNotFound
from chatledger.models import Workflow as WorkflowRow
from chatledger.models import WorkflowExecution as ExecutionRow
from chatledger.models import WorkflowStep as StepRow
from chatledger.schemas import WorkflowExecution
from chatledger.services.workflows.statements import WHOLE


def take(target: Target, old: OldWorkflow) -> None:
    """Go through one definition: stored as the next version of its name, unless a version says the same."""
    version = _version(target, old.definition)
    if version is None and target.writing:
        version = target.uow.workflows.define(old.definition).version
        if old.created_at is not None:
            this = (WorkflowRow.user_id == "") & (WorkflowRow.name == old.name) & (WorkflowRow.version == version)
            target.uow.session.execute(update(WorkflowRow).where(this).values(created_at=old.created_at))
        stored = target.uow.workflows.get(old.name, version)
        target.require({"definition": stored.definition.document()}, {"definition": old.definition}, old.row)
        fate = "copied"
    else:
        fate = "copied" if version is None else "already"
    if old.whole:
        target.settle(old.row, "already" if fate == "already" else "copied")


def take_execution(target: Target, old: OldExecution) -> None:
    """Go through one execution. One that is there stays as it is."""
    there = _find(target, old)
    execution_id = next((name for name in target.name_for(old.execution_id) if _get(target, name) is None), None)
    if there is None and execution_id is None:
        return  # both ids belong to others: kept with the rows that belong to no session
    if there is None and target.writing:
        assert execution_id is not None
        _write(target, old, execution_id)
    fate = "copied" if there is None else "already"
    for row, whole in ((old.row, old.whole), *((step.row, step.whole) for step in old.steps)):
        if row is not None and whole:
            target.settle(row, "already" if fate == "already" else "copied")


def _write(target: Target, old: OldExecution, execution_id: str) -> None:
    uow = target.uow
    version = _version(target, old.workflow)
    values: dict[str, Any] = {
        "name": old.definition["name"], "definition": old.definition, "version": version or 1, "input": old.input,
        "state": old.state, "error": old.error, "started_at": old.started_at, "finished_at": old.finished_at,
    }  # fmt: skip
    created_at = old.started_at or uow._context.now()
    uow.session.execute(
        insert(ExecutionRow).values(execution_id=execution_id, user_id=None, created_at=created_at, **values)
    )
    for step in old.steps:
        key = {"execution_id": execution_id, "step": step.step, "item": WHOLE}
        uow.session.execute(insert(StepRow).values(**key, **_step_values(target, step)))
    stored = uow.workflows.execution(execution_id)
    found = {**stored.model_dump(), "definition": stored.definition.document()}
    target.require(found, values, old.row)
    steps = {step.step: step.model_dump() for step in uow.workflows.steps(execution_id)}
    for step in old.steps:
        target.require(steps.get(step.step, {}), _step_values(target, step), step.row or old.row)


def _step_values(target: Target, step: OldStep) -> dict[str, Any]:
    return {
        "state": step.state,
        "attempt": int(step.row is not None and step.state is not StepState.PENDING),
        "input": step.input,
        "output": step.output,
        "error": step.error,
        "session_id": target.session_id(step.session),
        "started_at": step.started_at,
        "finished_at": step.finished_at,
    }


def _version(target: Target, definition: dict[str, Any]) -> int | None:
    """The version in the ledger that says the same."""
    row = WorkflowRow
    wanted = select(row.version, row.definition).where(row.user_id == "", row.name == definition["name"])
    found = target.uow.session.execute(wanted.order_by(row.version))
    return next((int(one.version) for one in found if one.definition == definition), None)


def _find(target: Target, old: OldExecution) -> WorkflowExecution | None:
    """The execution that an earlier adoption made of it: it has no metadata, so its name and its time tell."""
    for name in target.name_for(old.execution_id):
        found = _get(target, name)
        if found is not None and (found.name, found.started_at) == (old.definition["name"], old.started_at):
            return found
    return None


def _get(target: Target, execution_id: str) -> WorkflowExecution | None:
    try:
        return target.uow.workflows.execution(execution_id)
    except ExecutionNotFound:
        return None
