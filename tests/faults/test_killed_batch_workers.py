"""kill -9 of workers at random moments: every item is done, and its result recorded, exactly once."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import closing

import pytest

from chatledger import Ledger
from tests.faults.nursery import Child, Nursery
from tests.support.raw import Raw


@pytest.mark.parametrize(
    ("count", "workers", "kills", "lease", "pause"),
    [
        pytest.param(300, 4, 3, 1.0, 0.01, id="few"),
        pytest.param(10_000, 8, 40, 3.0, 0.01, id="many", marks=pytest.mark.soak),
    ],
)
def test_every_item_is_done_exactly_once_whoever_is_killed(
    nursery: Nursery,
    url: str,
    count: int,
    workers: int,
    kills: int,
    lease: float,
    pause: float,
) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.run(
            lambda uow: uow.batches.create(
                "job", [{"key": f"k{n}", "payload": n} for n in range(1, count + 1)], max_attempts=1000, backoff=0.01
            )
        )
    crowd = [_worker(nursery, url, lease, pause) for _ in range(workers)]
    everybody = list(crowd)
    for _ in range(kills):
        time.sleep(random.uniform(0.05, 0.25))
        victim = random.randrange(workers)
        crowd[victim].kill()
        crowd[victim] = _worker(nursery, url, lease, pause)
        everybody.append(crowd[victim])
    for child in crowd:
        assert {"done": count, "failed": 0} == child.result(within=300)

    begun = Counter(number for child in everybody for number, _ in child.acknowledged())
    assert set(range(1, count + 1)) == set(begun)
    with closing(Ledger(url)) as ledger, ledger.read() as uow:
        items = list(uow.batches.iterate("job", status="done"))
        assert [*range(1, count + 1)] == [item.result["of"] for item in items] == [item.payload for item in items]
        assert ledger.check()
    # The results are sessions, written with the completion: one for each item, and none that no item names.
    raw = Raw(url)
    assert (
        count
        == raw.count("chatledger_sessions")
        == raw.count("chatledger_messages")
        == len({item.session_id for item in items})
    )


def test_what_a_killed_worker_held_comes_back_when_its_lease_ends(nursery: Nursery, url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.batches.create("job", [{"key": f"k{n}"} for n in range(5)]))
        child = nursery.start("claim_and_hang", url, "job", 0.5)
        while len(child.acknowledged()) < 5:
            time.sleep(0.005)
        child.kill()
        assert [] == ledger.run(lambda uow: uow.batches.claim("job", worker="early", limit=5))
        done = ledger.run_batch("job", lambda item: item.lease, concurrency=5)
        assert (5, 0) == (done.done, done.failed)
        with ledger.read() as uow:
            assert [2] * 5 == [item.result for item in uow.batches.iterate("job")]


def _worker(nursery: Nursery, url: str, lease: float, pause: float) -> Child:
    return nursery.start("work_on", url, "job", 4, lease, pause)
