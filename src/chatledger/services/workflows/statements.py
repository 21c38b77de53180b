"""What a runner writes about an execution. Every function first renews the runner's lease, which fails if the execution
has a newer fence: so a runner that was given up for dead cannot write any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update

from chatledger.enums import ExecutionState, StepState
from chatledger.errors import ExecutionBusy, ExecutionNotFound
from chatledger.models import tables
from chatledger.schemas.execution import WorkflowExecution, WorkflowStep
from chatledger.services.base import ServiceContext

executions = tables.workflow_executions
steps = tables.workflow_steps

WHOLE = -1
"""The item number of a step's own row."""

ENDED = (ExecutionState.SUCCEEDED, ExecutionState.FAILED, ExecutionState.CANCELLED)
"""States in which nothing is left to do."""


class ExecutionLease(NamedTuple):
    """A runner's lease of an execution. The fence rises with each one."""

    execution_id: str
    fence: int
    duration: timedelta


def find(context: ServiceContext, execution_id: str, *, lock: bool = False) -> WorkflowExecution:
    """An execution.

    Raises:
        ExecutionNotFound: no such one, or it belongs to another user.
    """
    statement = select(*executions.c).where(executions.c.execution_id == execution_id)
    if context.owner is not None:
        statement = statement.where(executions.c.user_id == context.owner)
    row = context.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise ExecutionNotFound(execution_id)
    return WorkflowExecution.model_validate(dict(row._mapping))


def steps_of(context: ServiceContext, execution_id: str, step: str | None = None) -> list[WorkflowStep]:
    """The steps and items of an execution, or one step and its items."""
    statement = select(*steps.c).where(steps.c.execution_id == execution_id).order_by(steps.c.step, steps.c.item)
    if step is not None:
        statement = statement.where(steps.c.step == step)
    return [to_step(row) for row in context.execute(statement)]


def step_at(context: ServiceContext, execution_id: str, step: str, item: int) -> WorkflowStep:
    """One step or item.

    Raises:
        ExecutionNotFound: the execution was deleted meanwhile.
    """
    row = context.execute(select(*steps.c).where(_this(execution_id, step, item))).one_or_none()
    if row is None:
        raise ExecutionNotFound(execution_id)
    return to_step(row)


def to_step(row: Any) -> WorkflowStep:
    values = dict(row._mapping)
    values["history"] = tuple(values["history"] or ())
    return WorkflowStep.model_validate(values)


def is_held(execution: WorkflowExecution, now: datetime) -> bool:
    """Return whether a runner that may be alive holds the execution."""
    return execution.lease_until is not None and execution.lease_until > now


def acquire(
    context: ServiceContext, execution_id: str, runner: str, duration: timedelta, *, take_over: bool = False
) -> tuple[ExecutionLease | None, WorkflowExecution]:
    """Acquire the lease of an execution, unless it has ended. Steps that an earlier runner left running are reset.

    Raises:
        ExecutionNotFound: no such execution, or it belongs to another user.
        ExecutionBusy: another runner holds it.
    """
    execution = find(context, execution_id, lock=True)
    now = context.now()
    if execution.state in ENDED:
        return None, execution
    if is_held(execution, now) and not take_over:
        raise ExecutionBusy(execution_id, execution.lease_until)
    values = {
        "state": ExecutionState.RUNNING, "runner": runner, "fence": execution.fence + 1, "lease_until": now + duration,
        "started_at": execution.started_at or now,
    }  # fmt: skip
    context.execute(update(executions).where(executions.c.execution_id == execution_id).values(values))
    reset_running(context, execution_id)
    return ExecutionLease(execution_id, execution.fence + 1, duration), find(context, execution_id)


def reset_running(context: ServiceContext, execution_id: str) -> None:
    """Make the steps that were started and have not ended pending again."""
    for step in steps_of(context, execution_id):
        if step.state is StepState.RUNNING and (step.items is None or step.item != WHOLE):
            reset(context, step, "interrupted")


def reset(context: ServiceContext, step: WorkflowStep, state: str | None = None, **more: Any) -> None:
    """Make a step pending again, and add the attempt to its history. Without a `state` it is a retry by hand."""
    history = list(step.history)
    if step.attempt and step.started_at is not None:
        attempt = attempt_of(step, state or step.state.value, step.finished_at or context.now(), step.error)
        history.append(attempt if state else {**attempt, "retried": True})
    values = {
        "state": StepState.PENDING, "history": history, "output": None, "error": None, "input": None,
        "session_id": None, "not_before": None, "started_at": None, "finished_at": None, **more,
    }  # fmt: skip
    context.execute(update(steps).where(_this(step.execution_id, step.step, step.item)).values(values))


def attempt_of(step: WorkflowStep, state: str, ended: datetime, error: str | None) -> dict[str, Any]:
    """Return an attempt as the history keeps it."""
    return {
        "attempt": step.attempt,
        "state": state,
        "error": error,
        "session_id": step.session_id,
        "started_at": step.started_at.isoformat() if step.started_at else None,
        "finished_at": ended.isoformat(),
    }


