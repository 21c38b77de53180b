"""What a runner does with an execution, a statement or two for each move. Every move asks first whether the runner still
holds the execution: its fence is the newest. What a runner writes that was given up for dead is refused so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update

from chatledger.enums import ExecutionState, StepState
from chatledger.errors import ExecutionBusy, ExecutionNotFound
from chatledger.models import WorkflowExecution as ExecutionRow
from chatledger.models import WorkflowStep as StepRow
from chatledger.models.base import table_of
from chatledger.schemas.execution import WorkflowExecution, WorkflowStep
from chatledger.services.base import ServiceContext

executions = table_of(ExecutionRow)
steps = table_of(StepRow)

#: The item of a step's own row.
WHOLE = -1

#: Nothing is left to do.
ENDED = (ExecutionState.SUCCEEDED, ExecutionState.FAILED, ExecutionState.CANCELLED)


class Hold(NamedTuple):
    """A runner's hold on an execution."""

    execution_id: str
    fence: int
    lease: timedelta


class Standing(NamedTuple):
    """What a runner learns with each move."""

    cancelling: bool


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
    """One step or item."""
    return to_step(context.execute(select(*steps.c).where(_this(execution_id, step, item))).one())


def to_step(row: Any) -> WorkflowStep:
    values = dict(row._mapping)
    values["history"] = tuple(values["history"] or ())
    return WorkflowStep.model_validate(values)


def is_held(execution: WorkflowExecution, now: datetime) -> bool:
    """Whether a runner that may be alive holds it."""
    return execution.lease_until is not None and execution.lease_until > now


def take(
    context: ServiceContext, execution_id: str, runner: str, lease: timedelta, *, take_over: bool = False
) -> tuple[Hold | None, WorkflowExecution]:
    """Take an execution up, unless it has ended. What an earlier runner left running is to be done again.

    Raises:
        ExecutionNotFound: no such one, or it belongs to another user.
        ExecutionBusy: another runner holds it.
    """
    execution = find(context, execution_id, lock=True)
    now = context.now()
    if execution.state in ENDED:
        return None, execution
    if is_held(execution, now) and not take_over:
        raise ExecutionBusy(execution_id, execution.lease_until)
    values = {
        "state": ExecutionState.RUNNING, "runner": runner, "fence": execution.fence + 1, "lease_until": now + lease,
        "started_at": execution.started_at or now,
    }  # fmt: skip
    context.execute(update(executions).where(executions.c.execution_id == execution_id).values(values))
    hold = Hold(execution_id, execution.fence + 1, lease)
    give_back(context, hold)
    return hold, find(context, execution_id)


def give_back(context: ServiceContext, hold: Hold) -> None:
    """What was begun and not ended is pending again."""
    for step in steps_of(context, hold.execution_id):
        if step.state is StepState.RUNNING and (step.items is None or step.item != WHOLE):
            reset(context, step, "interrupted")


def reset(context: ServiceContext, step: WorkflowStep, state: str | None = None, **more: Any) -> None:
    """Make a step pending again. The attempt goes into its history; without a state somebody wants it anew."""
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
    """What the history keeps of an attempt."""
    return {
        "attempt": step.attempt,
        "state": state,
        "error": error,
        "session_id": step.session_id,
        "started_at": step.started_at.isoformat() if step.started_at else None,
        "finished_at": ended.isoformat(),
    }


def renew(context: ServiceContext, hold: Hold) -> Standing:
    """Move the lease on.

    Raises:
        ExecutionBusy: another runner has taken the execution over.
    """
    mine = (executions.c.execution_id == hold.execution_id) & (executions.c.fence == hold.fence)
    running = executions.c.state == ExecutionState.RUNNING
    if context.change(update(executions).where(mine, running).values(lease_until=context.now() + hold.lease)) != 1:
        raise ExecutionBusy(hold.execution_id)
    asked = select(executions.c.cancel_requested_at).where(executions.c.execution_id == hold.execution_id)
    return Standing(cancelling=context.execute(asked).scalar_one() is not None)


