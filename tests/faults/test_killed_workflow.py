"""kill -9 of a runner in the middle of a list: another goes on, and each step's effect is there once."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

import pytest

from chatledger import Ledger
from tests.faults.nursery import Nursery
from tests.support.raw import Raw


def test_each_steps_effect_is_there_once(nursery: Nursery, url: str) -> None:
    require_once(nursery, url, [f"conversation {number}" for number in range(12)], kills=2)


@pytest.mark.soak
def test_so_it_is_with_fifty_real_conversations(nursery: Nursery, url: str, shared_data: Path) -> None:
    lines = (shared_data / "mt_bench" / "question.jsonl").read_text("utf-8").splitlines()
    require_once(nursery, url, ["\n".join(json.loads(line)["turns"]) for line in lines[:50]], kills=5)


def require_once(nursery: Nursery, url: str, conversations: list[str], kills: int) -> None:
    number = len(conversations)
    for kill in range(kills):
        child = (
            nursery.start("resume_diamond", url, kill) if kill else nursery.start("execute_diamond", url, conversations)
        )
        until = time.monotonic() + 30
        while len(child.acknowledged()) < number // (kills + 1):
            assert time.monotonic() < until
            time.sleep(0.002)
        child.kill()
    raw = Raw(url)
    done = raw(
        "SELECT count(*) FROM chatledger_workflow_steps WHERE step = 'summarise' AND item >= 0 AND state = 'succeeded'"
    )
    assert 0 <= done[0][0] < number
    last = nursery.start("resume_diamond", url, kills)
    assert "succeeded" == last.result()
    # What had succeeded was not begun again.
    assert number - done[0][0] == len(last.acknowledged())
    with closing(Ledger(url)) as ledger, ledger.read() as uow:
        assert list(range(number)) == uow.workflows.output("run", "join")
        steps = [step for step in uow.workflows.steps("run") if step.step == "summarise" and step.item >= 0]
        assert [[text, f"summary {place}"] for place, text in enumerate(conversations)] == [
            [one.content for one in uow.messages.history(step.session_id or "")] for step in steps
        ]
    assert number + 1 == raw.count("chatledger_sessions")
    assert 2 * number + 1 == raw.count("chatledger_messages")
