"""Running workflows, awaited: steps that are coroutines are tasks of the caller's event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from chatledger.aio.bridge import call_in_thread, result_of
from chatledger.aio.user_ledger import AsyncUserLedger
from chatledger.execution.workflows.actions import StepFailed
from chatledger.execution.workflows.builder import Workflow
from chatledger.execution.workflows.context import StepCancelled, StepContext
from chatledger.execution.workflows.runner import Runner
from chatledger.schemas.execution import WorkflowExecution
from chatledger.schemas.workflow import WorkflowDefinition

R = TypeVar("R")


class AsyncRunner:
    """`Runner` on an `AsyncLedger`: functions may be coroutines, which are tasks of the caller's event loop.

    Functions that are not run in threads. A cancelled `run` gives running steps their time, and leaves the execution to
    be gone on with.
    """

    def __init__(
        self,
        ledger: AsyncUserLedger,
        functions: Mapping[str, Callable[..., Any]] | Workflow | None = None,
        **how: Any,
    ) -> None:
        self._ledger = ledger
        self._functions = functions
        self._how = how

    async def run(
        self,
        workflow: Workflow | WorkflowDefinition | str,
        input: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        user_id: str | None = None,
        execution_id: str | None = None,
    ) -> WorkflowExecution:
        """As `Runner.run`."""
        more: dict[str, Any] = {"version": version, "user_id": user_id, "execution_id": execution_id}
        return await self._within(lambda runner: runner.run(workflow, input, **more))

    async def resume(self, execution_id: str, *, take_over: bool = False) -> WorkflowExecution:
        """As `Runner.resume`."""
        return await self._within(lambda runner: runner.resume(execution_id, take_over=take_over))

    async def _within(self, act: Callable[[Runner], R]) -> R:
        loop = asyncio.get_running_loop()
        stopping = threading.Event()

        def wait(coroutine: Coroutine[Any, Any, Any], context: StepContext) -> Any:
            future = asyncio.run_coroutine_threadsafe(_within_loop(coroutine), loop)
            while True:
                with suppress(TimeoutError):
                    return future.result(0.1)
                if future.done():  # the coroutine's own TimeoutError
                    return future.result()
                if context.cancelled:
                    future.cancel()
                    raise StepCancelled

        def work() -> R:
            runner = Runner(
                self._ledger._synchronous(), self._functions, stopping=stopping.is_set, wait=wait, **self._how
            )
            return act(runner)

        # A thread of its own: the ledger's are for transactions, which are short, and the loop's may be waited for by
        # a step (`asyncio.to_thread`), which would wait for ever while runners hold all of them.
        return await result_of(call_in_thread(work, "chatledger workflow"), stopping.set)


async def _within_loop(coroutine: Coroutine[Any, Any, R]) -> R:
    try:
        return await coroutine
    except SystemExit as error:  # which would end the caller's loop
        raise StepFailed(f"SystemExit: {error}") from error