def renew(context: ServiceContext, lease: ExecutionLease) -> bool:
    """Renew the lease. Return whether somebody has asked to cancel the execution.

    Raises:
        ExecutionBusy: another runner has taken the execution over.
    """
    mine = (executions.c.execution_id == lease.execution_id) & (executions.c.fence == lease.fence)
    running = executions.c.state == ExecutionState.RUNNING
    if context.change(update(executions).where(mine, running).values(lease_until=context.now() + lease.duration)) != 1:
        raise ExecutionBusy(lease.execution_id)
    requested = select(executions.c.cancel_requested_at).where(executions.c.execution_id == lease.execution_id)
    return context.execute(requested).scalar_one() is not None


def start_steps(context: ServiceContext, lease: ExecutionLease, inputs: Iterable[tuple[WorkflowStep, Any]]) -> bool:
    """Record that steps start, with their inputs, unless the execution is to be cancelled. Return whether it is."""
    if renew(context, lease):
        return True
    for step, step_input in inputs:
        values = {
            "state": StepState.RUNNING, "attempt": step.attempt + 1, "input": step_input, "error": None,
            "not_before": None, "started_at": context.now(), "finished_at": None,
        }  # fmt: skip
        context.execute(update(steps).where(_this(step.execution_id, step.step, step.item)).values(values))
    return False


def expand(context: ServiceContext, lease: ExecutionLease, step: WorkflowStep, number: int) -> bool:
    """Give a step as many items as its list has. Items from an earlier attempt keep their history.

    Return whether the execution is to be cancelled.
    """
    cancelling = renew(context, lease)
    this = _this(step.execution_id, step.step, step.item)
    values = {"state": StepState.RUNNING, "items": number, "attempt": step.attempt + 1, "started_at": context.now()}
    context.execute(update(steps).where(this).values(values))
    of_step = (steps.c.execution_id == step.execution_id) & (steps.c.step == step.step)
    context.execute(delete(steps).where(of_step, steps.c.item >= number))
    there = set(context.execute(select(steps.c.item).where(of_step, steps.c.item >= 0)).scalars())
    rows = [pending(step.execution_id, step.step, item) for item in range(number) if item not in there]
    if rows:
        context.execute(insert(steps), rows)
    return cancelling


def pending(execution_id: str, step: str, item: int) -> dict[str, Any]:
    """Return the row of a step that has not started."""
    return {"execution_id": execution_id, "step": step, "item": item, "state": StepState.PENDING, "attempt": 0}


def finish(context: ServiceContext, lease: ExecutionLease, step: WorkflowStep, state: StepState, **values: Any) -> bool:
    """Record how a step ended. Return False if the attempt was abandoned before: then nothing of it may be kept.

    Raises:
        ExecutionBusy: another runner has taken the execution over.
    """
    renew(context, lease)
    this = _this(step.execution_id, step.step, step.item) & (steps.c.attempt == step.attempt)
    if step.state is StepState.RUNNING:
        this &= steps.c.state == StepState.RUNNING
    now = context.now()
    changed = context.change(update(steps).where(this).values({"finished_at": now, "state": state, **values}))
    if state is StepState.SKIPPED and step.item == WHOLE:  # it may have items from an earlier attempt
        items = (steps.c.execution_id == step.execution_id) & (steps.c.step == step.step) & (steps.c.item >= 0)
        context.execute(update(steps).where(items).values(state=state, finished_at=now))
    return changed == 1


def schedule_retry(
    context: ServiceContext, lease: ExecutionLease, step: WorkflowStep, error: str, at: datetime
) -> bool:
    """Record a failed attempt, to be repeated at `at` or later. Return False if the attempt was abandoned before."""
    renew(context, lease)
    this = _this(step.execution_id, step.step, step.item) & (steps.c.attempt == step.attempt)
    current = context.execute(select(steps.c.state).where(this)).scalar_one_or_none()
    if current is not StepState.RUNNING:
        return False
    reset(context, step.model_copy(update={"error": error}), "failed", not_before=at)
    return True


def conclude(context: ServiceContext, lease: ExecutionLease, state: ExecutionState, error: str | None) -> None:
    """Record the state in which a runner leaves the execution, and end its lease."""
    renew(context, lease)
    reset_running(context, lease.execution_id)
    values: dict[str, Any] = {"state": state, "error": error, "lease_until": None}
    if state in ENDED:
        values["finished_at"] = context.now()
    if state is ExecutionState.CANCELLED:
        cancel_steps(context, lease.execution_id)
    context.execute(update(executions).where(executions.c.execution_id == lease.execution_id).values(values))


def cancel_steps(context: ServiceContext, execution_id: str) -> None:
    """Cancel the steps that have not ended."""
    left = (steps.c.execution_id == execution_id) & steps.c.state.in_([StepState.PENDING, StepState.RUNNING])
    context.execute(update(steps).where(left).values(state=StepState.CANCELLED, finished_at=context.now()))


def failure_summary(failed: Iterable[str]) -> str | None:
    """Return a sentence that names the failed steps."""
    names = sorted(failed)
    return f"failed: {', '.join(names)}" if names else None


def _this(execution_id: str, step: str, item: int) -> Any:
    return (steps.c.execution_id == execution_id) & (steps.c.step == step) & (steps.c.item == item)
