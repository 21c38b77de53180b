"""What a workflow is made of, as users write it: JSON, YAML or Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any

from pydantic import Field

from chatledger.dialects.encoding import encode_json
from chatledger.errors import InvalidInput
from chatledger.schemas.fields import Flag, Identifier, Input, Text, validated
from chatledger.schemas.references import ROOTS, Reference, is_one, references

StepName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,99}$")]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]

MAX_STEPS = 500
"""Steps of one workflow."""
MAX_ITEMS = 10_000
"""Items of one list."""


class Condition(Input):
    """When a step is done. One comparison of a reference, or `all`, `any` or `not` of conditions."""

    ref: str | None = None
    equals: Any = None
    """The reference equals this value."""
    one_of: list[Any] | None = None
    """It is one of these."""
    truthy: Flag | None = None
    """It is there and neither null, false, 0 nor empty (true), or the opposite (false)."""
    all: list[Condition] | None = None
    any: list[Condition] | None = None
    not_: Condition | None = Field(default=None, alias="not")


class WorkflowInput(Input):
    """An input that an execution is given."""

    required: Flag = True
    default: Any = None
    description: Text | None = None


class StepDefinition(Input):
    """One step: what it does, what it waits for, and how often it is tried."""

    uses: Identifier | None = None
    """A function registered with the runner, or `module:function`."""
    exec: Annotated[list[Text], Field(min_length=1)] | None = None
    """A command, run without a shell, with the step's input as JSON on its standard input."""
    prompt: Text | None = None
    """A question to the runner's responder."""
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    """What the step is given, with references."""
    needs: list[StepName] = Field(default_factory=list)
    """Steps to wait for, beside those that it refers to."""
    when: Condition | None = None
    for_each: str | list[Any] | None = None
    """A reference to a list: the step is done for each of its items."""
    max_parallel: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    """How many items at once; as many as the runner allows where it is not said."""
    retries: Annotated[int, Field(strict=True, ge=0, le=100)] = 0
    """How often it is tried again after an error."""
    backoff: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 1.0
    """Seconds before the first retry; they double with each one, up to an hour, with jitter."""
    timeout: Seconds | None = None
    """How many seconds one attempt may take."""
    accept_skipped: Flag = False
    """Whether it is done, too, when a step that it waits for was skipped, whose output is null then."""


class WorkflowDefinition(Input):
    """A DAG of named steps."""

    name: Identifier
    description: Text | None = None
    inputs: dict[StepName, WorkflowInput] = Field(default_factory=dict)
    steps: Annotated[dict[StepName, StepDefinition], Field(min_length=1, max_length=MAX_STEPS)]

    def graph(self) -> dict[str, set[str]]:
        """Each step, and those that it waits for."""
        return {name: _needed(step, f"steps.{name}") for name, step in self.steps.items()}

    def document(self) -> dict[str, Any]:
        """The definition as JSON, without what was not said."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def definition_of(given: Any) -> WorkflowDefinition:
    """A definition, checked as a whole.

    Raises:
        InvalidInput: names what is wrong: an unknown name, step or input, a cycle, an invalid reference.
    """
    definition = validated(WorkflowDefinition, given)
    for name, one in definition.inputs.items():
        encode_json(one.default, f"inputs.{name}.default")
    for name, step in definition.steps.items():
        _check(definition, name, step)
    graph = definition.graph()
    try:
        TopologicalSorter(graph).prepare()
        return definition
    except CycleError as error:
        cycle = list(error.args[1])
    raise InvalidInput("steps", f"form a cycle: {' -> '.join(map(repr, reversed(cycle)))}")


def given_input(definition: WorkflowDefinition, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The input of an execution, with defaults.

    Raises:
        InvalidInput: an input is missing or unknown.
    """
    if not isinstance(given, Mapping | None):
        raise InvalidInput("input", "must be a mapping of inputs")
    values = dict(given or {})
    for name in values:
        if name not in definition.inputs:
            raise InvalidInput("input", f"workflow {definition.name!r} has no input {str(name)!r}")
    for name, one in definition.inputs.items():
        if name not in values:
            if one.required and "default" not in one.model_fields_set:
                raise InvalidInput("input", f"{name!r} is missing")
            values[name] = one.default
    encode_json(values, "input")
    return values


def conditions(condition: Condition | None) -> Iterator[Condition]:
    """A condition and those within it."""
    if condition is not None:
        yield condition
        for part in (*(condition.all or ()), *(condition.any or ())):
            yield from conditions(part)
        yield from conditions(condition.not_)


def _referred(step: StepDefinition, field: str) -> Iterator[tuple[Reference, str]]:
    for name, value in (
        ("with", step.with_),
        ("prompt", step.prompt),
        ("exec", step.exec),
        ("for_each", step.for_each),
    ):
        for reference in references(value, f"{field}.{name}"):
            yield reference, f"{field}.{name}"
    for condition in conditions(step.when):
        for reference in references(condition.ref, f"{field}.when"):
            yield reference, f"{field}.when"


def _needed(step: StepDefinition, field: str) -> set[str]:
    return {*step.needs, *(found.root for found, _ in _referred(step, field) if found.root not in ROOTS)}


def _check(definition: WorkflowDefinition, name: str, step: StepDefinition) -> None:
    field = f"steps.{name}"
    # Nothing but JSON, and not too deep for what goes through it.
    encode_json(step.with_, f"{field}.with")
    encode_json(step.for_each, f"{field}.for_each")
    if name in ROOTS:
        raise InvalidInput(field, "is a name that references use themselves: take another")
    if sum(part is not None for part in (step.uses, step.exec, step.prompt)) != 1:
        raise InvalidInput(field, "needs one of `uses`, `exec` and `prompt`")
    if step.max_parallel is not None and step.for_each is None:
        raise InvalidInput(f"{field}.max_parallel", "needs `for_each`")
    if isinstance(step.for_each, str) and not is_one(step.for_each):
        raise InvalidInput(f"{field}.for_each", "must be a list, or one reference such as ${step.output}")
    for needed in step.needs:
        if needed not in definition.steps:
            raise InvalidInput(f"{field}.needs", f"there is no step {needed!r}")
    for reference, place in _referred(step, field):
        _check_reference(definition, step, reference, place)
    for condition in conditions(step.when):
        _check_condition(condition, f"{field}.when")


def _check_reference(definition: WorkflowDefinition, step: StepDefinition, reference: Reference, place: str) -> None:
    root, path = reference
    if root == "input":
        if path and path[0] not in definition.inputs:
            raise InvalidInput(place, f"there is no input {str(path[0])!r}")
    elif root in ("item", "index"):
        if step.for_each is None or place.endswith((".for_each", ".when")):
            raise InvalidInput(place, f"{reference} is known within a step with `for_each` only")
    elif root not in definition.steps:
        raise InvalidInput(place, f"there is no step {root!r}")
    elif not path or path[0] != "output":
        raise InvalidInput(place, f"of a step there is its output only: ${{{root}.output}}")


def _check_condition(condition: Condition, place: str) -> None:
    encode_json([condition.equals, condition.one_of], place)
    tests = {"equals", "one_of", "truthy"} & condition.model_fields_set
    forms = (condition.ref is not None) + sum(
        part is not None for part in (condition.all, condition.any, condition.not_)
    )
    if forms != 1 or len(tests) != (condition.ref is not None):
        raise InvalidInput(
            place, "needs `ref` with one of `equals`, `one_of` and `truthy`, or one of `all`, `any`, `not`"
        )
    if condition.ref is not None and not list(references(condition.ref, place)):
        raise InvalidInput(place, "`ref` is a reference such as ${step.output.label}")
