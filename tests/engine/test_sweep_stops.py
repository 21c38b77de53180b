"""A sweep that is asked to stop ends after the session that it is dealing with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chatledger import Due, Ledger


def test_no_session_is_begun_after_a_sweep_was_asked_to_stop(ledger: Ledger) -> None:
    begun = datetime(2026, 5, 1, tzinfo=UTC)
    with ledger.begin() as uow:
        for number in range(5):
            uow.sessions.create(f"s{number}", idle_timeout=timedelta(hours=1), created_at=begun)
    sent: list[Due] = []
    now = begun + timedelta(minutes=57)
    report = ledger.sweep(now=now, send=sent.append, stopping=lambda: len(sent) == 2)
    assert (2, ["s0", "s1"]) == (report.warned, [due.session_id for due in sent])
    assert 3 == ledger.sweep(now=now).warned
