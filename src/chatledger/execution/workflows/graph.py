"""The graph of a workflow as text, and as Mermaid, with the states of an execution where there are any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from graphlib import TopologicalSorter

from chatledger.enums import StepState
from chatledger.schemas.execution import WorkflowStep
from chatledger.schemas.workflow import WorkflowDefinition
from chatledger.services.workflows.statements import WHOLE

_MARKS = {
    StepState.PENDING: "·", StepState.RUNNING: ">", StepState.SUCCEEDED: "+", StepState.FAILED: "!",
    StepState.SKIPPED: "-", StepState.CANCELLED: "x",
}  # fmt: skip
_COLOURS = {
    StepState.RUNNING: "#cde", StepState.SUCCEEDED: "#cec", StepState.FAILED: "#ecc", StepState.SKIPPED: "#eee",
    StepState.CANCELLED: "#eed",
}  # fmt: skip


def drawn(definition: WorkflowDefinition, steps: Iterable[WorkflowStep] = ()) -> str:
    """The graph as text: a layer for each rank, what a step waits for behind it, and its state in front."""
    rows = list(steps)
    known = {row.step: row for row in rows if row.item == WHOLE}
    graph = definition.graph()
    lines = [definition.name]
    for rank, names in enumerate(_layers(graph)):
        for place, name in enumerate(names):
            row = known.get(name)
            mark = f"{_MARKS[row.state]} " if row else ""
            waits = f"  <- {', '.join(sorted(graph[name]))}" if graph[name] else ""
            lines.append(f"{rank + 1 if place == 0 else ' ':>3}  {mark}{name}{_more(definition, name, rows)}{waits}")
    return "\n".join(lines)


def mermaid(definition: WorkflowDefinition, steps: Iterable[WorkflowStep] = ()) -> str:
    """The graph as Mermaid's flowchart."""
    rows = list(steps)
    number = {name: f"s{place}" for place, name in enumerate(definition.steps)}
    lines = ["flowchart TD"]
    for name, place in number.items():
        shape = ('[["', '"]]') if definition.steps[name].for_each is not None else ('["', '"]')
        lines.append(f"    {place}{shape[0]}{name}{_more(definition, name, rows)}{shape[1]}")
    for name, needed in definition.graph().items():
        lines += [f"    {number[before]} --> {number[name]}" for before in sorted(needed)]
    for row in rows:
        if row.item == WHOLE and row.state in _COLOURS:
            lines.append(f"    style {number[row.step]} fill:{_COLOURS[row.state]}")
    return "\n".join(lines)


def _layers(graph: dict[str, set[str]]) -> Iterable[list[str]]:
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    while names := sorted(sorter.get_ready()):
        yield names
        sorter.done(*names)


def _more(definition: WorkflowDefinition, name: str, rows: list[WorkflowStep]) -> str:
    """What a list is about: how many of its items stand where."""
    if definition.steps[name].for_each is None:
        return ""
    counts = Counter(row.state.value for row in rows if row.step == name and row.item != WHOLE)
    return f" ({', '.join(f'{number} {state}' for state, number in counts.items()) or 'for each'})"