def begin(context: ServiceContext, hold: Hold, begun: Iterable[tuple[WorkflowStep, Any]]) -> Standing:
    """Note that some steps begin, with their inputs."""
    standing = renew(context, hold)
    if standing.cancelling:
        return standing
    for step, given in begun:
        values = {
            "state": StepState.RUNNING, "attempt": step.attempt + 1, "input": given, "error": None,
            "not_before": None, "started_at": context.now(), "finished_at": None,
        }  # fmt: skip
        context.execute(update(steps).where(_this(step.execution_id, step.step, step.item)).values(values))
    return standing


def expand(context: ServiceContext, hold: Hold, step: WorkflowStep, number: int) -> Standing:
    """Give a step as many items as its list has. Those that it has from an earlier time keep their history."""
    standing = renew(context, hold)
    this = _this(step.execution_id, step.step, step.item)
    values = {"state": StepState.RUNNING, "items": number, "attempt": step.attempt + 1, "started_at": context.now()}
    context.execute(update(steps).where(this).values(values))
    of_step = (steps.c.execution_id == step.execution_id) & (steps.c.step == step.step)
    context.execute(delete(steps).where(of_step, steps.c.item >= number))
    there = set(context.execute(select(steps.c.item).where(of_step, steps.c.item >= 0)).scalars())
    rows = [pending(step.execution_id, step.step, item) for item in range(number) if item not in there]
    if rows:
        context.execute(insert(steps), rows)
    return standing


def pending(execution_id: str, step: str, item: int) -> dict[str, Any]:
    """A row of a step that is yet to be done."""
    return {"execution_id": execution_id, "step": step, "item": item, "state": StepState.PENDING, "attempt": 0}


def finish(context: ServiceContext, hold: Hold, step: WorkflowStep, state: StepState, **values: Any) -> bool:
    """Note how a step ended; False where this attempt was given up before, and then nothing may be kept of it.

    Raises:
        ExecutionBusy: another runner has taken the execution over.
    """
    renew(context, hold)
    this = _this(step.execution_id, step.step, step.item) & (steps.c.attempt == step.attempt)
    if step.state is StepState.RUNNING:
        this &= steps.c.state == StepState.RUNNING
    now = context.now()
    changed = context.change(update(steps).where(this).values({"finished_at": now, "state": state, **values}))
    if state is StepState.SKIPPED and step.item == WHOLE:  # it may have items of an earlier time
        items = (steps.c.execution_id == step.execution_id) & (steps.c.step == step.step) & (steps.c.item >= 0)
        context.execute(update(steps).where(items).values(state=state, finished_at=now))
    return changed == 1


def try_again(context: ServiceContext, hold: Hold, step: WorkflowStep, error: str, at: datetime) -> bool:
    """Note a failed attempt that will be repeated, not before a time; False where it was given up before."""
    renew(context, hold)
    this = _this(step.execution_id, step.step, step.item) & (steps.c.attempt == step.attempt)
    still = context.execute(select(steps.c.state).where(this)).scalar_one_or_none()
    if still is not StepState.RUNNING:
        return False
    reset(context, step.model_copy(update={"error": error}), "failed", not_before=at)
    return True


def conclude(context: ServiceContext, hold: Hold, state: ExecutionState, error: str | None) -> None:
    """Note how the execution stands when its runner leaves it."""
    renew(context, hold)
    give_back(context, hold)
    values: dict[str, Any] = {"state": state, "error": error, "lease_until": None}
    if state in ENDED:
        values["finished_at"] = context.now()
    if state is ExecutionState.CANCELLED:
        cancel_steps(context, hold.execution_id)
    context.execute(update(executions).where(executions.c.execution_id == hold.execution_id).values(values))


def cancel_steps(context: ServiceContext, execution_id: str) -> None:
    """What is left to do is cancelled."""
    left = (steps.c.execution_id == execution_id) & steps.c.state.in_([StepState.PENDING, StepState.RUNNING])
    context.execute(update(steps).where(left).values(state=StepState.CANCELLED, finished_at=context.now()))


def described(failed: Mapping[str, str | None]) -> str | None:
    """The steps that failed, in one sentence."""
    return f"failed: {', '.join(sorted(failed))}" if failed else None


def _this(execution_id: str, step: str, item: int) -> Any:
    return (steps.c.execution_id == execution_id) & (steps.c.step == step) & (steps.c.item == item)
