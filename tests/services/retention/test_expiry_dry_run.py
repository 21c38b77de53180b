"""`expire_older_than` as a rehearsal, and with ages beyond the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chatledger import InvalidInput, Ledger, Status
from tests.support.once import ONE_DATABASE

THEN = datetime(2026, 5, 1, tzinfo=UTC)


def test_a_rehearsed_expiry_counts_what_a_real_one_expires(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        for name in ("a", "b", "held"):
            uow.sessions.create(name, created_at=THEN)
        uow.sessions.create("younger", created_at=THEN + timedelta(hours=2))
        uow.sessions.hold("held")
    now = THEN + timedelta(hours=3)
    with any_ledger.read() as uow:
        assert 2 == uow.sessions.expire_older_than(3, now=now, dry_run=True)
        assert 1 == uow.sessions.expire_older_than(3, now=now, limit=1, dry_run=True)
        assert Status.ACTIVE is uow.sessions.get("a").status
        assert [] == [entry for entry in uow.audit.list() if entry.action == "session.expired"]
    with any_ledger.begin() as uow:
        assert 2 == uow.sessions.expire_older_than(3, now=now)


@pytest.mark.parametrize("hours", [float("nan"), 0, -1, True])
@ONE_DATABASE
def test_hours_that_are_no_age_are_refused(ledger: Ledger, hours: float) -> None:
    with ledger.begin() as uow, pytest.raises(InvalidInput, match="hours: must be a positive number"):
        uow.sessions.expire_older_than(hours)
