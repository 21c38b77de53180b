"""A sweeper outlasts its database: ended connections, a restarted server, a file that somebody else has locked."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from chatledger import Busy, Ledger, Settings, Unavailable
from tests.faults.lifecycle_truth import require_whole
from tests.faults.nursery import Nursery
from tests.faults.test_ended_backends import _END_ALL
from tests.faults.test_restarted_server import restart
from tests.support.postgres import SERVER_VARIABLE
from tests.support.raw import Raw


@contextmanager
def sessions_falling_due(url: str) -> Iterator[list[str]]:
    """Somebody makes a session every so often, whatever happens, each of which is due a second later."""
    made: list[str] = []
    stop = threading.Event()

    def make() -> None:
        with closing(Ledger(url)) as ledger:
            while not stop.wait(0.02):
                name = f"s{len(made)}"
                try:
                    ledger.run(lambda uow, name=name: uow.sessions.create(name, hard_timeout=1))  # type: ignore[misc]
                except (Busy, Unavailable):
                    continue
                made.append(name)

    thread = threading.Thread(target=make)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join(30)


def until(holds: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


def archived(url: str, names: list[str]) -> bool:
    found = Raw(url)("SELECT session_id FROM chatledger_sessions WHERE status = 'archived'")
    return set(names) <= {row[0] for row in found}


@pytest.mark.parametrize("seconds", [1.2, pytest.param(30.0, marks=pytest.mark.soak)])
def test_ended_connections(migrated_postgres_url: str, seconds: float) -> None:
    url = migrated_postgres_url
    with closing(Ledger(url)) as ledger, sessions_falling_due(url) as made, ledger.sweeper(0.05) as sweeper:
        raw = Raw(url)
        deadline = time.monotonic() + seconds
        ended = 0
        while time.monotonic() < deadline:
            time.sleep(0.1)
            ended += int(raw(_END_ALL)[0][0])
        assert ended > 5
        names = list(made)
        assert until(lambda: archived(url, names))
        assert sweeper.running
    require_whole(url)


def test_a_restarted_server(migrated_postgres_url: str) -> None:
    if os.environ.get(SERVER_VARIABLE):
        pytest.skip("the server belongs to somebody else")
    url = migrated_postgres_url
    with closing(Ledger(url)) as ledger, sessions_falling_due(url) as made, ledger.sweeper(0.05) as sweeper:
        time.sleep(1.2)
        restart(Path(str(make_url(url).query["host"])))
        before = len(made)
        assert until(lambda: len(made) > before)
        names = list(made)
        assert until(lambda: archived(url, names))
        assert until(lambda: sweeper.last_error is None)
    require_whole(url)


def test_a_file_that_is_locked_for_longer_than_a_sweep_waits(nursery: Nursery, migrated_sqlite_url: str) -> None:
    url = migrated_sqlite_url
    with closing(Ledger(url, settings=Settings(busy_timeout=0.1))) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s", hard_timeout=1))
        stranger = nursery.start("lock_file", url.removeprefix("sqlite:///"), 1.0)
        assert until(lambda: stranger.acknowledged() != [])
        with ledger.sweeper(0.05) as sweeper:
            assert until(lambda: isinstance(sweeper.last_error, Busy))
            assert not archived(url, ["s"])
            stranger.result()
            assert until(lambda: archived(url, ["s"]))
            assert until(lambda: sweeper.last_error is None)
    require_whole(url)


def test_a_session_whose_row_somebody_holds_is_left_to_a_later_sweep(migrated_postgres_url: str) -> None:
    url = migrated_postgres_url
    with closing(Ledger(url)) as ledger, closing(Ledger(url)) as other:
        with ledger.begin() as uow:
            for name in ("free", "held"):
                uow.sessions.create(name, hard_timeout=1)
        with other.begin() as uow, ledger.sweeper(0.05):
            uow.messages.append("held", "user", "still writing")
            assert until(lambda: archived(url, ["free"]))
            assert not archived(url, ["held"])
        # The one that was under way may still be about to look at the session.
        assert until(lambda: ledger.sweep().archived <= 1 and archived(url, ["held"]))
    require_whole(url)
