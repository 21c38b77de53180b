"""Two sweepers, an appender and a purger at once: nothing is lost, nothing done twice, nobody closed who was active."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatledger import Ledger
from tests.faults.housekeepers import ARCHIVE, IDLE
from tests.faults.lifecycle_truth import require_whole
from tests.faults.nursery import Nursery
from tests.support.raw import Raw

_MESSAGES = "SELECT session_id, sequence_number, content FROM chatledger_messages"


@pytest.mark.parametrize("seconds", [4, pytest.param(90, marks=pytest.mark.soak)])
def test_each_session_is_archived_once_and_only_when_it_was_left(nursery: Nursery, url: str, seconds: int) -> None:
    with closing(Ledger(url)) as ledger, ledger.begin() as uow:
        uow.timeouts.configure_default(idle_timeout=IDLE, archive_timeout=ARCHIVE, hard_timeout=None)
    sweepers = [nursery.start("sweep_for", url, seconds + 1) for _ in range(2)]
    purger = nursery.start("purge_for", url, seconds + 1)
    appender = nursery.start("converse_for", url, seconds)
    written = appender.result(within=seconds + 60)
    swept = [sweeper.result(within=60) for sweeper in sweepers]
    purged = purger.result(within=60)

    require_whole(url)
    said = appender.acknowledged()
    archived, gone = _trail(url, "session.archived"), _trail(url, "session.purged")
    # Once each, and all by the two sweepers together; what was purged had been archived.
    assert sum(each["archived"] for each in swept) == len(archived)
    assert [] == [session for session, times in archived.items() if len(times) != 1]
    assert purged == len(gone)
    assert [] == [session for session, times in gone.items() if len(times) != 1 or session not in archived]
    assert {} == _trail(url, "session.deleted")
    # Nothing acknowledged is lost.
    stored = {(row[0], row[1]): row[2] for row in _rows(url, _MESSAGES)}
    for session, number, text, _ in said:
        assert session in gone or number == 0 or stored.get((session, number)) == text
    # Nobody was archived who had been active.
    newest: dict[str, datetime] = {}
    for session, _, _, at in said:
        newest[session] = datetime.fromisoformat(at)
    for session, times in archived.items():
        assert times[0] - newest[session] >= timedelta(seconds=ARCHIVE), session
    # Each warning once for each approach of a limit.
    warnings = Counter(tuple(line) for sweeper in sweepers for line in sweeper.acknowledged())
    assert [] == [warning for warning, count in warnings.items() if count > 1]
    assert sum(each["warned"] for each in swept) == len(warnings)
    assert 0 == sum(each["failed"] for each in swept)
    # All of it did happen, and the appender was let through.
    assert written["longest"] < 10
    assert written["revived"] > 0
    assert min(len(warnings), len(archived), len(gone)) > 0


def _trail(url: str, action: str) -> dict[str, list[datetime]]:
    """When an action befell which sessions."""
    found: dict[str, list[datetime]] = {}
    for session, at in _rows(
        url, "SELECT session_id, at FROM chatledger_audit_log WHERE action = :action", action=action
    ):
        found.setdefault(session, []).append(_moment(at))
    return found


def _rows(url: str, statement: str, **parameters: Any) -> Any:
    return Raw(url)(statement, **parameters)


def _moment(stored: Any) -> datetime:
    return stored if isinstance(stored, datetime) else datetime.fromisoformat(stored).replace(tzinfo=UTC)
