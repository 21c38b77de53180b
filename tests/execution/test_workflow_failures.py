"""What goes wrong in a step, in a definition, or around a runner, and must harm nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chatledger import AsyncLedger, Ledger, Unavailable
from chatledger.errors import ExecutionBusy, InvalidInput
from chatledger.workflows import AsyncRunner, Runner, StepContext, Workflow


class Mute(Exception):
    """Cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("secret words")


def states(ledger: Ledger, execution_id: str) -> dict[tuple[str, int], str]:
    with ledger.read() as uow:
        return {(one.step, one.item): str(one.state) for one in uow.workflows.steps(execution_id)}


def is_there(process: int) -> bool:
    """Whether a process runs; one that nobody has reaped yet does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("error", [Mute(), SystemExit(3), KeyboardInterrupt(), ExecutionBusy("another")], ids=type)
def test_whatever_a_step_raises_is_the_steps_error(ledger: Ledger, error: BaseException) -> None:
    flow = Workflow("raising")

    @flow.does("bad")
    def bad(context: StepContext) -> None:
        raise error

    flow.step("good", lambda context: 1)
    execution = Runner(ledger).run(flow)
    assert ("failed", "failed: bad", None) == (execution.state, execution.error, execution.lease_until)
    assert {("bad", -1): "failed", ("good", -1): "succeeded"} == states(ledger, execution.execution_id)
    with ledger.read() as uow:
        assert "secret" not in repr(uow.workflows.steps(execution.execution_id))


def test_a_step_does_not_see_what_another_did_to_its_input(ledger: Ledger) -> None:
    flow = Workflow("shared").step("list", lambda context: [[1]])
    flow.step("spoil", lambda context: context.input["all"].append(2), with_={"all": "${list.output}"})
    flow.step("each", lambda context: context.item.append(3), for_each="${list.output}", needs=["spoil"])
    flow.step("read", lambda context: context.input["all"], with_={"all": "${list.output}"}, needs=["each"])
    execution = Runner(ledger).run(flow)
    with ledger.read() as uow:
        assert [[1]] == uow.workflows.output(execution.execution_id, "read")


def test_true_is_not_one_in_a_condition(ledger: Ledger) -> None:
    flow = Workflow("json").step("yes", lambda context: [True])
    flow.step("one", lambda context: 1, when={"ref": "${yes.output}", "equals": [1]})
    flow.step("among", lambda context: 1, when={"ref": "${yes.output[0]}", "one_of": [1, "true"]})
    flow.step("true", lambda context: 1, when={"ref": "${yes.output}", "one_of": [0, [True]]})
    found = states(ledger, Runner(ledger).run(flow).execution_id)
    assert ["skipped", "skipped", "succeeded"] == [found[name, -1] for name in ("one", "among", "true")]


DEEP: list[Any] = []
for _ in range(3000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("field", "step"),
    [
        ("steps.a.with", {"with_": {"x": float("nan")}}),
        ("steps.a.with", {"with_": {"x": DEEP}}),
        ("steps.a.for_each", {"for_each": "text"}),
        ("steps.a.for_each", {"for_each": "${input.x}${input.x}"}),
        ("steps.a.when", {"when": {"ref": "${input.x}", "equals": float("inf")}}),
    ],
    ids=["NaN", "deep", "a text", "two references", "infinity"],
)
def test_a_definition_that_cannot_be_kept_or_done_is_refused(ledger: Ledger, field: str, step: dict[str, Any]) -> None:
    flow = Workflow("wrong", inputs={"x": {}}).step("a", lambda context: 1, **step)
    with pytest.raises(InvalidInput) as refused:
        Runner(ledger).run(flow, {"x": [1]})
    assert field == refused.value.field
    with ledger.read() as uow:
        assert [] == uow.workflows.list()


@pytest.mark.parametrize(
    "given",
    ["text", [1], {"x": float("nan")}, {"x": "\x00"}, {"x": object()}],
    ids=["text", "list", "NaN", "NUL", "object"],
)
def test_an_input_that_is_none_is_named(ledger: Ledger, given: Any) -> None:
    flow = Workflow("given", inputs={"x": {}}).step("a", lambda context: 1)
    with pytest.raises(InvalidInput) as refused:
        Runner(ledger).run(flow, given)
    assert "input" == refused.value.field


@pytest.mark.parametrize("how", [{"lease": "1"}, {"lease": 0}, {"grace": float("nan")}, {"grace": -1}], ids=repr)
def test_a_runner_refuses_what_is_no_length_of_time(ledger: Ledger, how: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Runner(ledger, **how)


@pytest.mark.parametrize("text", ["def f(:", "raise RuntimeError('secret')", "raise SystemExit(3)", "f = 1"])
def test_a_module_that_cannot_be_imported_is_named_before_anything_is_begun(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"broken_{abs(hash((text, str(tmp_path))))}"
    (tmp_path / f"{name}.py").write_text(text)
    with pytest.raises(InvalidInput, match="is not a function that can be imported") as refused:
        Runner(ledger).run(Workflow("imports").step("a", uses=f"{name}:f"))
    assert "secret" not in str(refused.value)
    with pytest.raises(InvalidInput, match=r"'\.x:f' is not a function"):
        Runner(ledger).run(Workflow("imports").step("a", uses=".x:f"))


def test_what_a_command_prints_is_text_unless_it_is_json(ledger: Ledger) -> None:
    flow = Workflow("prints").step("nan", exec=["echo", "NaN"]).step("json", exec=["echo", "[1]"])
    flow.step("deep", exec=["echo", "[" * 50_000])
    execution = Runner(ledger).run(flow)
    with ledger.read() as uow:
        found = [uow.workflows.output(execution.execution_id, name) for name in ("nan", "json", "deep")]
    assert ["NaN", [1], "[" * 50_000] == found


def test_ctrl_c_leaves_what_was_running_to_be_done_again(ledger: Ledger, tmp_path: Path) -> None:
    """A terminal interrupts the whole group of processes; a function may answer being unwanted with an error."""
    flow = Workflow("interrupted").step("command", exec=["sh", "-c", f"sleep 20 & echo $! > {tmp_path}/child; wait"])

    @flow.does("function")
    def function(context: StepContext) -> None:
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        while not context.cancelled:
            time.sleep(0.01)
        raise ValueError("not wanted")

    with ledger.begin() as uow:
        uow.workflows.define(flow.definition)
        execution = uow.workflows.start("interrupted", execution_id="e")
    with pytest.raises(KeyboardInterrupt):
        Runner(ledger, flow).resume("e")
    assert {("command", -1): "pending", ("function", -1): "pending"} == states(ledger, "e")
    with ledger.read() as uow:
        assert ("pending", None) == ((left := uow.workflows.execution("e")).state, left.lease_until)
    assert execution.created_at == left.created_at
    # The command's own children are gone as well.
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while (there := is_there(child)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not there


def test_a_database_that_is_away_when_a_step_has_ended_is_waited_for(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step is not done again, and it has not failed."""
    monkeypatch.setattr("chatledger.execution.outage._PAUSE", 0.01)
    calls: list[int] = []
    run, away = ledger.run, [0]

    def sometimes(work: Any, **how: Any) -> Any:
        if calls and away[0] < 3:
            away[0] += 1
            raise Unavailable("away")
        return run(work, **how)

    monkeypatch.setattr(ledger, "run", sometimes)
    flow = Workflow("away").step("a", lambda context: calls.append(context.attempt))
    assert "succeeded" == Runner(ledger).run(flow).state
    assert ([1], 3) == (calls, away[0])


