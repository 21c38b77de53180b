"""Eight processes open one database at once, when nobody has opened it before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url

from chatledger import Ledger, Settings, revisions
from chatledger.dialects.base import Dialect
from chatledger.migrate import HEAD
from tests.faults.nursery import Nursery
from tests.faults.truth import require_sound
from tests.migrations.contents import fingerprint, revision
from tests.support.raw import Raw


def test_all_succeed_and_there_is_one_schema(nursery: Nursery, url: str, new_url: Callable[[], str]) -> None:
    _open_at_once(nursery, new_url(), fingerprint(url))


@pytest.mark.soak
def test_all_succeed_many_times(nursery: Nursery, url: str, new_url: Callable[[], str]) -> None:
    schema = fingerprint(url)
    for _ in range(50):
        _open_at_once(nursery, new_url(), schema)


def _open_at_once(nursery: Nursery, url: str, schema: dict[str, str]) -> None:
    results = nursery.crowd("open_it", [(url,)] * 8)
    assert [HEAD] * 8 == [result["revision"] for result in results]
    assert max(result["seconds"] for result in results) < 30
    assert schema == fingerprint(url)
    raw = Raw(url)
    assert 1 == raw.count("chatledger_version")
    assert (8, 8) == (raw.count("chatledger_sessions"), raw.count("chatledger_messages"))
    require_sound(url)
    if url.startswith("sqlite"):
        file = Path(str(make_url(url).database))
        assert [] == [path.name for path in file.parent.iterdir() if path.name.endswith(".new")]


def test_eight_upgrades_of_one_filled_database_at_once(nursery: Nursery, filled_url: str) -> None:
    assert HEAD == revision(filled_url)
    nursery.start("downgrade", filled_url, "0001").result()
    assert [HEAD] * 8 == nursery.crowd("upgrade", [(filled_url,)] * 8)
    require_sound(filled_url)
    assert 29 == Raw(filled_url).count("chatledger_messages")


def test_who_finds_nothing_to_do_waits_for_nobody(url: str) -> None:
    with Ledger(url, settings=Settings(busy_timeout=0.2)) as ledger, ledger.begin() as uow:
        uow.sessions.create("s")
        began = time.monotonic()
        with Ledger(url, migrate="always") as other:
            other.upgrade()
        assert time.monotonic() - began < 15  # a migration waits for a writer up to a minute


def test_who_comes_second_runs_no_revision_and_loads_nothing_under_the_lock(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    load, lock, run = revisions._scripts, revisions.locked, revisions._run

    def loading() -> Any:
        order.append("loads")
        return load()

    @contextmanager
    def locking(engine: Engine, dialect: Dialect) -> Iterator[Connection]:
        order.append("locks")
        with lock(engine, dialect) as connection:
            # The first process has been at work while this one waited.
            run(lambda scripts, at: scripts._upgrade_revs("head", at), connection=connection)
            order.append("runs")
            yield connection

    monkeypatch.setattr(revisions, "_scripts", loading)
    monkeypatch.setattr(revisions, "locked", locking)
    monkeypatch.setattr(revisions, "_run", None)
    with Ledger(empty_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    assert ["loads", "locks", "loads", "runs"] == order
