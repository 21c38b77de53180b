"""Annotations and metrics are found by the indexes that were made for them, on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from chatledger import Ledger, UnitOfWork
from tests.engine.test_query_plans import plan
from tests.support.raw import Raw

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

WAYS: dict[str, tuple[Callable[[UnitOfWork], object], str]] = {
    "of a session": (lambda uow: uow.annotations.list(session_id="s7", limit=5), "chatledger_annotations"),
    "of a message": (
        lambda uow: uow.annotations.list(session_id="s7", sequence_number=3),
        "ix_chatledger_annotations_message",
    ),
    "newest": (lambda uow: uow.annotations.list(limit=5), "ix_chatledger_annotations_created_at"),
    "sessions by label": (lambda uow: uow.sessions.list(annotated="rare", limit=5), "ix_chatledger_annotations_label"),
    "series": (lambda uow: uow.metrics.series("rare"), "ix_chatledger_performance_metrics_name_at"),
    "newest of a name": (lambda uow: uow.metrics.list("rare", limit=5), "ix_chatledger_performance_metrics_name_at"),
    "newest of all": (lambda uow: uow.metrics.list(limit=5), "ix_chatledger_performance_metrics_at"),
    "numbers of a session": (
        lambda uow: uow.metrics.summary(session_id="s7"),
        "chatledger_performance_metrics_session_id|pk_chatledger_performance_metrics",
    ),
}


@pytest.fixture
def large(ledger: Ledger, raw: Raw) -> Ledger:
    with ledger.begin() as uow:
        for number in range(300):
            uow.sessions.create(f"s{number}")
            uow.messages.append_many(f"s{number}", [{"role": "user"}] * 4)
            uow.annotations.add_many(
                f"s{number}",
                [{"label": "rare" if number == 7 and place == 1 else "common", "sequence_number": place % 4 + 1,
                  "text": "word " * 20} for place in range(20)],
            )  # fmt: skip
        uow.metrics.record_many(
            {"name": "rare" if number % 500 == 0 else f"common {number % 40}", "value": number,
             "session_id": f"s{number % 300}", "at": NOON + timedelta(seconds=number)} for number in range(8000)
        )  # fmt: skip
    raw("ANALYZE")
    return ledger


def test_every_way_goes_by_its_index(large: Ledger) -> None:
    for name, (way, index) in WAYS.items():
        steps = plan(large, way)
        assert re.search(index, steps), f"{name}: {steps}"
        assert "SCAN chatledger_annotations\n" not in f"{steps}\n", f"{name}: {steps}"
        assert "Seq Scan on chatledger_annotations" not in steps, f"{name}: {steps}"
        assert "Seq Scan on chatledger_performance_metrics" not in steps, f"{name}: {steps}"
