"""kill -9 of a repricing: whole batches are done, counted everywhere and in the audit log, and another run finishes."""

from __future__ import annotations

import random
import time
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from chatledger import Ledger
from tests.faults.nursery import Nursery
from tests.faults.repricers import BATCH
from tests.faults.truth import require_sound
from tests.support.raw import Raw

_T0 = datetime(2026, 1, 1, tzinfo=UTC)
_SESSIONS, _MESSAGES = 12, 40
_ALL = _SESSIONS * _MESSAGES


def fill(url: str) -> None:
    """Half of the messages were counted with an old price, half came before there was any; one has a given cost."""
    with closing(Ledger(url, clock=lambda: _T0)) as ledger, ledger.begin() as uow:
        message = {"role": "user", "input_tokens": 10**6}
        for number in range(_SESSIONS):
            uow.sessions.create(f"s{number}", user_id="ada", project_id="p", model_id="m")
            uow.messages.append_many(f"s{number}", [message] * (_MESSAGES // 2))
        uow.models.price("m", input=1, effective_from=_T0)
        for number in range(_SESSIONS):
            uow.messages.append_many(f"s{number}", [message] * (_MESSAGES // 2))
        uow.messages.append("s0", "user", input_tokens=10**6, cost=9)
        uow.models.price("m", input=3, effective_from=_T0)


def require_counted(url: str) -> int:
    """How many costs are the new ones, after it was found that every counter and the audit log say the same."""
    raw = Raw(url)
    done = int(raw("SELECT count(*) FROM chatledger_messages WHERE cost = 3000000000")[0][0])
    assert 0 == done % BATCH
    with closing(Ledger(url)) as ledger:
        assert ledger.check()
        with ledger.read() as uow:
            for number in range(_SESSIONS):
                costs = [message.cost for message in uow.messages.history(f"s{number}")]
                assert sum(cost or Decimal(0) for cost in costs) == uow.sessions.get(f"s{number}").total_cost
            assert done == sum(entry.count or 0 for entry in uow.audit.list(action="messages.repriced", limit=1000))
    sums = [raw(f"SELECT {total} FROM {table}")[0][0] for table, total in (
        ("chatledger_messages", "sum(cost)"), ("chatledger_sessions", "sum(total_cost)"), ("chatledger_session_usage", "sum(cost)"),
    )]  # fmt: skip
    assert [int(sums[0])] * 3 == list(map(int, sums))
    require_sound(url)
    return done


@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.soak)])
def test_a_killed_repricing_is_finished_by_the_next(nursery: Nursery, url: str, kills: int) -> None:
    fill(url)
    before = 0
    for _ in range(kills):
        child = nursery.start("reprice_slowly", url)
        until = time.monotonic() + 30
        while len(child.acknowledged()) < 2 and before < _ALL - 8 * BATCH:
            assert time.monotonic() < until
            time.sleep(0.002)
        time.sleep(random.uniform(0.0, 0.02))
        child.kill()
        _settled(url)
        done = require_counted(url)
        assert max([before, *(before + changed for (changed,) in child.acknowledged())]) <= done
        before = done
    assert 0 < before
    with closing(Ledger(url)) as ledger:
        rest = ledger.reprice()
        assert (_ALL - before, 0) == (rest.changed, ledger.reprice().changed)
    assert _ALL == require_counted(url)


def _settled(url: str) -> None:
    """On a server, the backend of a killed client may still be at its last statement: wait until it has gone."""
    if url.startswith("sqlite"):
        return
    raw = Raw(url)
    deadline = time.monotonic() + 10
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND state <> 'idle'"
    )
    while raw(others)[0][0] and time.monotonic() < deadline:
        time.sleep(0.01)
