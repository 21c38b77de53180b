"""A sweeper in the main thread is stopped from a signal handler, which may come between any two of its steps."""

from __future__ import annotations

import signal
import sys
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from chatledger import SweepReport
from chatledger.ledger.sweeper import Sweeper

REPORT = SweepReport(
    now=datetime(2026, 5, 1, tzinfo=UTC), dry_run=False, warned=0, idled=0, archived=0, failed=0, sessions=(),
    failures=(),
)  # fmt: skip


@pytest.mark.timeout(60)  # it hung, once
def test_a_signal_stops_it_at_whatever_step() -> None:
    steps = steps_of(at=0, patience=0.2)
    assert steps > 10
    assert [] == [step for step in range(1, steps + 1) if steps_of(at=step, patience=10) > steps + 100]


def steps_of(at: int, patience: float) -> int:
    """Run one with a signal that stops it at a step; how many steps there were until it ended, or else waited."""
    sweeper = Sweeper(lambda: REPORT, 3600)
    before = signal.signal(signal.SIGUSR1, lambda *_: sweeper.stop())
    steps = waited_at = 0

    def profile(*_: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == at:
            signal.raise_signal(signal.SIGUSR1)

    def give_up() -> None:
        nonlocal waited_at
        waited_at = steps if at == 0 else sys.maxsize
        sweeper.stop()

    watchdog = threading.Timer(patience, give_up)
    watchdog.start()
    try:
        sys.setprofile(profile)
        sweeper.run()
    finally:
        sys.setprofile(None)
        signal.signal(signal.SIGUSR1, before)
        watchdog.cancel()
    return waited_at or steps
