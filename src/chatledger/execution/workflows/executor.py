"""One runner executing one execution: it starts the steps that are ready, sees how they end, and renews its lease."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatledger.dialects.encoding import encode_json
from chatledger.enums import ExecutionState, StepState
from chatledger.errors import InvalidInput
from chatledger.execution.lease_renewal import LeaseRenewal
from chatledger.execution.outage import read, write
from chatledger.execution.stopping import StopRequest
from chatledger.execution.workers import WorkerThreads
from chatledger.execution.workflows.actions import Actions
from chatledger.execution.workflows.attempt import AttemptAbandoned, error_text, record_failure, record_success
from chatledger.execution.workflows.context import StepCancelled, StepContext
from chatledger.execution.workflows.plan import Plan, StepKey
from chatledger.schemas.execution import WorkflowExecution, WorkflowStep
from chatledger.services.workflows import statements as workflow_statements
from chatledger.services.workflows.statements import WHOLE, ExecutionLease
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

OnProgress = Callable[[WorkflowStep], object]
"""Called with every step that starts or ends."""

# The most seconds to wait for steps before looking at the clock and asking whether to stop.
_POLL = 0.25
# Seconds between two looks at whether the execution was cancelled. The lease is renewed with each.
_CANCELLATION_POLL = 2.0


@dataclass(eq=False)
class _Attempt:
    """An attempt at a step that is running in a thread."""

    row: WorkflowStep
    argument: Any
    context: StepContext
    deadline: float | None

    @property
    def key(self) -> StepKey:
        return self.row.step, self.row.item


class Executor:
    """Executes one execution."""

    def __init__(
        self,
        ledger: Transactions,
        lease: ExecutionLease,
        plan: Plan,
        execution: WorkflowExecution,
        actions: Actions,
        *,
        max_parallel: int,
        grace: float,
        on_progress: OnProgress | None,
        stopping: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._lease = lease
        self._plan = plan
        self._execution = execution
        self._actions = actions
        self._max_parallel = max_parallel
        self._grace = grace
        self._on_progress = on_progress
        self._threads: WorkerThreads[_Attempt] = WorkerThreads()
        self._stop = StopRequest(stopping, self._threads.wake)
        self._renewal = LeaseRenewal(lease.duration, _CANCELLATION_POLL)
        self._running: dict[StepKey, _Attempt] = {}
        self._cancelling = False
        self._concluded = False

    def run(self) -> None:
        """Execute until nothing is left to do, or until the runner is to stop.

        Raises:
            ExecutionBusy: another runner has taken the execution over.
            KeyboardInterrupt: Ctrl-C was pressed. The execution can be resumed.
        """
        try:
            with self._stop.interruptible():
                try:
                    self._execute()
                except KeyboardInterrupt:  # raised by a signal handler of the program's own
                    self._stop.interrupted = True
                self._leave()
        except BaseException as error:
            self._cancel_running()
            if isinstance(error, KeyboardInterrupt) and not self._concluded:  # a second one: there is no grace
                with suppress(Exception):  # the lease ends in any case
                    self._ledger.run(self._conclusion(stopped=True), retry_timeout=0)
            raise

    def _execute(self) -> None:
        while not self._stop() and not self._cancelling:
            self._advance()
            waiting = self._start_ready()
            if not self._running and not waiting:
                return
            self._collect(_POLL)
            self._check_clock()

    def _leave(self) -> None:
        """Give running steps time to end if the runner stops, and record the state of the execution."""
        stopped = self._stop()
        if stopped or self._cancelling:
            self._cancel_running()
            deadline = time.monotonic() + self._grace
            while self._running and time.monotonic() < deadline:
                self._collect(_POLL)
                self._check_clock()
            for attempt in self._running.values():
                self._threads.abandon(attempt)
            self._running.clear()
            self._advance()
        write(self._ledger, self._conclusion(stopped=stopped))
        self._concluded = True

    def _conclusion(self, *, stopped: bool) -> Callable[[UnitOfWork], None]:
        """Return the work of a transaction that records the state in which the runner leaves the execution."""
        left = any(row.item == WHOLE and row.state not in _DONE for row in self._plan.rows.values())
        state, error = ExecutionState.SUCCEEDED, None
        if self._cancelling:
            state = ExecutionState.CANCELLED
        elif stopped and self._plan.ready:
            state = ExecutionState.PENDING
        elif left:
            state, error = ExecutionState.FAILED, workflow_statements.failure_summary(self._plan.failed)
        return lambda uow: workflow_statements.conclude(uow._context, self._lease, state, error)

    def _cancel_running(self) -> None:
        for attempt in list(self._running.values()):
            attempt.context.give_up()

    # Steps that are ready.

    def _advance(self) -> None:
        """Settle the steps that need no action: skipped ones, lists whose items have ended, and those done before."""
        changed = True
        while changed and not self._cancelling:
            changed = any(self._settle(name) for name in list(self._plan.ready))

    def _settle(self, name: str) -> bool:
        plan, row = self._plan, self._plan.step(name)
        if row.state in _DONE:
            plan.mark_done(name)
            return True
        if row.state is StepState.FAILED:
            plan.mark_failed(name)
            return False
        try:
            if row.state is StepState.PENDING and row.not_before is None:
                if plan.is_skipped(name):
                    self._finish(row, StepState.SKIPPED)
                    return True
                if plan.definition_of(name).for_each is not None:
                    self._expand(row, len(plan.values(name)))
                    return True
        except InvalidInput as error:
            self._finish(row, StepState.FAILED, error=error_text(error))
            return True
        if row.state is StepState.RUNNING and row.items is not None:
            states = {item.state for item in plan.items(name)}
            if states <= {StepState.SUCCEEDED}:
                self._finish(row, StepState.SUCCEEDED)
                return True
            if not states & {StepState.PENDING, StepState.RUNNING}:
                failed = sum(item.state is not StepState.SUCCEEDED for item in plan.items(name))
                self._finish(row, StepState.FAILED, error=f"{failed} of {len(plan.items(name))} items failed")
                return True
        return False

    def _start_ready(self) -> bool:
        """Start the steps that may start. Return whether another one waits for its time or for a thread."""
        starting: list[tuple[WorkflowStep, Any, Any]] = []
        waiting = False
        now = self._now()
        for row in self._candidates():
            if row.not_before is not None and row.not_before > now:
                waiting = True
                continue
            if len(self._running) + len(starting) >= self._max_parallel:
                waiting = True
                break
            try:
                step_input, argument = self._plan.resolve(row)
            except InvalidInput as error:
                self._finish(row, StepState.FAILED, error=error_text(error))
                waiting = True
                continue
            starting.append((row, step_input, argument))
        if starting:
            inputs = [(row, step_input) for row, step_input, _ in starting]
            self._note_cancellation(
                write(self._ledger, lambda uow: workflow_statements.start_steps(uow._context, self._lease, inputs))
            )
            if not self._cancelling:
                for row, step_input, argument in starting:
                    self._start(row, step_input, argument, now)
        return waiting

    def _candidates(self) -> list[WorkflowStep]:
        found: list[WorkflowStep] = []
        for name in self._plan.ready:
            row = self._plan.step(name)
            if row.items is None:
                found += [row] if row.state is StepState.PENDING else []
                continue
            items = self._plan.items(name)
            limit = self._plan.definition_of(name).max_parallel
            running = sum(item.state is StepState.RUNNING for item in items)
            pending = [item for item in items if item.state is StepState.PENDING]
            found += pending if limit is None else pending[: max(0, limit - running)]
        return found

    def _start(self, row: WorkflowStep, step_input: Any, argument: Any, now: datetime) -> None:
        row = row.model_copy(
            update={"state": StepState.RUNNING, "attempt": row.attempt + 1, "input": step_input, "started_at": now}
        )
        context = StepContext(self._execution, row, self._plan.value_of(row))
        limit = self._plan.definition_of(row.step).timeout
        attempt = _Attempt(row, argument, context, None if limit is None else time.monotonic() + limit)
        self._running[attempt.key] = attempt
        self._note(row)
        self._threads.start(self._perform, attempt, f"{row.step}-{row.item}")

    # In the thread of a step.

    def _perform(self, attempt: _Attempt) -> None:
        """Make the attempt and record how it ends. Raises if another runner has taken the execution over."""
        row, context = attempt.row, attempt.context
        try:
            output = self._actions.perform(self._plan.definition_of(row.step), attempt.argument, context)
            encode_json(output, "output")
            record_success(self._ledger, self._lease, row, context, output)
        except AttemptAbandoned:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is the error of the step
            self._fail(row, error, cancelled=context.cancelled)

    def _fail(self, row: WorkflowStep, error: BaseException, *, cancelled: bool) -> None:
        if cancelled and (self._cancelling or self._stop() or isinstance(error, StepCancelled)):
            return  # the executor's own thread decides what becomes of it
        record_failure(self._ledger, self._lease, self._plan.definition_of(row.step), row, error, self._now())

    # In the thread of the executor.

    def _collect(self, seconds: float) -> None:
        """Wait until an attempt has ended, and read how."""
        for finished in self._threads.wait(seconds):
            if finished.error is not None:
                raise finished.error
            self._forget(finished.item)

    def _forget(self, attempt: _Attempt) -> None:
        self._threads.abandon(attempt)
        del self._running[attempt.key]
        self._refresh(attempt.key)

    def _check_clock(self) -> None:
        now = time.monotonic()
        for attempt in list(self._running.values()):
            if attempt.deadline is not None and now >= attempt.deadline:
                limit = self._plan.definition_of(attempt.row.step).timeout
                self._fail(attempt.row, TimeoutError(f"took longer than {limit:g} seconds"), cancelled=False)
                attempt.context.give_up()
                self._forget(attempt)
        if self._renewal.is_due(now):
            self._note_cancellation(
                write(self._ledger, lambda uow: workflow_statements.renew(uow._context, self._lease))
            )
            self._renewal.renewed()

    def _note_cancellation(self, requested: bool) -> None:
        self._cancelling = self._cancelling or requested

    def _finish(self, row: WorkflowStep, state: StepState, **values: Any) -> None:
        write(self._ledger, lambda uow: workflow_statements.finish(uow._context, self._lease, row, state, **values))
        self._refresh((row.step, row.item))

    def _expand(self, row: WorkflowStep, number: int) -> None:
        self._note_cancellation(
            write(self._ledger, lambda uow: workflow_statements.expand(uow._context, self._lease, row, number))
        )
        for one in read(
            self._ledger, lambda uow: workflow_statements.steps_of(uow._context, row.execution_id, row.step)
        ):
            self._plan.rows[one.step, one.item] = one
        self._note(self._plan.step(row.step))

    def _refresh(self, key: StepKey) -> None:
        self._note(
            read(self._ledger, lambda uow: workflow_statements.step_at(uow._context, self._lease.execution_id, *key))
        )

    def _note(self, row: WorkflowStep) -> None:
        self._plan.rows[row.step, row.item] = row
        if self._on_progress is not None:
            self._on_progress(row)

    def _now(self) -> datetime:
        return self._ledger.clock()


_DONE = (StepState.SUCCEEDED, StepState.SKIPPED)
