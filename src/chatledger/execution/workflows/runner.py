"""Runners: they take an execution up under a lease and execute it, steps that are ready in parallel."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from chatledger.callbacks import callback, required_callback
from chatledger.errors import InvalidInput
from chatledger.execution.workflows.actions import Actions, Await, Responder, awaited
from chatledger.execution.workflows.builder import Workflow
from chatledger.execution.workflows.executor import Drive, Progress
from chatledger.execution.workflows.plan import Plan
from chatledger.schemas.execution import WorkflowExecution
from chatledger.schemas.fields import flags, whole
from chatledger.schemas.workflow import WorkflowDefinition
from chatledger.services.workflows import statements as workflow_statements
from chatledger.transactions import Transactions

R = TypeVar("R")


class Runner:
    """Executes workflows in threads.

        runner = Runner(ledger, flow)
        execution = runner.run(flow, {"text": "…"})

    `functions` are what `uses` names: a mapping, or a `Workflow` built in Python; others are imported as
    `module:function`. `responder` answers prompts. `lease` is after how many seconds another runner may take up what a
    dead one left; it is moved on while the runner lives. `grace` is how many seconds running steps are given when the
    runner stops. `progress` is told of every step that begins or ends, in the runner's thread.

    Any number of runners may be at work, in threads, processes and machines; an execution belongs to one at a time.
    """

    def __init__(
        self,
        ledger: Transactions,
        functions: Mapping[str, Callable[..., Any]] | Workflow | None = None,
        *,
        responder: Responder | None = None,
        max_parallel: int = 8,
        lease: float = 60.0,
        grace: float = 10.0,
        progress: Progress | None = None,
        stopping: Callable[[], bool] = lambda: False,
        wait: Await = awaited,
    ) -> None:
        _seconds(lease, "lease")
        if grace != 0:
            _seconds(grace, "grace")
        self._ledger = ledger
        self._functions = functions.functions if isinstance(functions, Workflow) else dict(functions or {})
        self._responder = responder
        self._max_parallel = whole(max_parallel, "max_parallel", least=1, most=1000)
        self._lease = timedelta(seconds=lease)
        self._grace = grace
        self._progress = callback(progress, "progress")
        self._stopping = required_callback(stopping, "stopping")
        self._wait = wait

    def run(
        self,
        workflow: Workflow | WorkflowDefinition | str,
        input: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        user_id: str | None = None,
        execution_id: str | None = None,
    ) -> WorkflowExecution:
        """Begin an execution of a workflow, by name or as it is (it is defined then), and execute it; how it stands then.

        Raises:
            WorkflowNotFound, InvalidInput, Conflict: as `uow.workflows.start`.
            ExecutionBusy: another runner has taken it over.
        """
        if isinstance(workflow, Workflow):
            self._functions |= workflow.functions
        definition = workflow.definition if isinstance(workflow, Workflow) else workflow

        def start(uow: Any) -> WorkflowExecution:
            name = definition if isinstance(definition, str) else uow.workflows.define(definition, user_id=user_id).name
            begun: WorkflowExecution = uow.workflows.start(
                name, input, version=version, user_id=user_id, execution_id=execution_id
            )
            self._require(begun)
            return begun

        return self.resume(self._ledger.run(start).execution_id)

    def resume(self, execution_id: str, *, take_over: bool = False) -> WorkflowExecution:
        """Go on with an execution: what has succeeded is not done again. One that has ended is given back as it is.

        `take_over` does not wait for another runner's lease: for those who know that it is dead. What a living one still
        finishes is refused then.

        Raises:
            ExecutionNotFound: no such one, or it belongs to another user.
            ExecutionBusy: another runner holds it, or has taken it over.
            InvalidInput: a step's function is not known.
        """
        flags(take_over=take_over)
        with self._ledger.read() as uow:
            self._require(uow.workflows.execution(execution_id))
        runner = f"{socket.gethostname()}:{os.getpid()}"[:255]
        hold, execution = self._ledger.run(
            lambda uow: workflow_statements.take(uow._context, execution_id, runner, self._lease, take_over=take_over)
        )
        if hold is not None:
            self._drive(hold, execution)
        with self._ledger.read() as uow:
            return uow.workflows.execution(execution_id)

    def _drive(self, hold: workflow_statements.Hold, execution: WorkflowExecution) -> None:
        with self._ledger.read() as uow:
            plan = Plan(execution, uow.workflows.steps(execution.execution_id))
        drive = Drive(
            self._ledger, hold, plan, execution, self._actions(), max_parallel=self._max_parallel, grace=self._grace,
            progress=self._progress, stopping=self._stopping,
        )  # fmt: skip
        try:
            drive.go()
        except KeyboardInterrupt:
            drive.interrupted()
            raise

    def _require(self, execution: WorkflowExecution) -> None:
        if execution.state in workflow_statements.ENDED:
            return
        actions = self._actions()
        for name, step in execution.definition.steps.items():
            actions.require(name, step)

    def _actions(self) -> Actions:
        return Actions(self._functions, self._responder, self._wait)


def _seconds(given: Any, field: str) -> None:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= 86400:
        raise InvalidInput(field, "must be a number of seconds, up to a day")
