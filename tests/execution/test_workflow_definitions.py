"""Definitions: what is wrong is named, versions rise, references are looked up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, WorkflowNotFound
from chatledger.schemas.references import resolved
from chatledger.schemas.workflow import definition_of
from chatledger.workflows import drawn, read_definition

ONE = {"name": "w", "steps": {"a": {"uses": "f"}}}


@pytest.mark.parametrize(
    ("steps", "field", "said"),
    [
        ({"a": {"uses": "f", "needs": ["b"]}, "b": {"uses": "f", "needs": ["a"]}}, "steps", "cycle"),
        ({"a": {"uses": "f", "needs": ["a"]}}, "steps", "cycle"),
        ({"a": {"uses": "f", "needs": ["x"]}}, "steps.a.needs", "no step 'x'"),
        ({"a": {"uses": "f", "with": {"v": "${x.output}"}}}, "steps.a.with", "no step 'x'"),
        ({"a": {"uses": "f", "with": {"v": "${input.x}"}}}, "steps.a.with", "no input 'x'"),
        ({"a": {"uses": "f", "with": {"v": ["${a.b()}"]}}}, "steps.a.with", "not a reference"),
        ({"a": {"uses": "f"}, "b": {"uses": "f", "with": {"v": "${a.error}"}}}, "steps.b.with", "output only"),
        ({"a": {"uses": "f", "with": {"v": "${item}"}}}, "steps.a.with", "for_each"),
        ({"a": {"uses": "f", "exec": ["x"]}}, "steps.a", "one of"),
        ({"a": {}}, "steps.a", "one of"),
        ({"input": {"uses": "f"}}, "steps.input", "another"),
        ({"a": {"uses": "f", "retrys": 1}}, "steps.a.retrys", "not a known name"),
        ({"a": {"uses": "f", "when": {"ref": "x", "equals": 1}}}, "steps.a.when", "reference"),
        ({"a": {"uses": "f", "when": {}}}, "steps.a.when", "needs"),
        ({}, "steps", "at least 1"),
    ],
)
def test_what_is_wrong_is_named(steps: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        definition_of({"name": "w", "steps": steps})
    assert field == caught.value.field


def test_versions_rise_and_an_execution_keeps_its_own(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        assert 1 == uow.workflows.define(ONE).version
        assert 1 == uow.workflows.define(ONE).version
        begun = uow.workflows.start("w")
        assert 2 == uow.workflows.define({"name": "w", "steps": {"b": {"uses": "f"}}}).version
        assert [2] == [one.version for one in uow.workflows.list()]
        assert 1 == uow.workflows.execution(begun.execution_id).version
        assert ["a"] == [step.step for step in uow.workflows.steps(begun.execution_id)]
        with pytest.raises(WorkflowNotFound):
            uow.workflows.get("w", 3)
        with pytest.raises(InvalidInput, match="no input 'x'"):
            uow.workflows.start("w", {"x": 1})


def test_references_keep_types_where_they_stand_alone() -> None:
    scope = {"input": {"n": [1.5, {"a": None}]}}
    assert [1.5, {"a": None}] == resolved("${input.n}", scope, "f")
    assert 'x 1.5 {"a":null} ${n}' == resolved("x ${input.n[0]} ${input.n[1]} $${n}", scope, "f")
    for nowhere in ("${input.n[2]}", "${input.m}", "${input.n.a}", "${input[0]}"):
        with pytest.raises(InvalidInput, match="does not resolve to a value"):
            resolved(nowhere, scope, "f")


def test_a_definition_in_yaml_is_that_in_json(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps(ONE))
    (tmp_path / "w.yaml").write_text("name: w\nsteps:\n  a:\n    uses: f\n")
    assert read_definition(tmp_path / "w.json") == read_definition(tmp_path / "w.yaml")
    for name, text in (("bad.yml", "a: [1"), ("bad.json", "{"), ("list.json", "[]")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InvalidInput, match="file"):
            read_definition(tmp_path / name)


def test_a_graph_is_drawn_in_layers() -> None:
    steps = {"a": {"uses": "f"}, "b": {"uses": "f", "needs": ["a"]}, "c": {"uses": "f", "needs": ["a"]}}
    assert "w\n  1  a\n  2  b  <- a\n     c  <- a" == drawn(definition_of({"name": "w", "steps": steps}))


def test_an_erased_user_leaves_no_workflow_and_no_execution(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.workflows.define(ONE, user_id="ada")
        uow.workflows.define(ONE)
        uow.workflows.start("w", user_id="ada", execution_id="hers")
        uow.workflows.start("w", execution_id="nobody's")
    ledger.erase_user("ada", scrub=False)
    with ledger.read() as uow:
        assert [None] == [one.user_id for one in uow.workflows.list()]
        assert ["nobody's"] == [one.execution_id for one in uow.workflows.executions()]
