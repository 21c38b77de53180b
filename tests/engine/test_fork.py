"""A process that forks with a ledger open: parent and child both write, and both are right."""

from __future__ import annotations

from contextlib import closing

import pytest

from chatledger import Ledger
from tests.faults.nursery import Nursery
from tests.faults.truth import numbered_messages, require_acknowledged, require_sound


@pytest.mark.parametrize("task", ["fork_and_append", "fork_while_a_thread_writes"])
def test_parent_and_child_both_write(nursery: Nursery, url: str, task: str) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    child = nursery.start(task, url, "s", 50)
    assert 0 == child.result(within=10)
    acknowledged = child.acknowledged()
    assert 100 == len(acknowledged)
    # numbered_messages compares token totals too; these messages have none
    stored = numbered_messages(url, "s")
    assert 101 == len(stored)
    require_acknowledged(stored, acknowledged)
    require_sound(url)


def test_a_parent_that_closes_does_not_take_the_log_away_from_its_child(nursery: Nursery, url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    child = nursery.start("fork_and_close", url, "s", 20)
    assert 0 == child.result(within=10)
    acknowledged = [each for each in child.acknowledged() if each[0]]
    assert 40 == len(acknowledged)
    stored = numbered_messages(url, "s")
    require_acknowledged(stored, acknowledged)
    assert 41 == len(stored)
    require_sound(url)
