"""The graph of a workflow as text and as Mermaid, with the states of the steps of an execution."""

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
_COLORS = {
    StepState.RUNNING: "#cde", StepState.SUCCEEDED: "#cec", StepState.FAILED: "#ecc", StepState.SKIPPED: "#eee",
    StepState.CANCELLED: "#eed",
}  # fmt: skip


def drawn(definition: WorkflowDefinition, steps: Iterable[WorkflowStep] = ()) -> str:
    """Return the graph as text, layer by layer. Each step has its state in front and the steps that it needs behind."""
    rows = list(steps)
    known = {row.step: row for row in rows if row.item == WHOLE}
    graph = definition.graph()
    lines = [definition.name]
    for rank, names in enumerate(_layers(graph)):
        for index, name in enumerate(names):
            row = known.get(name)
            mark = f"{_MARKS[row.state]} " if row else ""
            waits = f"  <- {', '.join(sorted(graph[name]))}" if graph[name] else ""
            lines.append(f"{rank + 1 if index == 0 else ' ':>3}  {mark}{name}{_more(definition, name, rows)}{waits}")
    return "\n".join(lines)


def mermaid(definition: WorkflowDefinition, steps: Iterable[WorkflowStep] = ()) -> str:
    """Return the graph as a Mermaid flowchart."""
    rows = list(steps)
    nodes = {name: f"s{index}" for index, name in enumerate(definition.steps)}
    lines = ["flowchart TD"]
    for name, node in nodes.items():
        shape = ('[["', '"]]') if definition.steps[name].for_each is not None else ('["', '"]')
        lines.append(f"    {node}{shape[0]}{name}{_more(definition, name, rows)}{shape[1]}")
    for name, needed in definition.graph().items():
        lines += [f"    {nodes[before]} --> {nodes[name]}" for before in sorted(needed)]
    for row in rows:
        if row.item == WHOLE and row.state in _COLORS:
            lines.append(f"    style {nodes[row.step]} fill:{_COLORS[row.state]}")
    return "\n".join(lines)


def _layers(graph: dict[str, set[str]]) -> Iterable[list[str]]:
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    while names := sorted(sorter.get_ready()):
        yield names
        sorter.done(*names)


def _more(definition: WorkflowDefinition, name: str, rows: list[WorkflowStep]) -> str:
    """Return how many items of a step's list are in each state."""
    if definition.steps[name].for_each is None:
        return ""
    counts = Counter(row.state.value for row in rows if row.step == name and row.item != WHOLE)
    return f" ({', '.join(f'{number} {state}' for state, number in counts.items()) or 'for each'})"
