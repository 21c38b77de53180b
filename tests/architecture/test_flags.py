"""Every public parameter that is True or False refuses anything else before anything is done."""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import chatledger
from chatledger import AsyncLedger, InvalidInput, Ledger, Settings, UnitOfWork, adoption, exchange, report
from chatledger.aio.unit_of_work import AsyncUnitOfWork
from chatledger.telemetry import opentelemetry, prometheus
from chatledger.workflows import AsyncRunner, Runner, Workflow
from tests.architecture.test_async_twins import services
from tests.support.contents import contents
from tests.support.raw import Raw

WRONG: dict[str, list[Any]] = {
    "bool": ["false", None, 0, 1, []],
    "bool | Keep": ["false", None, 0, 1, []],
    "bool | None": ["false", 0, 1, []],
    "bool | str | Path": [None, 0, 1, [], ""],
    "Vacuum": ["false", None, 0, 1, []],
}
"""What is refused, by how the parameter is annotated. `1 == True`, and "false" is true to an `if`."""
NOT_OURS = {"include_object"}
"""Parameters that are True or False for others' code, which calls these."""

Flags = list[tuple[str, str]]


def flags_of(function: Any) -> Flags:
    """The parameters of a function that are True or False, with their annotations."""
    parameters = inspect.signature(function).parameters.values()
    found = [(one.name, str(one.annotation)) for one in parameters]
    return [
        (name, said) for name, said in found if (re.search(r"\bbool\b|\bVacuum\b", said) and "Callable" not in said)
    ]


def methods_with_flags(owner: type) -> dict[str, Flags]:
    members = {name: getattr(owner, name) for name in dir(owner) if not name.startswith("_")}
    return {
        name: found for name, member in members.items() if inspect.isroutine(member) and (found := flags_of(member))
    }


def functions_with_flags() -> dict[str, Flags]:
    exported = [
        getattr(module, name) for module in (chatledger, adoption, exchange, report) for name in module.__all__
    ] + [opentelemetry.instrument, prometheus.instrument]
    return {
        f"{function.__module__}.{function.__name__}": found
        for function in exported
        if inspect.isfunction(function) and function.__name__ not in NOT_OURS and (found := flags_of(function))
    }


@pytest.fixture
def samples(any_ledger: Ledger, tmp_path: Path) -> dict[str, Any]:
    """An argument for each parameter that must be given; with right flags the calls would change something."""
    with any_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada")
        uow.messages.append("s", "user", "otter", metadata={"model": "gpt-5"}, model_id="gpt-5")
        uow.metrics.record("score", 1.0, session_id="s")
        group = uow.comparisons.create(variants=["a", "b"])
        job = uow.batches.create("job", [{"key": "one"}])
        items = uow.batches.claim(job.job_id, worker="w", limit=1, lease=timedelta(minutes=1))
    return {
        "session_id": "s", "user_id": "ada", "older_than": 0, "path": tmp_path / "other.db", "url": tmp_path / "new.db",
        "item": items[0], "error": "broken", "group_id": group.group_id, "prompt_key": "p",
        "variant_a": "a", "judge": "j", "results": [], "rows": [], "name": "score", "hours": 1, "execution_id": "e", "revision": "0001",
        "query": "otter", "role": "user", "after": 0,
    }  # fmt: skip


def required(function: Any, samples: dict[str, Any]) -> dict[str, Any]:
    parameters = list(inspect.signature(function).parameters.values())
    return {
        one.name: samples[one.name]
        for one in parameters
        if one.default is one.empty and one.name != "self" and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    }


