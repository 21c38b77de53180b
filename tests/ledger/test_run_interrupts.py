"""Ctrl-C in the main thread: batches and workflows end in the same way."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.workflows import Runner, Workflow

GRACE = 30.0
"""How long a run may wait for its workers; a second Ctrl-C must not take that long."""


def run_batch(ledger: Ledger, worker: Callable[[Any], Any]) -> None:
    with ledger.begin() as uow:
        uow.batches.create("job", [{"key": "a"}])
    ledger.run_batch("job", worker, grace=GRACE)


def run_workflow(ledger: Ledger, worker: Callable[[Any], Any]) -> None:
    Runner(ledger, grace=GRACE).run(Workflow("flow").step("a", worker), execution_id="e")


def state_of(ledger: Ledger) -> str:
    """The state of the item or of the execution, whichever there is."""
    with ledger.read() as uow:
        if executions := uow.workflows.executions().items:
            assert executions[0].lease_until is None
            return str(executions[0].state)
        return str(uow.batches.item("job", "a").status)


RUNS = pytest.mark.parametrize("run", [run_batch, run_workflow])


@pytest.fixture
def end() -> Iterator[threading.Event]:
    """Set at the end of a test, for workers that hang until then."""
    event = threading.Event()
    yield event
    event.set()


@RUNS
def test_work_that_ends_within_the_grace_is_recorded(ledger: Ledger, run: Callable[..., None]) -> None:
    def worker(_: Any) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        return 1

    with pytest.raises(KeyboardInterrupt):
        run(ledger, worker)
    assert state_of(ledger) in ("done", "succeeded")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@RUNS
def test_a_second_one_ends_the_run_at_once_and_gives_back_what_is_running(
    ledger: Ledger, run: Callable[..., None], end: threading.Event
) -> None:
    def worker(_: Any) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)
        end.wait(GRACE)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(ledger, worker)
    assert time.monotonic() - began < GRACE / 2
    assert state_of(ledger) in ("waiting", "pending")


@RUNS
def test_a_handler_of_the_program_is_left_in_place(ledger: Ledger, run: Callable[..., None]) -> None:
    signals: list[int] = []

    def worker(_: Any) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return 1

    before = signal.signal(signal.SIGINT, lambda number, _: signals.append(number))
    try:
        run(ledger, worker)
    finally:
        signal.signal(signal.SIGINT, before)
    assert [signal.SIGINT] == signals
    assert state_of(ledger) in ("done", "succeeded")
