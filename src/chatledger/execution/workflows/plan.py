"""What is to be done next, from the definition and what has been done. Reads nothing and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import TopologicalSorter
from typing import Any

from chatledger.dialects.encoding import encode_json
from chatledger.enums import StepState
from chatledger.errors import InvalidInput
from chatledger.schemas.execution import WorkflowExecution, WorkflowStep
from chatledger.schemas.references import resolved
from chatledger.schemas.workflow import MAX_ITEMS, Condition, StepDefinition
from chatledger.services.workflows.statements import WHOLE

#: A step and the place in its list.
Place = tuple[str, int]


class Plan:
    """The steps of an execution as they stand."""

    def __init__(self, execution: WorkflowExecution, steps: Iterable[WorkflowStep]) -> None:
        self.definition = execution.definition
        self.rows: dict[Place, WorkflowStep] = {(step.step, step.item): step for step in steps}
        self.lists: dict[str, list[Any]] = {}
        self.failed: set[str] = set()
        self._input = execution.input
        self._graph = self.definition.graph()
        self._sorter = TopologicalSorter(self._graph)
        self._sorter.prepare()
        #: Steps whose turn has come and that have not ended.
        self.ready: list[str] = []
        self._outputs: dict[str, Any] = {}
        self._take()

    def step(self, name: str) -> WorkflowStep:
        return self.rows[name, WHOLE]

    def about(self, name: str) -> StepDefinition:
        return self.definition.steps[name]

    def items(self, name: str) -> list[WorkflowStep]:
        """The items of a step's list."""
        return [self.rows[name, place] for place in range(self.step(name).items or 0)]

    def ended(self, name: str) -> None:
        """A step has succeeded or was skipped: what waits for it may have its turn."""
        self.ready.remove(name)
        self._sorter.done(name)
        self._take()

    def gave_up(self, name: str) -> None:
        """A step has failed for good: what waits for it never has its turn."""
        self.ready.remove(name)
        self.failed.add(name)

    def skips(self, name: str) -> bool:
        """Whether a step is not to be done.

        Raises:
            InvalidInput: its condition cannot be looked up.
        """
        about = self.about(name)
        before = [self.step(needed).state for needed in self._graph[name]]
        if not about.accept_skipped and StepState.SKIPPED in before:
            return True
        return about.when is not None and not self._holds(about.when, f"steps.{name}.when")

    def listed(self, name: str) -> list[Any]:
        """The list that a step goes over.

        Raises:
            InvalidInput: it cannot be looked up, is no list, or is too long.
        """
        if name not in self.lists:
            field = f"steps.{name}.for_each"
            found = resolved(self.about(name).for_each, self._scope(), field)
            if not isinstance(found, list):
                raise InvalidInput(field, "is not a list")
            if len(found) > MAX_ITEMS:
                raise InvalidInput(field, f"has more than {MAX_ITEMS} items")
            self.lists[name] = found
        return self.lists[name]

    def given(self, row: WorkflowStep) -> tuple[dict[str, Any], Any]:
        """The input of a step, and its command or question.

        Raises:
            InvalidInput: a reference leads nowhere.
        """
        about, scope = self.about(row.step), self._scope()
        if row.item != WHOLE:
            scope |= {"item": self.listed(row.step)[row.item], "index": row.item}
        field = f"steps.{row.step}"
        told = resolved(about.exec if about.exec is not None else about.prompt, scope, field)
        if isinstance(told, list):
            told = [part if isinstance(part, str) else encode_json(part, field) for part in told]
        elif told is not None and not isinstance(told, str):
            raise InvalidInput(f"{field}.prompt", "is not text")
        return resolved(about.with_, scope, f"{field}.with"), told

    def item_of(self, row: WorkflowStep) -> Any:
        return None if row.item == WHOLE else self.listed(row.step)[row.item]

    def _take(self) -> None:
        self.ready += self._sorter.get_ready()

    def _scope(self) -> dict[str, Any]:
        for name in self.definition.steps:
            row = self.step(name)
            if name not in self._outputs and row.state in (StepState.SUCCEEDED, StepState.SKIPPED):
                listed = row.items is not None and row.state is StepState.SUCCEEDED
                self._outputs[name] = [one.output for one in self.items(name)] if listed else row.output
        return {"input": self._input, **{name: {"output": output} for name, output in self._outputs.items()}}

    def _holds(self, condition: Condition, field: str) -> bool:
        if condition.all is not None:
            return all(self._holds(part, field) for part in condition.all)
        if condition.any is not None:
            return any(self._holds(part, field) for part in condition.any)
        if condition.not_ is not None:
            return not self._holds(condition.not_, field)
        value = resolved(condition.ref, self._scope(), field)
        if condition.one_of is not None:
            return any(_same(value, one) for one in condition.one_of)
        if condition.truthy is not None:
            return bool(value) is condition.truthy
        return _same(value, condition.equals)


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: in JSON, unlike Python, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return bool(one == other)