def wrong_calls(function: Any, found: Flags, samples: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, said in found:
        for value in WRONG[said]:
            yield name, {**required(function, samples), name: value}


def require_refusal(call: Callable[..., Any], field: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        call(**given)
    assert (field, given[field]) == (caught.value.field, given[field])


def test_both_ledgers_and_their_services_have_the_same_flags() -> None:
    assert methods_with_flags(Ledger) == methods_with_flags(AsyncLedger)
    assert {"erase_user", "purge", "repair", "backup", "restore", "maintain", "check"} < methods_with_flags(
        Ledger
    ).keys()
    twins = services(AsyncUnitOfWork)
    assert {name: methods_with_flags(service) for name, service in services(UnitOfWork).items()} == {
        name: methods_with_flags(twins[name]) for name in services(UnitOfWork)
    }


def test_a_ledger_takes_no_flag_that_is_neither_true_nor_false(
    any_ledger: Ledger, samples: dict[str, Any], url: str, tmp_path: Path
) -> None:
    raw, before = Raw(url), contents(Raw(url))
    files = set(tmp_path.iterdir())
    for view in (any_ledger, any_ledger.for_user("ada")):
        for name, found in methods_with_flags(Ledger).items():
            if view is any_ledger or name in ("erase_user", "purge", "reprice", "sweep"):
                for field, given in wrong_calls(getattr(Ledger, name), found, samples):
                    require_refusal(getattr(view, name), field, given)
    assert (before, files) == (contents(raw), set(tmp_path.iterdir()))


def test_no_service_takes_a_flag_that_is_neither_true_nor_false(
    any_ledger: Ledger, samples: dict[str, Any], url: str
) -> None:
    raw, before = Raw(url), contents(Raw(url))
    asked = 0
    with any_ledger.begin() as uow:
        for name, service in services(UnitOfWork).items():
            for method, found in methods_with_flags(service).items():
                for field, given in wrong_calls(getattr(service, method), found, samples):
                    require_refusal(getattr(getattr(uow, name), method), field, given)
                    asked += 1
    assert asked > 50
    assert before == contents(raw)


def test_no_function_takes_a_flag_that_is_neither_true_nor_false(tmp_path: Path) -> None:
    with Ledger(tmp_path / "chat.db") as ledger:
        source = tmp_path / "chats.jsonl"
        source.write_text('{"messages": [{"role": "user", "content": "otter"}]}\n', "utf-8")
        out = io.StringIO()
        samples = {
            "ledger": ledger,
            "path": source,
            "paths": [source],
            "source": source,
            "out": out,
            "format": "csv",
            "content": "",
        }
        raw = Raw(f"sqlite:///{tmp_path / 'chat.db'}")
        before = contents(raw)
        found = functions_with_flags()
        assert {name.rpartition(".")[2] for name in found} == {
            "adopt", "export_table", "import_file", "import_files", "instrument", "tool_result"
        }  # fmt: skip
        functions: list[Callable[..., Any]] = [adoption.adopt, exchange.export_table, exchange.import_file]
        functions += [chatledger.tool_result, exchange.import_files]
        functions += [opentelemetry.instrument, prometheus.instrument]
        for function in functions:
            for field, given in wrong_calls(function, flags_of(function), samples):
                require_refusal(function, field, given)
        assert before == contents(raw)
        assert out.getvalue() == ""


def test_runners_take_no_flag_that_is_neither_true_nor_false(any_ledger: Ledger, tmp_path: Path) -> None:
    assert methods_with_flags(Runner) == methods_with_flags(AsyncRunner) == {"resume": [("take_over", "bool")]}
    with Ledger(tmp_path / "flow.db") as ledger:
        for value in WRONG["bool"]:
            require_refusal(
                Runner(ledger, Workflow("w")).resume, "take_over", {"execution_id": "e", "take_over": value}
            )


def test_settings_take_no_flag_that_is_neither_true_nor_false() -> None:
    for value in WRONG["bool"]:
        require_refusal(Settings, "prepared_statements", {"prepared_statements": value})
    with pytest.raises(InvalidInput):
        Settings.preset("web", prepared_statements="false")


@pytest.mark.parametrize("value", WRONG["bool"])
@pytest.mark.parametrize("field", ["inputs.n.required", "steps.s.accept_skipped", "steps.s.when.truthy"])
def test_no_definition_has_a_flag_that_is_neither_true_nor_false(field: str, value: Any) -> None:
    if field.endswith("truthy") and value is None:
        pytest.skip("null says nothing there")
    definition: dict[str, Any] = {
        "name": "w",
        "inputs": {"n": {}},
        "steps": {"s": {"uses": "f", "when": {"ref": "${input.n}"}}},
    }
    place: dict[str, Any] = definition
    *way, last = field.split(".")
    for part in way:
        place = place[part]
    place[last] = value
    from chatledger.schemas.workflow import definition_of  # noqa: PLC0415

    with pytest.raises(InvalidInput) as caught:
        definition_of(definition)
    assert field == caught.value.field
