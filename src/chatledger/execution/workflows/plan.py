"""Which steps are ready, from the definition and the states of the steps. Reads and writes nothing."""

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

StepKey = tuple[str, int]
"""The name of a step, and the index of an item in its list."""


class Plan:
    """The steps of an execution with their states."""

    def __init__(self, execution: WorkflowExecution, steps: Iterable[WorkflowStep]) -> None:
        self.definition = execution.definition
        self.rows: dict[StepKey, WorkflowStep] = {(step.step, step.item): step for step in steps}
        self.failed: set[str] = set()
        self._values: dict[str, list[Any]] = {}
        self._input = execution.input
        self._graph = self.definition.graph()
        self._sorter = TopologicalSorter(self._graph)
        self._sorter.prepare()
        self.ready: list[str] = []
        """Steps of which all that they need is done, and that have not ended."""
        self._outputs: dict[str, Any] = {}
        self._add_ready()

    def step(self, name: str) -> WorkflowStep:
        return self.rows[name, WHOLE]

    def definition_of(self, name: str) -> StepDefinition:
        return self.definition.steps[name]

    def items(self, name: str) -> list[WorkflowStep]:
        """Return the rows of the items of a step's list."""
        return [self.rows[name, index] for index in range(self.step(name).items or 0)]

    def mark_done(self, name: str) -> None:
        """Note that a step has succeeded or was skipped. Steps that need it may become ready."""
        self.ready.remove(name)
        self._sorter.done(name)
        self._add_ready()

    def mark_failed(self, name: str) -> None:
        """Note that a step has failed for good. Steps that need it never become ready."""
        self.ready.remove(name)
        self.failed.add(name)

    def is_skipped(self, name: str) -> bool:
        """Return whether a step is skipped, because of its condition or because of a step that it needs.

        Raises:
            InvalidInput: a reference in its condition cannot be resolved.
        """
        definition = self.definition_of(name)
        needed = [self.step(one).state for one in self._graph[name]]
        if not definition.accept_skipped and StepState.SKIPPED in needed:
            return True
        return definition.when is not None and not self._holds(definition.when, f"steps.{name}.when")

    def values(self, name: str) -> list[Any]:
        """Return the list of a step's `for_each`.

        Raises:
            InvalidInput: it cannot be resolved, is not a list, or is too long.
        """
        if name not in self._values:
            field = f"steps.{name}.for_each"
            found = resolved(self.definition_of(name).for_each, self._scope(), field)
            if not isinstance(found, list):
                raise InvalidInput(field, "is not a list")
            if len(found) > MAX_ITEMS:
                raise InvalidInput(field, f"has more than {MAX_ITEMS} items")
            self._values[name] = found
        return self._values[name]

    def resolve(self, row: WorkflowStep) -> tuple[dict[str, Any], Any]:
        """Return the input of a step, and its command or prompt, with their references resolved.

        Raises:
            InvalidInput: a reference cannot be resolved.
        """
        definition, scope = self.definition_of(row.step), self._scope()
        if row.item != WHOLE:
            scope |= {"item": self.value_of(row), "index": row.item}
        field = f"steps.{row.step}"
        argument = resolved(definition.exec if definition.exec is not None else definition.prompt, scope, field)
        if isinstance(argument, list):
            argument = [part if isinstance(part, str) else encode_json(part, field) for part in argument]
        elif argument is not None and not isinstance(argument, str):
            raise InvalidInput(f"{field}.prompt", "is not text")
        return resolved(definition.with_, scope, f"{field}.with"), argument

    def value_of(self, row: WorkflowStep) -> Any:
        """Return the value of an item of a list, or None for a step without one."""
        return None if row.item == WHOLE else self.values(row.step)[row.item]

    def _add_ready(self) -> None:
        self.ready += self._sorter.get_ready()

    def _scope(self) -> dict[str, Any]:
        for name in self.definition.steps:
            row = self.step(name)
            if name not in self._outputs and row.state in (StepState.SUCCEEDED, StepState.SKIPPED):
                is_list = row.items is not None and row.state is StepState.SUCCEEDED
                self._outputs[name] = [one.output for one in self.items(name)] if is_list else row.output
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
    """Return whether two JSON values are equal: in JSON, unlike Python, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return bool(one == other)
