"""Layout C: workflows and their executions, as the ledger's own rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from chatledger.adoption.readers.llm_sessions.records import SessionOf
from chatledger.adoption.readers.llm_sessions.registry import is_name
from chatledger.adoption.source.database import Row
from chatledger.adoption.source.json_values import cleaned, kept, storable
from chatledger.adoption.source.reader import Reader
from chatledger.adoption.source.records import OldExecution, OldStep, OldWorkflow
from chatledger.adoption.source.row_reader import Reading
from chatledger.enums import ExecutionState, StepState
from chatledger.errors import InvalidInput
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.schemas.references import ROOTS
from chatledger.schemas.workflow import definition_of

_WORKFLOW = "t.workflow_id"
_EXECUTION = "t.workflow_execution_id"
_NAMES = ("id", "name", "step_name", "step")
_NEEDS = ("depends_on", "needs", "dependencies", "after", "requires")
_USES = ("uses", "type", "action", "function", "tool")
_INPUT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
# What ran when the source was copied is not run by anybody here: it is to be resumed.
_EXECUTIONS = {
    "pending": ExecutionState.PENDING, "running": ExecutionState.PENDING, "paused": ExecutionState.PENDING,
    "completed": ExecutionState.SUCCEEDED, "succeeded": ExecutionState.SUCCEEDED, "failed": ExecutionState.FAILED,
    "cancelled": ExecutionState.CANCELLED,
}  # fmt: skip
_STEPS = {
    "pending": StepState.PENDING, "running": StepState.PENDING, "completed": StepState.SUCCEEDED,
    "succeeded": StepState.SUCCEEDED, "failed": StepState.FAILED, "skipped": StepState.SKIPPED,
    "cancelled": StepState.CANCELLED,
}  # fmt: skip
_GOES_ON = ("running", "paused")


class Workflows:
    """Workflows, and the executions of each. A definition that cannot be one of the ledger's is noted, and left."""

    def __init__(self, reader: Reader, session_of: SessionOf) -> None:
        self._reader, self._source, self._session_of = reader, reader.source, session_of

    def records(self) -> Iterator[OldWorkflow | OldExecution]:
        """Each workflow, then its executions."""
        if not self._source.has("workflows", "id", "name", "workflow_definition"):
            return
        for table, key in (("workflow_executions", _WORKFLOW), ("workflow_steps", _EXECUTION)):
            if table in self._source.tables:
                self._source.index(table, key)
        for row in self._source.rows("workflows"):
            reading = self._reader.read(row, kept(row["workflow_uuid"]))
            given = reading.json("workflow_definition", "invalid_json")
            executions = list(self._source.found("workflow_executions", _WORKFLOW, row["id"]))
            name = row["name"] if is_name(row["name"]) else None
            found = (
                None
                if name is None
                else _definition(name, reading.text("description"), given, self._inputs(executions))
            )
            if found is None:
                reading.note("workflow_left")
                continue
            definition, whole = found
            at = reading.moment("created_at", "sql", needed=True)
            whole = whole and row["metadata"] is None and row["project_id"] is None and row["version"] in (None, 1)
            yield OldWorkflow(row, definition["name"], definition, at, whole)
            for execution in executions:
                yield from self._execution(execution, definition)

    def _inputs(self, executions: Iterable[Row]) -> set[str]:
        found: set[str] = set()
        for row in executions:
            given = (
                self._reader.read(row, None).json("input_data", "invalid_json")
                if row["input_data"] is not None
                else None
            )
            found |= {name for name in given if _INPUT.fullmatch(name)} if isinstance(given, dict) else set()
        return found

    def _execution(self, row: Row, workflow: dict[str, Any]) -> Iterator[OldExecution]:
        if not isinstance(row["execution_uuid"], str) or not row["execution_uuid"]:
            return
        reading = self._reader.read(row, kept(row["execution_uuid"]))
        word = str(row["status"] or "pending").lower()
        given = _value(reading, "input_data")
        steps = list(self._steps(row))
        definition = {**workflow, "steps": dict(workflow["steps"])}
        for step in steps:
            definition["steps"].setdefault(step.step, {"uses": step.step})
        there = {step.step for step in steps}
        begun = [*steps, *(OldStep(None, name, StepState.PENDING) for name in definition["steps"] if name not in there)]
        yield OldExecution(
            row=row,
            execution_id=row["execution_uuid"],
            workflow=workflow,
            definition=definition,
            input=given if isinstance(given, dict) else {} if given is None else {"value": given},
            state=_EXECUTIONS.get(word, ExecutionState.PENDING),
            error=reading.text("error_message"),
            started_at=reading.moment("started_at", "sql", needed=True),
            finished_at=reading.moment("completed_at", "sql"),
            steps=begun,
            whole=(
                word in _EXECUTIONS and word not in _GOES_ON and row["output_data"] is None and row["metadata"] is None
                and (row["current_step"] is None or row["current_step"] in definition["steps"])
            ),
        )  # fmt: skip

    def _steps(self, execution: Row) -> Iterator[OldStep]:
        taken: set[str] = set()
        for row in self._source.found("workflow_steps", _EXECUTION, execution["id"], "t.step_index, t.id"):
            session = self._session_of(row["session_id"])
            gone = row["session_id"] is not None and session is None
            if gone and self._reader.dropping:
                continue
            reading = self._reader.read(row, kept(row["id"]))
            word = str(row["status"] or "pending").lower()
            given = _step_name(row["step_name"])
            name = given if given not in taken else f"{given[:80]}_{row['id']}"
            taken.add(name)
            yield OldStep(
                row=row,
                step=name,
                state=_STEPS.get(word, StepState.PENDING),
                input=_value(reading, "input_data"),
                output=_value(reading, "output_data"),
                error=reading.text("error_message"),
                session=session,
                started_at=reading.moment("started_at", "sql"),
                finished_at=reading.moment("completed_at", "sql"),
                whole=not gone and name == row["step_name"] and word in _STEPS and word not in _GOES_ON,
            )


