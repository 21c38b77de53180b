"""Prices for long inputs and service tiers: the same on both databases, in one statement, and never guessed."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatledger import InvalidInput, Ledger
from chatledger.models import Message, ModelPrice, ModelPriceTier
from tests.support.once import ONCE, ONE_FLAVOR
from tests.support.statements import counted_statements

T0 = datetime(2026, 1, 1, tzinfo=UTC)
LONG = {"above_tokens": 200_000, "input": 6, "output": "22.5", "cached_input": "0.6"}


def priced(ledger: Ledger, **fields: Any) -> None:
    with ledger.begin() as uow:
        uow.models.price("m", input=3, output=15, cached_input="0.3", effective_from=T0, **fields)
        uow.sessions.create("s", model_id="m")


def cost(ledger: Ledger, **counts: Any) -> Decimal | None:
    """The cost of a message, which is the same one by one, many at once, through the ORM, and counted again."""
    with ledger.begin() as uow:
        one = uow.messages.append("s", "assistant", **counts)
        (many,) = uow.messages.append_many("s", [{"role": "assistant", **counts}])
        assert (one.cost, one.priced_from, one.priced_as) == (many.cost, many.priced_from, many.priced_as)
        assert one == uow.messages.get("s", one.sequence_number)
        assert 0 == uow.models.reprice().changed
    return one.cost


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"input_tokens": 200_000}, "0.6"),
        ({"input_tokens": 200_001}, "1.200006"),
        # All of a message has the price of its tier: the issue had 0.765 where 1.5225 is right.
        ({"input_tokens": 250_000, "output_tokens": 1_000}, "1.5225"),
        ({"input_tokens": 250_000, "cached_tokens": 250_000}, "0.15"),
        # The tier has no price of its own for these; the standard price does.
        ({"input_tokens": 250_000, "output_tokens": 10, "reasoning_tokens": 10}, None),
        ({"input_tokens": 10, "output_tokens": 10, "reasoning_tokens": 10}, "0.00039"),
        ({"output_tokens": 1_000}, "0.015"),
        ({"input_tokens": 1_000, "service_tier": "batch"}, "0.0015"),
        ({"input_tokens": 250_000, "service_tier": "batch"}, "0.75"),
        ({"input_tokens": 1_000, "service_tier": "flex"}, "0.001"),
        # Nothing says what flex costs here, and nothing what ultrafast costs at all.
        ({"input_tokens": 250_000, "service_tier": "flex"}, None),
        ({"input_tokens": 1_000, "service_tier": "ultrafast"}, None),
        ({"input_tokens": 1_000, "service_tier": "default"}, "0.003"),
        ({"input_tokens": 1_000, "unpriced_units": 1}, None),
        ({"input_tokens": 1_000, "unpriced_units": 0}, "0.003"),
        ({"input_tokens": 10, "cache_write_tokens": 11}, None),
        ({"input_tokens": 10, "cache_write_tokens": 4, "cache_write_1h_tokens": 5}, None),
        # Numbers that would not fit into 64 bits if they were added up.
        (dict.fromkeys(("cached_tokens", "cache_write_tokens", "output_tokens"), 10**12), None),
    ],
    ids=str,
)
@ONE_FLAVOR
def test_a_message_has_the_price_of_its_tier(any_ledger: Ledger, counts: dict[str, Any], expected: str | None) -> None:
    tiers = [LONG, {"service_tier": "batch", "factor": "0.5"}, {"service_tier": "flex", "input": 1, "output": 7}]
    priced(any_ledger, tiers=tiers, reasoning=36)
    assert (None if expected is None else Decimal(expected)) == cost(any_ledger, **counts)


def test_tiers_are_read_as_they_apply_and_can_be_set_again(any_ledger: Ledger) -> None:
    priced(any_ledger, tiers=[LONG, {"service_tier": "batch", "factor": "0.5"}])
    with any_ledger.begin() as uow:
        (price,) = uow.models.prices("m")
        kinds = ("input", "output", "cached_input", "cache_write", "reasoning")
        assert [
            (None, 200_000, "6.000000000", "22.500000000", "0.600000000", None, "22.500000000"),
            ("batch", 0, "1.500000000", "7.500000000", "0.150000000", None, "7.500000000"),
            ("batch", 200_000, "3.000000000", "11.250000000", "0.300000000", None, "11.250000000"),
        ] == [
            (one.service_tier, one.above_tokens, *(None if (v := getattr(one, k)) is None else str(v) for k in kinds))
            for one in price.tiers
        ]
        again = uow.models.price("m", input=3, output=15, tiers=price.tiers, effective_from=T0 + timedelta(days=1))
        assert price.tiers == again.tiers == uow.models.price_at("m", T0 + timedelta(days=2)).tiers
        assert () == uow.models.price("m", tiers=[], effective_from=T0).tiers
        uow.models.remove_price("m", T0 + timedelta(days=1))
        assert 1 == len(uow.models.prices("m"))


def test_a_newer_price_without_tiers_has_none_of_the_older_ones(any_ledger: Ledger) -> None:
    priced(any_ledger, tiers=[LONG])
    with any_ledger.begin() as uow:
        with pytest.raises(InvalidInput, match="tiers"):
            uow.models.price("m", input=4)
        later = T0 + timedelta(days=1)
        uow.models.price("m", input=4, tiers=[], effective_from=later)
        before, after = (uow.messages.append("s", "user", input_tokens=250_000, created_at=at) for at in (T0, later))
        assert (Decimal("1.5"), Decimal(1)) == (before.cost, after.cost)
        # What no cost is calculated from may change beside them.
        assert 1 == len(uow.models.price("m", others={"audio": 9}, effective_from=T0).tiers)


@pytest.mark.parametrize(
    "tiers",
    [
        [{"input": 1}],
        [LONG, {**LONG, "input": 7}],
        [{"service_tier": "batch", "factor": "0.5", "input": 1}],
        [{"service_tier": "batch", "above_tokens": 5, "factor": "0.5"}],
        [{"above_tokens": 5, "factor": "0.5"}],
        [{"service_tier": "batch", "factor": 0.5}],
        [{"service_tier": "batch", "factor": "-1"}],
        [{"service_tier": "batch", "factor": "0.00000000001"}],
        [{"service_tier": "batch", "factor": "1"}, {"service_tier": "batch", "input": 1}],
        [{"service_tier": "batch", "price": 1}],
        "batch", 7, [7],
    ],
    ids=repr,
)  # fmt: skip
@ONCE
def test_tiers_that_say_nothing_certain_are_refused(any_ledger: Ledger, tiers: Any) -> None:
    with any_ledger.begin() as uow:
        with pytest.raises(InvalidInput, match="tiers"):
            uow.models.price("m", input=1, output=2, tiers=tiers)
        assert uow.models.find("m") is None


def test_a_tier_costs_an_append_no_statement(any_ledger: Ledger) -> None:
    priced(any_ledger, tiers=[LONG, {"service_tier": "batch", "factor": "0.5"}])
    with any_ledger.begin() as uow, counted_statements() as sent:
        uow.messages.append("s", "assistant", input_tokens=250_000)
        uow.messages.append("s", "assistant", input_tokens=250_000, service_tier="batch", cache_write_tokens=0)
    assert 2 == len(sent)


def test_the_orm_prices_as_a_service_does(ledger: Ledger) -> None:
    with ledger.orm() as session:
        tiers = [
            ModelPriceTier(above_tokens=100, input=Decimal(2)),
            ModelPriceTier(service_tier="batch", input=Decimal("0.5")),
        ]
        with ledger.begin() as uow:
            uow.sessions.create("s", model_id="m")
        session.add(ModelPrice(model_id="m", effective_from=T0, input=Decimal(1), tiers=tiers))
        session.commit()
        for counts in ({"input_tokens": 100}, {"input_tokens": 101}, {"input_tokens": 100, "service_tier": "batch"}):
            session.add(Message(session_id="s", role="user", **counts))
            session.commit()
    with ledger.begin() as uow:
        expected = [Decimal("0.0001"), Decimal("0.000202"), Decimal("0.00005")]
        assert expected == [message.cost for message in uow.messages.history("s")]
        assert 0 == uow.models.reprice().changed


def test_statistics_and_totals_follow(any_ledger: Ledger) -> None:
    priced(any_ledger, cache_write=4)
    with any_ledger.begin() as uow:
        uow.messages.append("s", "assistant", input_tokens=1_000, cache_write_tokens=600, created_at=T0)
        uow.messages.append("s", "assistant", input_tokens=1_000, cache_write_tokens=400, created_at=T0)
        uow.messages.pop("s")
        usage = uow.statistics.overview()
        assert (600, Decimal("0.0036")) == (usage.cache_write_tokens, usage.cost)
    assert not any_ledger.check().findings


_count = st.none() | st.integers(0, 60)
_price = st.none() | st.integers(0, 4 * 10**12).map(lambda n: Decimal(n).scaleb(-9))
_prices = st.fixed_dictionaries(
    dict.fromkeys(("input", "output", "cached_input", "cache_write", "cache_write_1h", "reasoning"), _price)
)
_COUNTS = (
    "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cache_write_tokens", "cache_write_1h_tokens",
    "unpriced_units",
)  # fmt: skip


class _Undone(Exception):
    pass


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(dict.fromkeys(_COUNTS, _count)),
    st.sampled_from([None, "batch", "flex"]),
    _prices,
    st.dictionaries(st.sampled_from([("", 20), ("", 40), ("batch", 0), ("batch", 40)]), _prices),
)
def test_both_databases_and_python_agree_about_tiers(
    both: tuple[Ledger, Ledger],
    counts: dict[str, int | None],
    tier: str | None,
    standard: dict[str, Decimal | None],
    others: dict[tuple[str, int], dict[str, Decimal | None]],
) -> None:
    tiers = [{"service_tier": name, "above_tokens": above, **prices} for (name, above), prices in others.items()]
    found = []
    for ledger in both:
        with suppress(_Undone), ledger.begin() as uow:
            uow.models.price("m", **standard, tiers=tiers, others={"n": 1}, effective_from=T0)
            uow.sessions.create("s", model_id="m")
            fields: dict[str, Any] = {**counts, "service_tier": tier}
            found.append(uow.messages.append("s", "assistant", **fields).cost)
            found.append(uow.messages.append_many("s", [{"role": "assistant", **fields}])[0].cost)
            raise _Undone
    assert 1 == len(set(found))
