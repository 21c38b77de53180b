"""Costs are counted again: filled in, corrected, withdrawn, and never those that a caller gave, unless asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, RepriceReport, SessionNotFound
from chatledger.services.registry import repricing
from tests.support.once import ONE_FLAVOR

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def told(any_ledger: Ledger) -> Ledger:
    """Messages of a million tokens each: two with a price, one that has none yet, one given."""
    with any_ledger.begin() as uow:
        uow.sessions.create("s", model_id="m", project_id="p")
        uow.sessions.create("t", model_id="n")
        uow.messages.append("s", "user", input_tokens=10**6, created_at=T0)
        uow.models.price("m", input=1, effective_from=T0)
        for day in range(2):
            uow.messages.append("s", "user", input_tokens=10**6, created_at=T0 + day * DAY)
        uow.messages.append("s", "user", input_tokens=10**6, cost=9, created_at=T0)
        uow.messages.append("s", "user", tokens_used=10**6, created_at=T0)
        uow.messages.append("t", "user", input_tokens=10**6, created_at=T0)
        uow.models.price("m", input=3, effective_from=T0 + DAY)
    return any_ledger


def costs(any_ledger: Ledger, session_id: str = "s") -> list[Decimal | None]:
    with any_ledger.read() as uow:
        found = [message.cost for message in uow.messages.history(session_id)]
        assert sum(cost or 0 for cost in found) == uow.sessions.get(session_id).total_cost
    return found


def test_what_can_be_known_is_filled_in_and_what_changed_is_corrected(told: Ledger) -> None:
    expected = RepriceReport(dry_run=True, examined=4, filled=1, corrected=1, withdrawn=0, difference=Decimal(3))
    assert expected == told.reprice(dry_run=True)
    assert [None, 1, 1, 9, None] == costs(told)
    heard: list[RepriceReport] = []
    done = told.reprice(actor="nina", reason="a new list", progress=heard.append)
    assert expected.model_copy(update={"dry_run": False}) == done
    assert [done] == heard
    assert [1, 1, 3, 9, None] == costs(told)
    with told.read() as uow:
        (entry,) = uow.audit.list(action="messages.repriced")
        assert ("nina", "a new list", 2) == (entry.actor, entry.reason, entry.count)
        assert {"filled": 1, "corrected": 1, "withdrawn": 0, "difference": "3.000000000"} == entry.details
        assert [T0, T0, T0 + DAY, None, None] == [one.priced_from for one in uow.messages.history("s")]
    assert 0 == told.reprice().changed
    with told.read() as uow:
        assert 1 == len(uow.audit.list(action="messages.repriced"))


def test_a_price_that_is_gone_takes_its_costs_along(told: Ledger) -> None:
    with told.begin() as uow:
        uow.models.remove_price("m", T0)
        done = uow.models.reprice()
        assert (1, 1, Decimal(1)) == (done.withdrawn, done.corrected, done.difference)
        assert [(None, None)] * 2 == [(one.cost, one.priced_from) for one in uow.messages.history("s", before=3)]
    assert [None, None, 3, 9, None] == costs(told)


def test_given_costs_are_overwritten_where_that_is_asked_for(told: Ledger) -> None:
    with told.begin() as uow:
        uow.messages.append("t", "user", input_tokens=5, cost=4)
    assert 2 == told.reprice(overwrite_given=True).corrected
    assert [1, 1, 3, 1, None] == costs(told)
    assert [None, 4] == costs(told, "t")  # nothing better is known


@pytest.mark.parametrize(
    ("wanted", "changed"),
    [
        ({"since": T0 + DAY}, 1),
        ({"until": T0 + DAY}, 1),
        ({"model_id": "m"}, 2),
        ({"model_id": "n"}, 0),
        ({"project_id": "p"}, 2),
        ({"project_id": "q"}, 0),
        ({"session_id": "s"}, 2),
        ({"session_id": "t"}, 0),
    ],
    ids=str,
)
@ONE_FLAVOR
def test_only_what_is_wanted_is_priced(told: Ledger, wanted: dict[str, Any], changed: int) -> None:
    assert changed == told.reprice(**wanted, dry_run=True).changed
    assert changed == told.reprice(**wanted).changed


def test_a_filter_that_is_none_is_an_error(told: Ledger) -> None:
    with pytest.raises(SessionNotFound):
        told.reprice(session_id="nowhere")
    with pytest.raises(InvalidInput):
        told.reprice(since=datetime(2026, 1, 1))


def test_batches_leave_nothing_out(told: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repricing, "BATCH", 2)
    with told.begin() as uow:
        many = [{"role": "user", "input_tokens": 10**6, "model_id": "late", "created_at": T0} for _ in range(5)]
        uow.messages.append_many("t", many)
        uow.models.price("late", input=2, effective_from=T0)
    done = told.reprice()
    assert (9, 6, 1, Decimal(13)) == (done.examined, done.filled, done.corrected, done.difference)
    assert [1, 1, 3, 9, None] == costs(told)
    assert [None, *[2] * 5] == costs(told, "t")