def _value(reading: Reading, column: str) -> Any:
    """What a JSON column says; where it is none, its text."""
    found = reading.json(column, "invalid_json")
    return storable(kept(reading.row[column]) if found is None else found)


def _definition(name: str, description: str | None, given: Any, inputs: set[str]) -> tuple[dict[str, Any], bool] | None:
    """A definition of the ledger's from one of the source's, and whether it says everything; None if there can be none.

    A step without a function is done by the function that is registered under its name.
    """
    document = given if isinstance(given, dict) else {"steps": given}
    steps = document.get("steps")
    if isinstance(steps, dict):
        steps = [{"id": key, **value} if isinstance(value, dict) else {"id": key} for key, value in steps.items()]
    if not isinstance(steps, list) or not all(isinstance(step, dict | str) for step in steps):
        return None
    whole = document.keys() <= {"steps", "name", "description"}
    found: dict[str, Any] = {}
    for step in (step if isinstance(step, dict) else {"id": step} for step in steps):
        naming = next((key for key in _NAMES if isinstance(step.get(key), str)), None)
        title = _step_name(step[naming] if naming else f"step_{len(found) + 1}")
        whole = whole and naming is not None and title == step[naming] and title not in found
        needing = next((key for key in _NEEDS if key in step), None)
        needs = step[needing] if needing else []
        using = next((key for key in _USES if is_name(step.get(key))), None)
        more = {key: value for key, value in step.items() if key not in (naming, needing, using)}
        found[title] = {
            "uses": step[using] if using else title,
            **(
                {"needs": [_step_name(one) for one in ([needs] if isinstance(needs, str) else needs or [])]}
                if needs
                else {}
            ),
            **({"with": more} if more else {}),
        }
    said = {
        "name": name,
        **({"description": description} if description else {}),
        **({"inputs": {one: {"required": False} for one in sorted(inputs)}} if inputs else {}),
        "steps": found,
    }
    try:
        return definition_of(said).document(), whole
    except (InvalidInput, TypeError, ValueError):
        return None


def _step_name(given: Any) -> str:
    """A name that a step can have here."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", cleaned(str(given or "step")))[: min(100, MAX_IDENTIFIER)]
    name = name if re.match(r"[A-Za-z_]", name) else f"_{name[:99]}"
    return f"{name[:99]}_" if name in ROOTS else name
