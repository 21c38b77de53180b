"""Working on a batch with threads."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Any

from chatledger.callbacks import callback, is_async, is_generator, plain
from chatledger.errors import InvalidInput
from chatledger.execution.batches.outcomes import GiveUp
from chatledger.execution.batches.run import Run
from chatledger.execution.batches.steps import Begin, Ended, How, Step, Transact, Wait
from chatledger.ids import new_id
from chatledger.schemas import BatchItem, BatchProgress
from chatledger.schemas.fields import called, identifier, whole
from chatledger.services.batches.arguments import said
from chatledger.transactions import Transactions

_MOST = 1000


def run_in_threads(
    ledger: Transactions,
    worker: Callable[[BatchItem], Any],
    stopping: Callable[[], bool] | None,
    **how: Any,
) -> BatchProgress:
    """Work on a job in threads, until nothing is left to do or it is told to stop."""
    if is_async(worker):
        raise InvalidInput("worker", "is async: run it with AsyncLedger")
    stopping = callback(stopping, "stopping")
    with _interrupts() as told:
        asked_for = asked(worker=worker, stopping=lambda: told.now or _asks(stopping), **how)
        done = _Threads(ledger, worker, told).run(Run(asked_for))
    if told.now:
        raise KeyboardInterrupt
    return done


def asked(
    job_id: str,
    worker: Callable[..., Any],
    concurrency: int,
    lease: timedelta | float,
    name: str | None,
    grace: float,
    progress: Callable[[BatchProgress], object] | None,
    stopping: Callable[[], bool],
) -> How:
    """What a run is asked for.

    Raises:
        InvalidInput: an argument that is none.
    """
    if not callable(worker):
        raise InvalidInput("worker", "must be a function that takes an item")
    if is_generator(worker):
        raise InvalidInput("worker", "is a generator function, of which calling runs nothing: return the result")
    return How(
        job_id=identifier(job_id, "job_id"),
        worker=called(name, "name") if name is not None else own_name(),
        concurrency=whole(concurrency, "concurrency", 1, _MOST),
        lease=_seconds(lease, "lease", least=0.05),
        grace=_seconds(grace, "grace", least=0.0).total_seconds(),
        stopping=stopping,
        progress=callback(progress, "progress"),
    )


def own_name() -> str:
    """Who works, for people who look at an item: the machine, the process, and which run in it."""
    return f"{socket.gethostname()[:200]}:{os.getpid()}:{new_id()[-6:]}"


def worked(worker: Callable[[BatchItem], Any], item: BatchItem) -> Ended:
    """What a worker makes of an item. Whatever it raises is the failure of that item, and of nothing else."""
    try:
        return Ended(item, worker(item))
    except StopIteration as error:  # which no future can hold
        return Ended(item, error=RuntimeError(f"StopIteration: {said(error)}"))
    except BaseException as error:  # noqa: BLE001 - as above
        return Ended(item, error=error)


class _Told:
    """Whether somebody has pressed Ctrl-C."""

    def __init__(self) -> None:
        self.now = False
        # What waits on it is woken. A signal handler may put to this kind of queue.
        self.ended: SimpleQueue[Ended | None] = SimpleQueue()


@contextmanager
def _interrupts() -> Iterator[_Told]:
    """Take note of the first Ctrl-C in place of raising it anywhere, where Python's own handler is in place."""
    told = _Told()
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or handler is not signal.default_int_handler:
        yield told
        return

    def note(number: int, frame: Any) -> None:
        if told.now:
            signal.default_int_handler(number, frame)
        told.now = True
        told.ended.put(None)

    signal.signal(signal.SIGINT, note)
    try:
        yield told
    finally:
        signal.signal(signal.SIGINT, handler)


class _Threads:
    """Does what a run's course says, with a thread for each item."""

    def __init__(self, ledger: Transactions, worker: Callable[[BatchItem], Any], told: _Told) -> None:
        self._ledger = ledger
        self._worker = worker
        self._told = told

    def run(self, run: Run) -> BatchProgress:
        course = run.course()
        answer: Any = None
        failure: Exception | None = None
        try:
            while True:
                try:
                    step = course.send(answer) if failure is None else course.throw(failure)
                except StopIteration as end:
                    done: BatchProgress = end.value
                    return done
                answer = failure = None
                try:
                    answer = self._do(step)
                except Exception as error:  # noqa: BLE001 - the course says what is to become of it
                    failure = error
        except BaseException:
            if run.held:
                with suppress(Exception):  # they come back when their lease ends
                    self._ledger.run(run.give_back)
            raise

    def _do(self, step: Step) -> Any:
        if isinstance(step, Transact):
            if not step.reading:
                return self._ledger.run(step.act)
            with self._ledger.read() as uow:
                return step.act(uow)
        if isinstance(step, Begin):
            # A daemon: a worker that never returns does not keep the process alive.
            threading.Thread(target=self._work, args=(step.item,), name="chatledger batch", daemon=True).start()
        elif isinstance(step, Wait):
            return self._wait(step.seconds)
        return None

    def _work(self, item: BatchItem) -> None:
        ended = worked(self._worker, item)
        try:
            plain(ended.value, "worker")
        except InvalidInput as error:  # a function that returns a coroutine: trying again would not help
            ended = Ended(item, error=GiveUp(str(error), kind="InvalidInput"))
        self._told.ended.put(ended)

    def _wait(self, seconds: float) -> list[Ended]:
        found: list[Ended] = []
        with suppress(Empty):
            one = self._told.ended.get(timeout=seconds) if seconds > 0 else self._told.ended.get_nowait()
            while True:
                if one is not None:
                    found.append(one)
                one = self._told.ended.get_nowait()
        return found


def _asks(stopping: Callable[[], bool] | None) -> bool:
    return stopping is not None and stopping()


def _seconds(given: Any, field: str, *, least: float) -> timedelta:
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not least <= seconds <= 86400 * 30:
        raise InvalidInput(field, f"must be a timedelta or a number of seconds, from {least:g} to 30 days")
    return timedelta(seconds=seconds)
