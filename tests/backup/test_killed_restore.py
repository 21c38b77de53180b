"""Whenever a restoration is killed, the old ledger is there or the new one, whole; and it can be run again."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from chatledger import Ledger
from tests.backup.rows import counts, stored, without_restoration
from tests.faults.nursery import ChildFailed, Nursery
from tests.faults.truth import require_sound
from tests.support.sqlite import url_of

STEPS = ["copying", "verifying", "upgrading", "waiting for the old ledger", "replacing", "renaming", "replaced"]
"""Before the old ledger is touched; while nobody else may open it; with the new one ready; after its renaming."""


def leave_in_the_log(old: Path, nursery: Nursery) -> None:
    """Have a writer killed, so that its last messages are in the old ledger's log alone."""
    child = nursery.start("append_until_killed", url_of(old), "held", "in the log")
    deadline = time.monotonic() + 10
    while len(child.acknowledged()) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    child.kill()
    assert old.with_name(f"{old.name}-wal").stat().st_size


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_each_step_leaves_the_old_ledger_or_the_new_one(
    old: Path, backup: Path, nursery: Nursery, step: str
) -> None:
    leave_in_the_log(old, nursery)
    new = stored(url_of(backup))
    with pytest.raises(ChildFailed, match="no outcome"):
        nursery.start("restore_and_die", str(backup), url_of(old), step).result()
    after = stored(url_of(old))  # as any program would open it: with whatever lies beside it
    require_sound(url_of(old))
    is_new = "since the backup" not in {row[0] for row in after["chatledger_sessions"]}
    assert (step == "replaced") == is_new
    if is_new:
        assert without_restoration(new) == without_restoration(after)
    else:
        assert any("in the log 4" in row for row in after["chatledger_messages"])
    with Ledger(url_of(old)) as ledger:
        assert ledger.check()
    Ledger.restore(backup, url_of(old), overwrite=True)
    assert without_restoration(new) == without_restoration(stored(url_of(old)))
    require_sound(url_of(old))


@pytest.mark.parametrize("step", ["replacing", "renaming", "replaced"])
def test_a_damaged_ledger_is_not_lost_when_its_replacing_is_killed(
    old: Path, backup: Path, nursery: Nursery, step: str
) -> None:
    broken = bytearray(old.read_bytes())
    broken[0:16] = b"\0" * 16
    old.write_bytes(broken)
    with pytest.raises(ChildFailed, match="no outcome"):
        nursery.start("restore_and_die", str(backup), url_of(old), step).result()
    kept = [path.read_bytes() for path in old.parent.glob("chat.db*") if not path.name.endswith(".new")]
    assert bytes(broken) in kept
    Ledger.restore(backup, url_of(old), overwrite=True)
    assert counts(url_of(backup)) == counts(url_of(old))


@pytest.mark.parametrize("step", ["upgrading", "chatledger_messages", "comparing", "replacing", "replaced"])
def test_a_kill_leaves_a_server_with_the_old_rows_or_the_new_ones(
    backup: Path, migrated_postgres_url: str, nursery: Nursery, step: str
) -> None:
    with Ledger(migrated_postgres_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("mine"))
    with pytest.raises(ChildFailed, match="no outcome"):
        nursery.start("restore_and_die", str(backup), migrated_postgres_url, step).result()
    assert (counts(url_of(backup)) if step == "replaced" else (1, 0)) == counts(migrated_postgres_url)
    Ledger.restore(backup, migrated_postgres_url, overwrite=True)
    assert without_restoration(stored(url_of(backup))) == without_restoration(stored(migrated_postgres_url))
    with Ledger(migrated_postgres_url) as ledger:
        assert ledger.check()


def kill_at_random_moments(old: Path, backup: Path, nursery: Nursery, rounds: int) -> tuple[int, int]:
    """How often the old ledger was left, and the new one."""
    whole = old.read_bytes()
    new = without_restoration(stored(url_of(backup)))
    left = [0, 0]
    for _ in range(rounds):
        for path in old.parent.glob("*"):
            path.unlink()
        old.write_bytes(whole)
        leave_in_the_log(old, nursery)
        child = nursery.start("restore", str(backup), url_of(old))
        time.sleep(random.uniform(0, 0.15))
        child.kill()
        after = stored(url_of(old))
        require_sound(url_of(old))
        is_new = "since the backup" not in {row[0] for row in after["chatledger_sessions"]}
        left[is_new] += 1
        if is_new:
            assert new == without_restoration(after)
        else:
            assert any("in the log 4" in row for row in after["chatledger_messages"])
    return left[0], left[1]


def test_a_kill_at_any_moment_leaves_one_of_the_two(old: Path, backup: Path, nursery: Nursery) -> None:
    assert 8 == sum(kill_at_random_moments(old, backup, nursery, 8))


@pytest.mark.soak
def test_two_hundred_kills_leave_one_of_the_two(old: Path, backup: Path, nursery: Nursery) -> None:
    before, after = kill_at_random_moments(old, backup, nursery, 200)
    assert before
    assert after
