"""Workflows built in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from chatledger.schemas.workflow import WorkflowDefinition, definition_of

Function = TypeVar("Function", bound=Callable[..., Any])


class Workflow:
    """A definition that is being built, with its functions.

    flow = Workflow("triage", inputs={"text": {}})
    flow.step("classify", classify, with_={"text": "${input.text}"})
    """

    def __init__(self, name: str, *, inputs: Mapping[str, Any] | None = None, description: str | None = None) -> None:
        self.name = name
        self.functions: dict[str, Callable[..., Any]] = {}
        self._document: dict[str, Any] = {"name": name, "steps": {}}
        if inputs:
            self._document["inputs"] = dict(inputs)
        if description is not None:
            self._document["description"] = description

    def step(self, name: str, function: Callable[..., Any] | None = None, **fields: Any) -> Workflow:
        """Add a step, with the fields of a definition; `with` is written `with_`. Steps may be added in any order."""
        step = {key.rstrip("_"): value for key, value in fields.items()}
        if function is not None:
            self.functions[name] = function
            step["uses"] = name
        self._document["steps"][name] = step
        return self

    def does(self, name: str, **fields: Any) -> Callable[[Function], Function]:
        """`step` as a decorator."""

        def decorator(function: Function) -> Function:
            self.step(name, function, **fields)
            return function

        return decorator

    @property
    def definition(self) -> WorkflowDefinition:
        """The validated definition.

        Raises:
            InvalidInput: as `uow.workflows.define`.
        """
        return definition_of(self._document)
