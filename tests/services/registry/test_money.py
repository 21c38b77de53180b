"""Dollars are exact to the nano-dollar."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger
from tests.support.raw import Raw

EXACT: list[tuple[str, Any]] = [
    ("0", 0),
    ("0", "0"),
    ("0", -0.0),
    ("0", Decimal("-0E+5")),
    ("0.000000001", "0.000000001"),
    ("0.000000001", Decimal("1E-9")),
    ("0.1", 0.1),
    ("0.3", 0.1 + 0.2),
    ("0.333333333", 1 / 3),
    ("0", 1e-10),
    ("0", 5e-324),
    ("0.1", Decimal("0.10000000000000000000000000")),
    ("123456.123456789", "123456.123456789"),
    ("1000000", 10**6),
    ("1000000", "1E6"),
    ("999999.999999999", Decimal("999999.999999999")),
]
REFUSED: list[Any] = [
    "0.0000000001", Decimal("0.1234567891"), Decimal(1) / 3, "1E-400000", -1, "-0.000000001", -1e-9, 10**6 + 1,
    "1000000.000000001", 1e300, 10**400, Decimal("Infinity"), Decimal("NaN"), Decimal("sNaN"), float("nan"),
    float("inf"), float("-inf"), "NaN", "inf", "", "ten", "1,5", "$1", "\x00", "\ud800", "1" * 5000, True, b"1", [],
    {}, 1j, object(),
]  # fmt: skip


def test_costs_come_back_exact(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        told = [uow.messages.append("s", "user", cost=given).cost for _, given in EXACT]
    with any_ledger.read() as uow:
        found = [message.cost for message in uow.messages.history("s")]
        session = uow.sessions.get("s")
    expected = [Decimal(amount) for amount, _ in EXACT]
    assert expected == told == found
    assert {-9} == {cost.as_tuple().exponent for cost in found if cost}
    assert sum(expected) == session.total_cost
    nanos = [int(amount * 10**9) for amount in expected]
    assert nanos == [row.cost for row in raw("SELECT cost FROM chatledger_messages ORDER BY sequence_number")]


def test_what_is_no_amount_is_refused(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        for given in REFUSED:
            with pytest.raises(InvalidInput) as caught:
                uow.messages.append("s", "user", cost=given)
            assert "cost" == caught.value.field, given
        assert 0 == uow.sessions.get("s").message_count


def test_ten_thousand_nanos_add_up(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", [{"role": "user", "cost": "0.000000003"}] * 1000)
        assert Decimal("0.000003") == uow.sessions.get("s").total_cost
        # A hundred times the dearest message: far from what a float still tells apart.
        uow.messages.append_many("s", [{"role": "user", "cost": 10**6}] * 100)
        assert Decimal("100000000.000003") == uow.sessions.get("s").total_cost


def test_no_cost_is_not_a_cost_of_nothing(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        assert uow.messages.append("s", "user").cost is None
        assert Decimal(0) == uow.messages.append("s", "user", cost=0).cost
        assert [None, Decimal(0)] == [message.cost for message in uow.messages.history("s")]
