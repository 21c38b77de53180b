"""Runners: they acquire an execution under a lease and execute it, steps that are ready in parallel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from chatledger.callbacks import callback, required_callback
from chatledger.errors import InvalidInput
from chatledger.execution.workers import process_name
from chatledger.execution.workflows.actions import Actions, Await, Responder, run_coroutine
from chatledger.execution.workflows.builder import Workflow
from chatledger.execution.workflows.executor import Executor, OnProgress
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

    `functions` are the functions that `uses` names: a mapping, or a `Workflow` built in Python; others are imported as
    `module:function`. `responder` answers prompts. `lease` is the number of seconds after which another runner may take
    over the execution of one that died; it is renewed while the runner lives. `grace` is the number of seconds that
    running steps are given when the runner stops: when `stopping` returns True, and at Ctrl-C in the main thread, which
    is raised in the end; a second one raises at once. `progress` is called in the runner's thread with every step that
    starts or ends.

    Any number of runners may run, in threads, processes and machines; an execution belongs to one at a time.
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
        progress: OnProgress | None = None,
        stopping: Callable[[], bool] = lambda: False,
        wait: Await = run_coroutine,
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
        self._on_progress = callback(progress, "progress")
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
        """Start an execution of a workflow, given by name or as a definition (which is stored), and execute it.

        Return the execution as it is then.

        Raises:
            WorkflowNotFound, InvalidInput, Conflict: as `uow.workflows.start`.
            ExecutionBusy: another runner has taken it over.
        """
        if isinstance(workflow, Workflow):
            self._functions |= workflow.functions
        definition = workflow.definition if isinstance(workflow, Workflow) else workflow

        def start(uow: Any) -> WorkflowExecution:
            name = definition if isinstance(definition, str) else uow.workflows.define(definition, user_id=user_id).name
            execution: WorkflowExecution = uow.workflows.start(
                name, input, version=version, user_id=user_id, execution_id=execution_id
            )
            self._require(execution)
            return execution

        return self.resume(self._ledger.run(start).execution_id)

    def resume(self, execution_id: str, *, take_over: bool = False) -> WorkflowExecution:
        """Resume an execution: steps that have succeeded are not repeated. One that has ended is returned as it is.

        `take_over=True` ignores the lease of another runner. Use it if you know that the runner is dead: if it is not,
        what it still finishes is refused.

        Raises:
            ExecutionNotFound: no such execution, or it belongs to another user.
            ExecutionBusy: another runner holds it, or has taken it over.
            InvalidInput: a step's function is unknown.
        """
        flags(take_over=take_over)
        with self._ledger.read() as uow:
            self._require(uow.workflows.execution(execution_id))
        runner, duration = process_name(), self._lease
        lease, execution = self._ledger.run(
            lambda uow: workflow_statements.acquire(uow._context, execution_id, runner, duration, take_over=take_over)
        )
        if lease is not None:
            self._execute(lease, execution)
        with self._ledger.read() as uow:
            return uow.workflows.execution(execution_id)

    def _execute(self, lease: workflow_statements.ExecutionLease, execution: WorkflowExecution) -> None:
        with self._ledger.read() as uow:
            plan = Plan(execution, uow.workflows.steps(execution.execution_id))
        executor = Executor(
            self._ledger, lease, plan, execution, self._actions(), max_parallel=self._max_parallel, grace=self._grace,
            on_progress=self._on_progress, stopping=self._stopping,
        )  # fmt: skip
        executor.run()

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
