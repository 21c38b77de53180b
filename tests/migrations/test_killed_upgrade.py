"""kill -9 during a migration leaves the old schema or the new one, and running it again succeeds."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from chatledger import Ledger
from chatledger.migrate import HEAD, REVISIONS
from tests.faults.nursery import Nursery
from tests.faults.truth import require_sound
from tests.migrations.contents import common, contents, fingerprint, found, revision


@pytest.mark.parametrize("kills", [2, pytest.param(150, marks=pytest.mark.soak)])
def test_a_killed_upgrade_keeps_the_rows_and_can_be_run_again(nursery: Nursery, filled_url: str, kills: int) -> None:
    rows, hits, head = contents(filled_url), found(filled_url), fingerprint(filled_url)
    with closing(Ledger(filled_url)) as ledger:
        ledger.downgrade("0001")
        old = fingerprint(filled_url)
        took = _timed(lambda: nursery.start("upgrade", filled_url).result())
        landed = {"0001": 0, HEAD: 0}
        for _ in range(kills):
            ledger.downgrade("0001")
            child = nursery.start("upgrade", filled_url)
            time.sleep(random.uniform(0, took))
            child.kill()
            stands = revision(filled_url)
            assert (old if stands == "0001" else head) == fingerprint(filled_url)
            _require_kept(rows, filled_url)
            landed[str(stands)] += 1
            ledger.upgrade()
            assert (head, rows) == (fingerprint(filled_url), contents(filled_url))
        assert ledger.check()
    assert hits == found(filled_url)
    require_sound(filled_url)
    assert kills == sum(landed.values())


@pytest.mark.parametrize("kills", [2, pytest.param(150, marks=pytest.mark.soak)])
def test_a_killed_downgrade_can_be_run_again(nursery: Nursery, filled_url: str, kills: int) -> None:
    rows, head = contents(filled_url), fingerprint(filled_url)
    with closing(Ledger(filled_url)) as ledger:
        took = _timed(lambda: nursery.start("downgrade", filled_url, "0001").result())
        old = fingerprint(filled_url)
        for _ in range(kills):
            ledger.upgrade()
            child = nursery.start("downgrade", filled_url, "0001")
            time.sleep(random.uniform(0, took))
            child.kill()
            assert (old if revision(filled_url) == "0001" else head) == fingerprint(filled_url)
            _require_kept(rows, filled_url)
            ledger.downgrade("0001")
            assert old == fingerprint(filled_url)
            _require_kept(rows, filled_url)


@pytest.mark.parametrize("kills", [2, pytest.param(150, marks=pytest.mark.soak)])
def test_a_first_opening_that_is_killed_can_be_repeated(
    nursery: Nursery, url: str, new_url: Callable[[], str], kills: int
) -> None:
    head = fingerprint(url)
    took = _timed(lambda: nursery.start("open_it", new_url()).result())
    for _ in range(kills):
        fresh = new_url()
        child = nursery.start("open_it", fresh)
        time.sleep(random.uniform(0, took))
        child.kill()
        with closing(Ledger(fresh)) as ledger:
            assert HEAD == ledger.current()
            ledger.run(lambda uow: uow.sessions.create("s"))
        assert head == fingerprint(fresh)
        if fresh.startswith("sqlite"):
            require_sound(fresh)
            for part in Path(str(make_url(fresh).database)).parent.glob("*.db-*"):
                part.unlink(missing_ok=True)


@pytest.mark.soak
def test_a_killed_step_between_any_two_revisions(nursery: Nursery, filled_url: str) -> None:
    rows = contents(filled_url)
    with closing(Ledger(filled_url)) as ledger:
        for low, high in itertools.pairwise(REVISIONS):
            ledger.downgrade(low)
            for _ in range(10):
                child = nursery.start("upgrade", filled_url, high)
                time.sleep(random.uniform(0, 0.1))
                child.kill()
                assert revision(filled_url) in {low, high}
                ledger.upgrade(high)
                _require_kept(rows, filled_url)
                ledger.downgrade(low)
            ledger.upgrade()


def _require_kept(rows: dict[str, list[dict[str, Any]]], url: str) -> None:
    """Whatever has a place at the revision where the database stands is there."""
    stands = contents(url)
    assert common(rows, stands) == stands


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
