"""How far an execution is, on a bar."""

from __future__ import annotations

import time
from collections.abc import Iterable

from chatledger.backup.progress import Progress
from chatledger.enums import StepState
from chatledger.schemas.execution import WorkflowStep
from chatledger.services.workflows.statements import WHOLE

_ENDED = (StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED)
# Steps at work that are named; the others are counted.
_NAMED = 3
# Seconds between two showings: there may be thousands of steps.
_PAUSE = 0.1


class StepsShown:
    """Told of steps that begin or end, it tells a bar how many have ended of those that are known so far."""

    def __init__(self, on_progress: Progress, steps: Iterable[WorkflowStep]) -> None:
        self._on_progress = on_progress
        self._known: dict[tuple[str, int], StepState] = {}
        self._next = 0.0
        for step in steps:
            self._note(step)

    def __call__(self, step: WorkflowStep) -> None:
        self._note(step)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PAUSE
            self._on_progress(self._message(), sum(state in _ENDED for state in self._known.values()), len(self._known))

    def _note(self, step: WorkflowStep) -> None:
        if step.items is None:
            self._known[step.step, step.item] = step.state
            return
        # A step with a list is at work as long as its items are: they are counted, and it is not.
        self._known.pop((step.step, WHOLE), None)
        for place in range(step.items):
            self._known.setdefault((step.step, place), StepState.PENDING)

    def _message(self) -> str:
        running = [place for place, state in self._known.items() if state is StepState.RUNNING]
        names = [name if item == WHOLE else f"{name} {item}" for name, item in running[:_NAMED]]
        more = len(running) - len(names)
        failed = sum(state is StepState.FAILED for state in self._known.values())
        parts = [", ".join(names) + (f" and {more} more" if more else ""), f"{failed} failed" if failed else ""]
        return " · ".join(filter(None, parts))
