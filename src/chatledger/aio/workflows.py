"""Running workflows from async code: steps that are coroutines are tasks of the caller's event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from chatledger.aio.bridge import call_in_thread, result_of
from chatledger.aio.user_ledger import AsyncUserLedger
from chatledger.aio.worker_tasks import await_worker
from chatledger.execution.workflows.builder import Workflow
from chatledger.execution.workflows.context import StepCancelled, StepContext
from chatledger.execution.workflows.runner import Runner
from chatledger.schemas.execution import WorkflowExecution
from chatledger.schemas.workflow import WorkflowDefinition

R = TypeVar("R")


class AsyncRunner:
    """`Runner` on an `AsyncLedger`: functions may be coroutines, which are tasks of the caller's event loop.

    Functions that are not coroutines run in threads. A cancelled `run` gives running steps their `grace`, and leaves
    the execution pending, so that it can be resumed.
    """

    def __init__(
        self,
        ledger: AsyncUserLedger,
        functions: Mapping[str, Callable[..., Any]] | Workflow | None = None,
        **options: Any,
    ) -> None:
        self._ledger = ledger
        self._functions = functions
        self._options = options

    async def run(
        self,
        workflow: Workflow | WorkflowDefinition | str,
        input: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        user_id: str | None = None,
        execution_id: str | None = None,
    ) -> WorkflowExecution:
        """See `Runner.run`."""
        more: dict[str, Any] = {"version": version, "user_id": user_id, "execution_id": execution_id}
        return await self._call(lambda runner: runner.run(workflow, input, **more))

    async def resume(self, execution_id: str, *, take_over: bool = False) -> WorkflowExecution:
        """See `Runner.resume`."""
        return await self._call(lambda runner: runner.resume(execution_id, take_over=take_over))

    async def _call(self, method: Callable[[Runner], R]) -> R:
        loop = asyncio.get_running_loop()
        stopping = threading.Event()

        def wait(coroutine: Coroutine[Any, Any, Any], context: StepContext) -> Any:
            future = asyncio.run_coroutine_threadsafe(await_worker(coroutine, context), loop)
            while True:
                try:
                    finished = future.result(0.1)
                    break
                except TimeoutError:
                    if context.cancelled:
                        future.cancel()
                        raise StepCancelled from None
            if finished.error is not None:
                raise finished.error
            return finished.value

        def work() -> R:
            runner = Runner(
                self._ledger._synchronous(), self._functions, stopping=stopping.is_set, wait=wait, **self._options
            )
            return method(runner)

        # A thread of its own. The ledger's threads are for transactions, which are short; and if runners held all of the
        # loop's threads, a step that uses one (`asyncio.to_thread`) would wait for ever.
        return await result_of(call_in_thread(work, "chatledger workflow"), stopping.set)
