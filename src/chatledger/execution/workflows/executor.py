"""One runner at one execution: begins what is ready, hears how it ends, and keeps its lease alive."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatledger.dialects.encoding import encode_json
from chatledger.enums import ExecutionState, StepState
from chatledger.errors import InvalidInput
from chatledger.execution.workflows.actions import Actions
from chatledger.execution.workflows.attempt import GivenUp, keep, note_failure, said
from chatledger.execution.workflows.context import StepCancelled, StepContext
from chatledger.execution.workflows.plan import Place, Plan
from chatledger.execution.workflows.retry import read, written
from chatledger.schemas.execution import WorkflowExecution, WorkflowStep
from chatledger.services.workflows import statements as workflow_statements
from chatledger.services.workflows.statements import WHOLE, Hold
from chatledger.transactions import Transactions

#: Told of every step that begins or ends.
Progress = Callable[[WorkflowStep], object]

#: Seconds between two looks at the clock, and at whether to go on.
_LOOK = 0.25
#: Seconds between two looks at whether the execution was cancelled.
_ASK = 2.0


@dataclass
class _Attempt:
    context: StepContext
    row: WorkflowStep
    ends: float | None


class Drive:
    """The execution of one execution."""

    def __init__(
        self,
        ledger: Transactions,
        hold: Hold,
        plan: Plan,
        execution: WorkflowExecution,
        actions: Actions,
        *,
        max_parallel: int,
        grace: float,
        progress: Progress | None,
        stopping: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._hold = hold
        self._plan = plan
        self._execution = execution
        self._actions = actions
        self._max_parallel = max_parallel
        self._grace = grace
        self._progress = progress
        self._stopping = stopping
        self._heard: queue.SimpleQueue[tuple[Place, int, BaseException | None]] = queue.SimpleQueue()
        self._running: dict[Place, _Attempt] = {}
        self._cancelling = False
        self._interrupted = False
        self._renewed = time.monotonic()

    def go(self) -> None:
        """Execute until nothing is left to do, or until it is to stop.

        Raises:
            ExecutionBusy: another runner has taken the execution over.
        """
        try:
            while not self._stopping() and not self._cancelling:
                self._advance()
                waiting = self._begin_ready()
                if not self._running and not waiting:
                    break
                self._hear(_LOOK)
                self._look_at_clock()
            self._leave()
        except BaseException as error:
            self._interrupted = isinstance(error, KeyboardInterrupt)
            for attempt in self._running.values():
                attempt.context.give_up()
            raise

    def interrupted(self) -> None:
        """After an interrupt: give running steps time, and leave the execution so that it can be gone on with."""
        self._leave(stopped=True)

    def _leave(self, *, stopped: bool = False) -> None:
        stopped = stopped or self._stopping()
        if stopped or self._cancelling:
            for attempt in self._running.values():
                attempt.context.give_up()
            until = time.monotonic() + self._grace
            while self._running and time.monotonic() < until:
                self._hear(_LOOK)
                self._look_at_clock()
            self._running.clear()
            self._advance()
        left = [row for row in self._plan.rows.values() if row.item == WHOLE and row.state not in _DONE]
        state, error = ExecutionState.SUCCEEDED, None
        if self._cancelling:
            state = ExecutionState.CANCELLED
        elif stopped and set(self._plan.ready):
            state = ExecutionState.PENDING
        elif left:
            state, error = ExecutionState.FAILED, workflow_statements.described(dict.fromkeys(self._plan.failed))
        written(self._ledger, lambda uow: workflow_statements.conclude(uow._context, self._hold, state, error))

    # What is ready.

    def _advance(self) -> None:
        """Settle steps that need nothing to be done: skipped ones, ends of lists, and those that were done before."""
        changed = True
        while changed and not self._cancelling:
            changed = any(self._settle(name) for name in list(self._plan.ready))

    def _settle(self, name: str) -> bool:
        plan, row = self._plan, self._plan.step(name)
        if row.state in _DONE:
            plan.ended(name)
            return True
        if row.state is StepState.FAILED:
            plan.gave_up(name)
            return False
        try:
            if row.state is StepState.PENDING and row.not_before is None:
                if plan.skips(name):
                    self._finish(row, StepState.SKIPPED)
                    return True
                if plan.about(name).for_each is not None:
                    self._expand(row, len(plan.listed(name)))
                    return True
        except InvalidInput as error:
            self._finish(row, StepState.FAILED, error=said(error))
            return True
        if row.state is StepState.RUNNING and row.items is not None:
            states = {item.state for item in plan.items(name)}
            if states <= {StepState.SUCCEEDED}:
                self._finish(row, StepState.SUCCEEDED)
                return True
            if not states & {StepState.PENDING, StepState.RUNNING}:
                bad = [str(item.item) for item in plan.items(name) if item.state is not StepState.SUCCEEDED]
                self._finish(row, StepState.FAILED, error=f"{len(bad)} of {len(plan.items(name))} items failed")
                return True
        return False

    def _begin_ready(self) -> bool:
        """Begin what may begin; whether something waits for its time."""
        begun: list[tuple[WorkflowStep, Any, Any]] = []
        waiting = False
        now = self._now()
        for row in self._candidates():
            if row.not_before is not None and row.not_before > now:
                waiting = True
                continue
            if len(self._running) + len(begun) >= self._max_parallel:
                waiting = True
                break
            try:
                given, told = self._plan.given(row)
            except InvalidInput as error:
                self._finish(row, StepState.FAILED, error=said(error))
                waiting = True
                continue
            begun.append((row, given, told))
        if begun:
            moves = [(row, given) for row, given, _ in begun]
            standing = written(self._ledger, lambda uow: workflow_statements.begin(uow._context, self._hold, moves))
            self._heard_of(standing.cancelling)
            if not self._cancelling:
                for row, given, told in begun:
                    self._launch(row, given, told, now)
        return waiting

    def _candidates(self) -> list[WorkflowStep]:
        found: list[WorkflowStep] = []
        for name in self._plan.ready:
            row = self._plan.step(name)
            if row.items is None:
                found += [row] if row.state is StepState.PENDING else []
                continue
            items = self._plan.items(name)
            most = self._plan.about(name).max_parallel
            busy = sum(item.state is StepState.RUNNING for item in items)
            pending = [item for item in items if item.state is StepState.PENDING]
            found += pending if most is None else pending[: max(0, most - busy)]
        return found

    def _launch(self, row: WorkflowStep, given: Any, told: Any, now: datetime) -> None:
        row = row.model_copy(
            update={"state": StepState.RUNNING, "attempt": row.attempt + 1, "input": given, "started_at": now}
        )
        context = StepContext(self._execution, row, self._plan.item_of(row))
        limit = self._plan.about(row.step).timeout
        self._running[row.step, row.item] = _Attempt(context, row, None if limit is None else time.monotonic() + limit)
        self._note(row)
        # Not a pool: its threads would be waited for at exit, and a step that is out of time cannot be ended.
        name = f"{row.step}-{row.item}"
        threading.Thread(target=self._attempt, args=(row, told, context), name=name, daemon=True).start()

    # What a step's thread does.

    def _attempt(self, row: WorkflowStep, told: Any, context: StepContext) -> None:
        place = (row.step, row.item)
        lost: BaseException | None = None
        try:
            try:
                output = self._actions.do(self._plan.about(row.step), told, context)
                encode_json(output, "output")
                keep(self._ledger, self._hold, row, context, output)
            except GivenUp:
                pass
            except BaseException as error:  # noqa: BLE001 - it is the user's code: whatever it raises is the step's error
                # Where the execution is somebody else's by now, noting it raises.
                self._failed(row, error, given_up=context.cancelled)
        except BaseException as error:  # noqa: BLE001 - told to the runner's own thread, which raises it
            lost = error
        self._heard.put((place, row.attempt, lost))

    def _failed(self, row: WorkflowStep, error: BaseException, *, given_up: bool) -> None:
        leaving = self._cancelling or self._interrupted or self._stopping()
        if given_up and (leaving or isinstance(error, StepCancelled)):
            return  # what becomes of it is the runner's to say
        note_failure(self._ledger, self._hold, self._plan.about(row.step), row, error, self._now())

    # What the runner's thread hears.

    def _hear(self, seconds: float) -> None:
        try:
            place, attempt, lost = self._heard.get(timeout=seconds)
        except queue.Empty:
            return
        while True:
            if lost is not None:
                raise lost
            current = self._running.get(place)
            if current is not None and current.row.attempt == attempt:
                del self._running[place]
                self._refresh(place)
            try:
                place, attempt, lost = self._heard.get_nowait()
            except queue.Empty:
                return

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        for place, attempt in list(self._running.items()):
            if attempt.ends is not None and now >= attempt.ends:
                late = TimeoutError(f"took longer than {self._plan.about(place[0]).timeout:g} seconds")
                self._failed(attempt.row, late, given_up=False)
                attempt.context.give_up()
                del self._running[place]
                self._refresh(place)
        if now - self._renewed >= min(_ASK, self._hold.lease.total_seconds() / 3):
            self._renewed = now
            standing = written(self._ledger, lambda uow: workflow_statements.renew(uow._context, self._hold))
            self._heard_of(standing.cancelling)

    def _heard_of(self, cancelling: bool) -> None:
        self._cancelling = self._cancelling or cancelling

    # Moves.

    def _finish(self, row: WorkflowStep, state: StepState, **values: Any) -> None:
        written(self._ledger, lambda uow: workflow_statements.finish(uow._context, self._hold, row, state, **values))
        self._refresh((row.step, row.item))

    def _expand(self, row: WorkflowStep, number: int) -> None:
        standing = written(self._ledger, lambda uow: workflow_statements.expand(uow._context, self._hold, row, number))
        self._heard_of(standing.cancelling)
        for one in read(
            self._ledger, lambda uow: workflow_statements.steps_of(uow._context, row.execution_id, row.step)
        ):
            self._plan.rows[one.step, one.item] = one
        self._note(self._plan.step(row.step))

    def _refresh(self, place: Place) -> None:
        row = read(self._ledger, lambda uow: workflow_statements.step_at(uow._context, self._hold.execution_id, *place))
        self._plan.rows[place] = row
        self._note(row)

    def _note(self, row: WorkflowStep) -> None:
        self._plan.rows[row.step, row.item] = row
        if self._progress is not None:
            self._progress(row)

    def _now(self) -> datetime:
        return self._ledger.clock()


_DONE = (StepState.SUCCEEDED, StepState.SKIPPED)