def test_a_retry_by_hand_gives_a_step_its_retries_anew(ledger: Ledger) -> None:
    calls: list[int] = []
    flow = Workflow("again")

    @flow.does("stubborn", retries=2, backoff=0)
    def stubborn(context: StepContext) -> None:
        calls.append(context.attempt)
        if len(calls) < 6:
            raise ValueError("not yet")

    failed = Runner(ledger).run(flow)
    assert ("failed", [1, 2, 3]) == (failed.state, calls)
    ledger.run(lambda uow: uow.workflows.retry(failed.execution_id))
    assert "succeeded" == Runner(ledger, flow).resume(failed.execution_id).state
    assert [1, 2, 3, 4, 5, 6] == calls


def test_items_of_a_list_that_is_skipped_the_next_time_are_skipped(ledger: Ledger) -> None:
    lists = iter([[1, 2], []])
    flow = Workflow("shrinks").step("list", lambda context: next(lists))
    flow.step("each", lambda context: 1, for_each="${list.output}", when={"ref": "${list.output}", "truthy": True})
    execution = Runner(ledger).run(flow).execution_id
    ledger.run(lambda uow: uow.workflows.retry(execution, "list"))
    assert "succeeded" == Runner(ledger, flow).resume(execution).state
    assert {"succeeded", "skipped"} == set(states(ledger, execution).values())


def test_the_same_workflow_is_defined_by_many_at_once(ledger: Ledger) -> None:
    together = threading.Barrier(4, timeout=20)
    flow = Workflow("common").step("a", lambda context: 1)

    def run(_: int) -> str:
        together.wait()
        return str(Runner(ledger).run(flow).state)

    with ThreadPoolExecutor(4) as pool:
        assert ["succeeded"] * 4 == list(pool.map(run, range(4)))
    with ledger.read() as uow:
        assert [1] == [one.version for one in uow.workflows.list()]


def test_only_one_of_two_runners_that_resume_at_once_has_the_execution(ledger: Ledger) -> None:
    together = threading.Barrier(2, timeout=20)
    calls: list[int] = []
    flow = Workflow("one")

    @flow.does("a")
    def a(context: StepContext) -> None:
        calls.append(1)
        context.wait(0.3)

    with ledger.begin() as uow:
        uow.workflows.define(flow.definition)
        uow.workflows.start("one", execution_id="e")

    def resume(_: int) -> str:
        together.wait()
        try:
            return str(Runner(ledger, flow).resume("e").state)
        except ExecutionBusy:
            return "busy"

    with ThreadPoolExecutor(2) as pool:
        assert ["busy", "succeeded"] == sorted(pool.map(resume, range(2)))
    assert [1] == calls


def test_steps_may_use_the_loops_threads_however_many_runners_there_are(url: str) -> None:
    """More runners than the loop has threads, each with a step that waits for one of them."""

    async def main() -> set[str]:
        flow = Workflow("threads")

        @flow.does("thread")
        async def thread(context: StepContext) -> int:
            return await asyncio.to_thread(lambda: 1)

        @flow.does("leaves")
        async def leaves(context: StepContext) -> None:
            raise SystemExit(3)

        async with AsyncLedger(url) as ledger:
            await ledger.run(lambda uow: uow.workflows.define(flow.definition))
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
            runners = (AsyncRunner(ledger, flow).run(flow) for _ in range(4))
            ended = await asyncio.wait_for(asyncio.gather(*runners), 30)
            return {str(one.error) for one in ended}

    assert {"failed: leaves"} == asyncio.run(main())
