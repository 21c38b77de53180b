"""A diamond with a list in the middle, and the children that execute it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chatledger import Ledger, Settings
from chatledger.workflows import Runner, StepContext, Workflow
from tests.faults.acknowledging import acknowledge


def diamond(side: int) -> Workflow:
    """Conversations, a summary of each in a session of its own, a count beside, and one that joins."""
    flow = Workflow("diamond", inputs={"conversations": {}})
    flow.step("split", lambda context: context.input["all"], with_={"all": "${input.conversations}"})

    @flow.does("summarise", for_each="${split.output}", with_={"text": "${item}"}, max_parallel=4)
    def summarise(context: StepContext) -> int:
        acknowledge(side, ["begun", context.index])
        context.append("user", context.input["text"])
        context.append("assistant", f"summary {context.index}")
        context.wait(0.02)
        return context.index

    flow.step("count", lambda context: len(context.input["all"]), with_={"all": "${split.output}"})

    @flow.does("join", with_={"done": "${summarise.output}", "count": "${count.output}"})
    def join(context: StepContext) -> Any:
        context.append("assistant", f"joined {context.input['count']}")
        return context.input["done"]

    return flow


def execute_diamond(side: int, url: str, conversations: list[str]) -> str:
    """Begin an execution, to be killed."""
    with Ledger(url, settings=Settings(pool_size=5)) as ledger:
        flow = diamond(side)
        return str(Runner(ledger, flow).run(flow, {"conversations": conversations}, execution_id="run").state)


def resume_diamond(side: int, url: str, hours: int) -> str:
    """Go on with it, so many hours later."""
    with Ledger(url, clock=lambda: datetime.now(UTC) + timedelta(hours=hours)) as ledger:
        return str(Runner(ledger, diamond(side)).resume("run").state)
