"""An append changes its session's row in place: on PostgreSQL no index is rewritten (HOT)."""

from __future__ import annotations

import time
from contextlib import closing

from chatledger import Ledger
from tests.support.clock import StoppedClock
from tests.support.raw import Raw

_FIGURES = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'chatledger_sessions'"


def test_appends_within_an_hour_are_hot_updates(migrated_postgres_url: str) -> None:
    url = migrated_postgres_url
    clock = StoppedClock()
    with closing(Ledger(url, clock=clock)) as ledger:
        with ledger.begin() as uow:
            for number in range(10):
                uow.sessions.create(f"s{number}", user_id="ada", model_id="m", project_id="p")
        for number in range(200):
            clock.advance(seconds=8)  # at human speed
            ledger.run(lambda uow, name=f"s{number % 10}": uow.messages.append(name, "user", "x", input_tokens=1))  # type: ignore[misc]
    raw = Raw(url)
    deadline = time.monotonic() + 10
    updates = hot = 0
    while updates < 200 and time.monotonic() < deadline:  # figures arrive when the connection has ended
        updates, hot = raw(_FIGURES)[0]
        time.sleep(0.05)
    assert 200 == updates
    assert hot >= 0.9 * updates
