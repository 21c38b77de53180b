"""Processes write to one database: nothing lost, doubled, skipped or reordered, and no lock reaches the caller."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from chatledger import Ledger
from tests.faults.nursery import Nursery
from tests.faults.truth import numbered_messages, require_acknowledged, require_sound


@pytest.mark.parametrize(
    ("processes", "each"), [(4, 100), pytest.param(8, 1000, marks=pytest.mark.soak)], ids=["4x100", "8x1000"]
)
@pytest.mark.parametrize("spread", ["one session", "many sessions"])
def test_processes_append(
    nursery: Nursery,
    url: str,
    processes: int,
    each: int,
    spread: str,
    record_property: Callable[[str, object], None],
) -> None:
    sessions = ["s0"] if spread == "one session" else [f"s{number}" for number in range(5)]
    with closing(Ledger(url)) as ledger, ledger.begin() as uow:
        for session in sessions:
            uow.sessions.create(session)
    results = nursery.crowd("append", [(url, sessions, each, f"process {number}") for number in range(processes)])
    total = 0
    for session in sessions:
        stored = numbered_messages(url, session)
        total += len(stored)
        for result in results:
            mine = [(number, text) for at, number, text in result["acknowledged"] if at == session]
            require_acknowledged(stored, mine)
            assert sorted(mine) == mine
    assert processes * each == total
    longest = max(result["longest"] for result in results)
    assert longest < 8
    record_property("acknowledged", total)
    record_property("longest wait", longest)
    require_sound(url)


def test_a_poller_in_another_process_sees_a_prefix_of_what_is_written(nursery: Nursery, url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    pollers = [nursery.start("poll", url, "s", 1.5) for _ in range(2)]
    nursery.crowd("append", [(url, ["s"], 80, f"process {number}") for number in range(3)])
    total = len(numbered_messages(url, "s"))
    for poller in pollers:
        seen = poller.result()["seen"]
        assert list(range(1, len(seen) + 1)) == seen
        assert 0 < len(seen) <= total
