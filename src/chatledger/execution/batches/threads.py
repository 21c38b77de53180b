"""Running a batch with a thread for each item."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from chatledger.callbacks import callback, is_async, plain
from chatledger.errors import InvalidInput
from chatledger.execution.batches.options import run_options
from chatledger.execution.batches.outcomes import GiveUp
from chatledger.execution.batches.run import Run
from chatledger.execution.batches.steps import AbandonItem, StartItem, Step, Transact, Wait
from chatledger.execution.stopping import StopRequest
from chatledger.execution.workers import WorkerThreads
from chatledger.schemas import BatchItem, BatchProgress
from chatledger.transactions import Transactions

THREAD_NAME = "chatledger batch"
"""Of the threads, for people who look at a process."""


def run_in_threads(
    ledger: Transactions,
    worker: Callable[[BatchItem], Any],
    stopping: Callable[[], bool] | None,
    **options: Any,
) -> BatchProgress:
    """Work on a job in threads, until nothing is left to do or the run is to stop."""
    if is_async(worker):
        raise InvalidInput("worker", "is async: run it with AsyncLedger")
    threads: WorkerThreads[BatchItem] = WorkerThreads()
    stop = StopRequest(callback(stopping, "stopping"), threads.wake)
    run = Run(run_options(worker, stop, **options))
    with stop.interruptible():
        return _Driver(ledger, worker, threads).drive(run)


class _Driver:
    """Does what the steps of a run ask for."""

    def __init__(
        self, ledger: Transactions, worker: Callable[[BatchItem], Any], threads: WorkerThreads[BatchItem]
    ) -> None:
        self._ledger = ledger
        self._worker = worker
        self._threads = threads

    def drive(self, run: Run) -> BatchProgress:
        steps = run.steps()
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._do(step)
                except Exception as error:  # noqa: BLE001 - the run decides whether to go on
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            progress: BatchProgress = end.value
            return progress
        except BaseException:
            if run.held:
                with suppress(Exception):  # their leases end in any case
                    self._ledger.run(run.give_back, retry_timeout=0)
            raise

    def _do(self, step: Step) -> Any:
        if isinstance(step, Transact):
            return step.run(self._ledger)
        if isinstance(step, Wait):
            return self._threads.wait(step.seconds)
        if isinstance(step, StartItem):
            self._threads.start(self._work, step.item, THREAD_NAME)
        elif isinstance(step, AbandonItem):
            self._threads.abandon(step.item)
        return None

    def _work(self, item: BatchItem) -> Any:
        result = self._worker(item)
        try:
            return plain(result, "worker")
        except InvalidInput as error:  # a plain function that returns a coroutine: another attempt would not help
            raise GiveUp(str(error), kind="InvalidInput") from None
