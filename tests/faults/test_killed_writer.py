"""kill -9 of a writer at random moments: what it acknowledged is there, once, in order."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from chatledger import Ledger
from tests.faults.nursery import Nursery
from tests.faults.truth import numbered_messages, require_acknowledged, require_sound


@pytest.mark.parametrize("kills", [8, pytest.param(1000, marks=pytest.mark.soak)])
def test_every_acknowledged_append_survives(
    nursery: Nursery, url: str, kills: int, record_property: Callable[[str, object], None]
) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    acknowledged: list[object] = []
    for kill in range(kills):
        child = nursery.start("append_until_killed", url, "s", f"writer {kill}")
        if kill == 0:
            child.wait_for(0)  # else a busy machine might kill every one of them before it has begun
        time.sleep(random.uniform(0.0, 0.25))
        child.kill()
        acknowledged += child.acknowledged()
        if kill % 10 == kills % 10:
            require_sound(url)
    _settle(url)
    require_acknowledged(numbered_messages(url, "s"), acknowledged)
    require_sound(url)
    assert acknowledged
    record_property("acknowledged", len(acknowledged))
    with closing(Ledger(url)) as ledger:
        assert ledger.check()
        ledger.run(lambda uow: uow.messages.append("s", "user", "after all"))


@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.soak)])
def test_the_writers_beside_a_killed_one_go_on(nursery: Nursery, url: str, kills: int) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    crowd = [nursery.start("append_until_killed", url, "s", f"writer {number}") for number in range(3)]
    for kill in range(kills):
        time.sleep(random.uniform(0.05, 0.3))
        crowd[kill % 3].kill()
        crowd.append(nursery.start("append_until_killed", url, "s", f"later writer {kill}"))
        crowd[kill % 3] = crowd.pop() if kills > 10 else crowd[kill % 3]
    for child in crowd[-2:]:
        child.wait_for(len(child.acknowledged()))
    for child in crowd:
        child.kill()
    _settle(url)
    stored = numbered_messages(url, "s")
    for child in crowd:
        require_acknowledged(stored, child.acknowledged())
        numbers = [number for number, _ in child.acknowledged()]
        assert sorted(numbers) == numbers
    require_sound(url)


def _settle(url: str) -> None:
    """On a server, the backend of a killed client may still be at its last commit: wait for the session's lock."""
    with closing(Ledger(url)) as ledger, ledger.begin() as uow:
        uow.sessions.update("s", title="settled")
