"""kill -9 of a repair leaves the ledger as it was, or mended; run again, it is mended."""

from __future__ import annotations

import random
import time
from contextlib import closing
from pathlib import Path

import pytest

from chatledger import Ledger
from tests.faults.nursery import Nursery
from tests.faults.truth import require_sound
from tests.integrity.damage import DAMAGES, dump

_DONE = ("a session that is gone from above its rows", "wrong totals", "a context that is no object")


@pytest.fixture
def damaged(filled: str) -> str:
    for name in _DONE:
        DAMAGES[name].do(filled)
    return filled


def test_a_repair_that_is_killed_before_its_commit_has_changed_nothing(nursery: Nursery, damaged: str) -> None:
    before = dump(damaged)
    child = nursery.start("repair", damaged, 60.0)
    deadline = time.monotonic() + 30
    while not child.acknowledged():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.kill()
    assert before == dump(damaged)
    with closing(Ledger(damaged)) as ledger:
        assert not ledger.check()
        assert ledger.repair(backup=False)
    require_sound(damaged)


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.soak)])
def test_a_repair_that_is_killed_at_any_moment_is_done_or_not_done(
    nursery: Nursery, damaged: str, tmp_path: Path, kills: int
) -> None:
    before = dump(damaged)
    for _ in range(kills):
        child = nursery.start("repair", damaged, 0.0)
        time.sleep(random.uniform(0.0, 0.6))
        child.kill()
        if before != dump(damaged):
            break
        # A copy appears under its name when it is whole.
        for copy in tmp_path.glob("chat.before-repair-*.db"):
            assert before == dump(f"sqlite:///{copy}")
    done = nursery.start("repair", damaged, 0.0).result()
    assert done["ok"]
    with closing(Ledger(damaged)) as ledger:
        assert ledger.check()
    require_sound(damaged)
