"""Executions: parallel, resumed, retried, cancelled; a step's effect once."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from chatledger import AsyncLedger, Ledger
from chatledger.errors import ExecutionBusy
from chatledger.services.workflows import statements as workflow_statements
from chatledger.workflows import AsyncRunner, Runner, StepContext, Workflow


def diamond(width: int = 4) -> Workflow:
    """split, then each item twice over, then one that joins."""
    flow = Workflow("diamond", inputs={"texts": {}})
    flow.step("split", lambda context: {"items": context.input["texts"]}, with_={"texts": "${input.texts}"})

    @flow.does("shout", for_each="${split.output.items}", with_={"text": "${item}!"}, max_parallel=width)
    def shout(context: StepContext) -> Any:
        context.append("user", context.input["text"], key=context.key)
        return context.input["text"].upper()

    flow.step("count", lambda context: len(context.input["all"]), with_={"all": "${split.output.items}"})
    flow.step("join", lambda context: [context.input["said"], context.input["n"]],
              with_={"said": "${shout.output}", "n": "${count.output}"})  # fmt: skip
    return flow


def test_outputs_are_handed_on_and_each_step_writes_its_session(ledger: Ledger) -> None:
    execution = Runner(ledger).run(diamond(), {"texts": ["a", "b", "c"]})
    assert "succeeded" == execution.state
    with ledger.read() as uow:
        assert [["A!", "B!", "C!"], 3] == uow.workflows.output(execution.execution_id, "join")
        said = [step for step in uow.workflows.steps(execution.execution_id) if step.session_id]
        assert ["a!", "b!", "c!"] == [uow.messages.history(one.session_id or "")[0].content for one in said]


def test_ready_steps_run_at_the_same_time(ledger: Ledger) -> None:
    together = threading.Barrier(5, timeout=20)
    flow = Workflow("wide")
    flow.step("all", lambda context: together.wait() >= 0, for_each=[1, 2, 3, 4])
    flow.step("beside", lambda context: together.wait() >= 0)
    assert "succeeded" == Runner(ledger).run(flow).state


def test_a_failed_step_is_tried_again_and_nothing_of_the_failed_attempt_is_kept(ledger: Ledger) -> None:
    flow = Workflow("stubborn")

    @flow.does("once", retries=2, backoff=0)
    def once(context: StepContext) -> int:
        context.append("user", f"attempt {context.attempt}")
        if context.attempt < 3:
            raise ValueError("not yet")
        return context.attempt

    execution = Runner(ledger).run(flow)
    with ledger.read() as uow:
        (step,) = uow.workflows.steps(execution.execution_id)
        assert (3, 3) == (step.output, step.attempt)
        assert ["ValueError: not yet"] * 2 == [one["error"] for one in step.history]
        assert ["attempt 3"] == [one.content for one in uow.messages.history(step.session_id or "")]
        assert 1 == len(uow.sessions.list())


def test_what_follows_a_failed_step_waits_until_it_is_retried(ledger: Ledger) -> None:
    broken = [True]
    flow = Workflow("mend")
    calls: list[str] = []

    @flow.does("first")
    def first(context: StepContext) -> int:
        calls.append("first")
        return 1

    @flow.does("second", needs=["first"])
    def second(context: StepContext) -> int:
        if broken[0]:
            raise RuntimeError("down")
        return 2

    flow.step("third", lambda context: 3, needs=["second"])
    runner = Runner(ledger, flow)
    failed = runner.run(flow)
    assert ("failed", "failed: second") == (failed.state, failed.error)
    assert failed == runner.resume(failed.execution_id)
    broken[0] = False
    ledger.run(lambda uow: uow.workflows.retry(failed.execution_id))
    assert "succeeded" == runner.resume(failed.execution_id).state
    assert ["first"] == calls
    ledger.run(lambda uow: uow.workflows.retry(failed.execution_id, "first"))
    assert "succeeded" == runner.resume(failed.execution_id).state
    assert ["first"] * 2 == calls


def test_a_condition_skips_a_step_and_what_waits_for_it(ledger: Ledger) -> None:
    flow = Workflow("branch", inputs={"label": {}})
    flow.step("good", lambda context: "g", when={"ref": "${input.label}", "equals": "good"})
    flow.step("bad", lambda context: "b", when={"not": {"ref": "${input.label}", "equals": "good"}})
    flow.step("after", lambda context: "a", needs=["bad"])
    flow.step("join", lambda context: context.input, with_={"g": "${good.output}", "b": "${bad.output}"},
              accept_skipped=True)  # fmt: skip
    execution = Runner(ledger).run(flow, {"label": "good"})
    with ledger.read() as uow:
        states = {step.step: str(step.state) for step in uow.workflows.steps(execution.execution_id)}
        assert {"good": "succeeded", "bad": "skipped", "after": "skipped", "join": "succeeded"} == states
        assert {"g": "g", "b": None} == uow.workflows.output(execution.execution_id, "join")


def test_a_late_result_is_refused_with_all_that_it_would_write(ledger: Ledger) -> None:
    over = threading.Event()
    flow = Workflow("slow")

    @flow.does("slow", timeout=0.3)
    def slow(context: StepContext) -> int:
        context.append("user", "too late")
        assert over.wait(20)
        return 1

    execution = Runner(ledger).run(flow)
    over.set()
    for thread in threading.enumerate():
        if thread.name == "slow--1":
            thread.join(20)
    with ledger.read() as uow:
        (step,) = uow.workflows.steps(execution.execution_id)
        assert ("failed", "TimeoutError: took longer than 0.3 seconds") == (step.state, step.error)
        assert 0 == len(uow.sessions.list())


def test_an_execution_belongs_to_one_runner_until_its_lease_ends(ledger: Ledger) -> None:
    flow = Workflow("held").step("one", lambda context: 1)
    with ledger.begin() as uow:
        uow.workflows.define(flow.definition)
        name = uow.workflows.start("held").execution_id
    old, _ = ledger.run(lambda uow: workflow_statements.acquire(uow._context, name, "dead", timedelta(seconds=60)))
    with pytest.raises(ExecutionBusy):
        Runner(ledger, flow).resume(name)
    assert "succeeded" == Runner(ledger, flow).resume(name, take_over=True).state
    assert old is not None
    with pytest.raises(ExecutionBusy):
        ledger.run(lambda uow: workflow_statements.renew(uow._context, old))


def test_cancelling_ends_a_running_execution(ledger: Ledger) -> None:
    flow = Workflow("endless")

    @flow.does("wait")
    def wait(context: StepContext) -> None:
        ledger.run(lambda uow: uow.workflows.cancel(context.execution_id))
        context.wait(60)

    flow.step("never", lambda context: 1, needs=["wait"])
    execution = Runner(ledger, lease=1).run(flow)
    assert "cancelled" == execution.state
    with ledger.read() as uow:
        assert {"cancelled"} == {str(step.state) for step in uow.workflows.steps(execution.execution_id)}


def test_an_interrupted_execution_can_be_gone_on_with(ledger: Ledger) -> None:
    stop = threading.Event()
    calls: list[str] = []
    flow = Workflow("paused")
    flow.step("first", lambda context: calls.append("first"))

    @flow.does("second", needs=["first"])
    def second(context: StepContext) -> None:
        calls.append("second")
        if not stop.is_set():
            stop.set()
            context.wait(60)

    execution = Runner(ledger, stopping=stop.is_set).run(flow)
    assert "pending" == execution.state
    assert "succeeded" == Runner(ledger, flow).resume(execution.execution_id).state
    assert ["first", "second", "second"] == calls


def test_commands_and_prompts(ledger: Ledger) -> None:
    flow = Workflow("mixed", inputs={"who": {"default": "Ada"}})
    flow.step("ask", prompt="Greet ${input.who}, costs $${nothing}")
    flow.step("echo", exec=["printf", '{"said": "%s"}', "${ask.output.text}"])
    execution = Runner(ledger, responder=lambda conversation: conversation[-1].content.lower()).run(flow)
    with ledger.read() as uow:
        assert {"said": "greet ada, costs ${nothing}"} == uow.workflows.output(execution.execution_id, "echo")
        (ask, _) = uow.workflows.steps(execution.execution_id)
        assert ["user", "assistant"] == [one.role for one in uow.messages.history(ask.session_id or "")]


def test_coroutines_are_tasks_of_the_callers_loop(url: str) -> None:
    async def main() -> list[Any]:
        together = asyncio.Barrier(3)

        async def meet(context: StepContext) -> int:
            await together.wait()
            context.append("user", "met")
            return context.index

        flow = Workflow("tasks").step("meet", meet, for_each=["a", "b", "c"])
        async with AsyncLedger(url) as ledger:
            execution = await AsyncRunner(ledger).run(flow)
            async with ledger.read() as uow:
                output: list[Any] = await uow.workflows.output(execution.execution_id, "meet")
                return output

    assert [0, 1, 2] == asyncio.run(main())
