"""kill -9 of a sweep, a purge and an erasure at random moments: whole sessions are left, and the next one goes on."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from chatledger import Ledger
from tests.faults.lifecycle_truth import require_whole, wrongly_archived
from tests.faults.nursery import Child, Nursery
from tests.support.raw import Raw

_LONG_AGO = datetime.now(UTC) - timedelta(days=30)


def fill(url: str, prefix: str, count: int, user: str = "ada") -> None:
    """Sessions that have been past their limit for weeks."""
    with closing(Ledger(url, clock=lambda: _LONG_AGO)) as ledger, ledger.begin() as uow:
        for number in range(count):
            name = f"{prefix} {number}"
            uow.sessions.create(name, user_id=user, hard_timeout=60, metadata={"n": number})
            uow.messages.append_many(
                name, [{"role": "user", "content": f"{user} walrus{n}", "input_tokens": 1} for n in range(3)]
            )


def killed_at_random(start: Callable[[], Child]) -> Child:
    child = start()
    while not child.acknowledged():
        time.sleep(0.001)
    time.sleep(random.uniform(0.0, 0.08))
    child.kill()
    return child


@pytest.mark.parametrize("kills", [3, pytest.param(150, marks=pytest.mark.soak)])
def test_no_session_is_archived_without_its_snapshot_or_with_two(nursery: Nursery, url: str, kills: int) -> None:
    for kill in range(kills):
        fill(url, f"round {kill}", 30)
        killed_at_random(lambda: nursery.start("sweep_once", url))
        assert [] == wrongly_archived(url)
    with closing(Ledger(url)) as ledger:
        _settled(ledger)
        left = Raw(url)("SELECT count(*) FROM chatledger_sessions WHERE status <> 'archived'")[0][0]
        assert left == ledger.sweep().archived
        assert 0 == ledger.sweep().archived
    assert 30 * kills == Raw(url)("SELECT count(*) FROM chatledger_sessions WHERE status = 'archived'")[0][0]
    require_whole(url)


@pytest.mark.parametrize("kills", [2, pytest.param(60, marks=pytest.mark.soak)])
def test_a_killed_purge_leaves_whole_sessions(nursery: Nursery, url: str, kills: int) -> None:
    raw = Raw(url)
    with closing(Ledger(url)) as ledger:
        for kill in range(kills):
            fill(url, f"round {kill}", 150)
            with ledger.begin() as uow:
                for number in range(10):  # snapshots hang on some
                    uow.sessions.archive(f"round {kill} {number}")
            raw("UPDATE chatledger_sessions SET status = 'archived', archived_at = created_at WHERE status = 'active'")
            killed_at_random(lambda: nursery.start("purge_once", url))
            _settled(ledger)
            _require_no_orphans(url)
            sessions = raw.count("chatledger_sessions")
            assert 3 * sessions == raw.count("chatledger_messages")
            assert 150 * (kill + 1) == sessions + _entries(raw, "session.purged")
        ledger.purge(older_than=0)
        assert 0 == ledger.purge(older_than=0).sessions
        with ledger.read() as uow:
            assert () == uow.search.messages("walrus2").items
    assert 0 == raw.count("chatledger_sessions")
    assert 150 * kills == _entries(raw, "session.purged")
    assert 0 == _entries(raw, "session.deleted")
    require_whole(url)


@pytest.mark.parametrize("keep_totals", [False, True], ids=["all of it", "totals kept"])
@pytest.mark.parametrize("kills", [2, pytest.param(60, marks=pytest.mark.soak)])
def test_an_erasure_that_was_killed_is_run_again(nursery: Nursery, url: str, kills: int, keep_totals: bool) -> None:
    raw = Raw(url)
    fill(url, "bob's", 5, user="bob")
    for kill in range(kills):
        fill(url, f"round {kill}", 120)
        killed_at_random(lambda: nursery.start("erase_once", url, "ada", keep_totals))
        _require_no_orphans(url)
    with closing(Ledger(url)) as ledger:
        _settled(ledger)
        assert ledger.erase_user("ada", keep_totals=keep_totals).scrubbed
        with ledger.read() as uow:
            assert 15 == len(uow.search.messages("walrus0 OR bob", limit=100).items)
    assert [("bob", 5)] == [
        tuple(row)
        for row in raw("SELECT user_id, count(*) FROM chatledger_sessions WHERE user_id IS NOT NULL GROUP BY user_id")
    ]
    assert 0 == raw("SELECT count(*) FROM chatledger_audit_log WHERE user_id = 'ada' OR actor = 'ada'")[0][0]
    assert 0 == raw("SELECT count(*) FROM chatledger_messages WHERE content LIKE 'ada%'")[0][0]
    kept = int(raw("SELECT coalesce(sum(total_tokens), 0) FROM chatledger_sessions WHERE user_id IS NULL")[0][0])
    assert (120 * 3 * kills if keep_totals else 0) == kept
    require_whole(url) if not keep_totals else _require_no_orphans(url)


def _require_no_orphans(url: str) -> None:
    for table in (
        "chatledger_messages",
        "chatledger_session_metadata",
        "chatledger_session_timeouts",
        "chatledger_session_snapshots",
    ):
        found = Raw(url)(
            f"SELECT session_id FROM {table} WHERE session_id NOT IN (SELECT session_id FROM chatledger_sessions)"
        )
        assert [] == found, table


def _entries(raw: Raw, action: str) -> int:
    return int(raw("SELECT count(*) FROM chatledger_audit_log WHERE action = :action", action=action)[0][0])


def _settled(ledger: Ledger) -> None:
    """On a server, the backend of a killed client may still be at its last statement: wait until it has gone."""
    if ledger.engine.dialect.name == "sqlite":
        return
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND state <> 'idle'"
    )
    raw = Raw(ledger.engine.url.render_as_string(hide_password=False))
    deadline = time.monotonic() + 10
    while raw(others)[0][0] and time.monotonic() < deadline:
        time.sleep(0.01)
