"""The cost of a message is counted from the price in force, exactly, and fixed when it is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chatledger import InvalidInput, Ledger, Message
from chatledger.schemas.registry import MAX_PRICE
from tests.support.once import ONCE, ONE_FLAVOR

T0 = datetime(2026, 1, 1, tzinfo=UTC)
COUNTS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
KINDS = ("input", "output", "cached_input", "reasoning")


def test_every_kind_of_token_has_its_price(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price(
            "m", input="1.25", output=10, cached_input="0.125", reasoning=20, effective_from=T0, others={"audio": "7"}
        )
        uow.sessions.create("s", model_id="m")
        message = uow.messages.append(
            "s", "assistant", input_tokens=1001, cached_tokens=13, output_tokens=7, reasoning_tokens=2
        )
        # 988 x 1.25 + 13 x 0.125 + 5 x 10 + 2 x 20, by a million
        assert (Decimal("0.001326625"), T0) == (message.cost, message.priced_from)
        assert message == uow.messages.get("s", 1)
        assert message.cost == uow.sessions.get("s").total_cost


def test_cached_and_reasoning_tokens_cost_as_the_others_where_they_have_no_price(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=2, output=8, effective_from=T0)
        uow.sessions.create("s", model_id="m")
        counts: dict[str, Any] = {"input_tokens": 10, "cached_tokens": 10, "output_tokens": 5, "reasoning_tokens": 4}
        assert Decimal("0.00006") == uow.messages.append("s", "assistant", **counts).cost


@pytest.mark.parametrize(
    "counts",
    [
        {},
        {"tokens_used": 100},
        {"cached_tokens": 3},
        {"output_tokens": 1},  # of which there is no price
        {"input_tokens": 1, "cached_tokens": 2},
        {"input_tokens": 1, "output_tokens": 0, "reasoning_tokens": 1},
    ],
    ids=str,
)
@ONE_FLAVOR
def test_what_cannot_be_known_is_no_zero(any_ledger: Ledger, counts: dict[str, Any]) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, effective_from=T0)
        uow.sessions.create("s", model_id="m")
        one = uow.messages.append("s", "assistant", **counts)
        (many,) = uow.messages.append_many("s", [{"role": "assistant", **counts}])
        assert [(None, None)] * 2 == [(message.cost, message.priced_from) for message in (one, many)]
        assert Decimal(0) == uow.messages.append("s", "assistant", input_tokens=0, output_tokens=0).cost


def test_the_callers_cost_wins(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, effective_from=T0)
        uow.sessions.create("s", model_id="m")
        message = uow.messages.append("s", "assistant", input_tokens=5, cost=0)
        assert (Decimal(0), None) == (message.cost, message.priced_from)


def test_the_price_is_that_of_the_moment_and_of_the_model_that_answered(any_ledger: Ledger) -> None:
    day = timedelta(days=1)
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, effective_from=T0)
        uow.models.price("m", input=2, effective_from=T0 + day)
        uow.models.price("other", input=3, effective_from="2026-01-01")
        uow.sessions.create("s", model_id="m")
        uow.sessions.create("without")
        cases: list[tuple[str, datetime, str | None, int | None]] = [
            ("s", T0 - timedelta(microseconds=1), None, None),
            ("s", T0, None, 1),
            ("s", T0 + day - timedelta(microseconds=1), None, 1),
            ("s", T0 + day, None, 2),
            ("s", T0 + day, "other", 3),
            ("s", T0 + day, "unheard of", None),
            ("without", T0 + day, None, None),
            ("without", T0 + day, "m", 2),
        ]
        for session, at, model, cost in cases:
            fields: dict[str, Any] = {"model_id": model, "created_at": at, "input_tokens": 10**6}
            one = uow.messages.append(session, "assistant", **fields)
            (many,) = uow.messages.append_many(session, [{"role": "assistant", **fields}])
            assert (cost, cost) == (one.cost, many.cost), (session, at, model)


def test_a_later_price_changes_no_message(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", model_id="m")
        uow.messages.append("s", "user", input_tokens=10**6, created_at=T0)
        uow.models.price("m", input=1, effective_from=T0)
        uow.messages.append("s", "user", input_tokens=10**6, created_at=T0)
        uow.models.price("m", input=5, effective_from=T0)
        assert [None, 1] == [message.cost for message in uow.messages.history("s")]


def test_a_model_that_a_message_names_is_in_the_registry(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", model_id="first")
        uow.messages.append("s", "user", model_id="first")
        uow.messages.append_many("s", [{"role": "user", "model_id": name} for name in ("c", "b", "c")])
        assert ["b", "c", "first"] == [model.model_id for model in uow.models.list()]


def test_a_key_gives_back_the_cost_that_was_counted(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, effective_from=T0)
        uow.sessions.create("s", model_id="m")
        first = uow.messages.append("s", "user", "x", input_tokens=7, key="k")
        uow.models.price("m", input=2, effective_from=T0)
        assert Decimal("0.000007") == first.cost
        assert first == uow.messages.append("s", "user", "x", input_tokens=7, key="k")
        assert [first] == uow.messages.append_many(
            "s", [{"role": "user", "content": "x", "input_tokens": 7, "key": "k"}]
        )


def test_a_fork_and_a_snapshot_keep_what_it_cost(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, effective_from=T0)
        uow.sessions.create("s", model_id="m")
        uow.messages.append("s", "user", input_tokens=7, outcome="interrupted")
        snapshot = uow.snapshots.take("s")
        uow.models.price("m", input=2, effective_from=T0)
        uow.messages.pop("s")
        uow.snapshots.restore(snapshot.snapshot_id)
        uow.sessions.fork("s", new_session_id="fork")
        kept = {
            (one.cost, one.priced_from, one.outcome) for name in ("s", "fork") for one in uow.messages.history(name)
        }
        assert {(Decimal("0.000007"), T0, "interrupted")} == kept


def _expected(counts: Sequence[int | None], price: Sequence[Decimal | None]) -> Decimal | None:
    """The rules once more, in fractions."""
    if counts[0] is None and counts[1] is None:
        return None
    given, written, cached, reasoned = (count or 0 for count in counts)
    parts = [
        (given - cached, price[0]),
        (cached, price[0] if price[2] is None else price[2]),
        (written - reasoned, price[1]),
        (reasoned, price[1] if price[3] is None else price[3]),
    ]
    if any(count < 0 or (count and each is None) for count, each in parts):
        return None
    nanos = round(sum(count * Fraction(each or 0) * 1000 for count, each in parts))  # half to even
    return Decimal(nanos).scaleb(-9) if nanos <= 10**15 else None


_tokens = st.none() | st.integers(0, 50) | st.integers(0, 10**12)
_dollars = st.none() | st.integers(0, 4 * 10**12).map(lambda n: Decimal(n).scaleb(-9)) | st.sampled_from(
    [Decimal("0.5"), Decimal("0.000000001"), Decimal("0.0005"), MAX_PRICE]
)  # fmt: skip
_HALF = (Decimal("0.0005"), None, None, None)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(*[_tokens] * 4), st.tuples(*[_dollars] * 4))
@example((1, None, None, None), _HALF)
@example((3, None, None, None), _HALF)
@example((10**12, 10**12, 10**12, 10**12), (MAX_PRICE, MAX_PRICE, MAX_PRICE, MAX_PRICE))
@example((250_000_000, 0, 0, 0), (MAX_PRICE, None, None, None))
@example((250_000_001, 0, 0, 0), (MAX_PRICE, None, None, None))
def test_both_databases_and_python_count_alike(
    both: tuple[Ledger, Ledger], counts: tuple[int | None, ...], price: tuple[Decimal | None, ...]
) -> None:
    expected = _expected(counts, price)
    fields: dict[str, Any] = dict(zip(COUNTS, counts, strict=True))
    for ledger in both:
        with suppress(_Undone), ledger.begin() as uow:
            prices: dict[str, Any] = dict(zip(KINDS, price, strict=True))
            uow.models.price("m", **prices, others={"n": 1}, effective_from=T0)
            uow.sessions.create("s", model_id="m")
            one = uow.messages.append("s", "assistant", **fields)
            (many,) = uow.messages.append_many("s", [{"role": "assistant", **fields}])
            assert [(expected, expected is not None)] * 2 == [(m.cost, m.priced_from is not None) for m in (one, many)]
            raise _Undone


class _Undone(Exception):
    pass


@pytest.mark.parametrize(
    "wrong", [-1, "-0.1", "4000.000000001", "0.0000000001", 0.1, "ten", "NaN", "Infinity", True, [], "1e400"]
)
@ONCE
def test_a_price_that_is_none_is_refused(any_ledger: Ledger, wrong: Any) -> None:
    with any_ledger.begin() as uow, pytest.raises(InvalidInput) as caught:
        uow.models.price("m", output=wrong)
    assert "output" == caught.value.field


def test_costs_of_a_published_evaluation_add_up_to_the_nano_dollar(any_ledger: Ledger, shared_data: Path) -> None:
    """Rows without a price have no cost, and are left out of the sum and of the count that a mean is taken over."""
    file = shared_data / "alpaca_eval" / "phi-2" / "alpaca_eval_gpt4" / "annotations.json"
    rows = json.loads(file.read_text(), parse_float=Decimal)
    nano = Decimal(1).scaleb(-9)

    def cost(row: dict[str, Any]) -> Decimal | None:
        price = row["price_per_example"]
        return price.quantize(nano) if isinstance(price, Decimal) and price.is_finite() else None

    def took(row: dict[str, Any]) -> int | None:
        seconds = row["time_per_example"]
        return int(seconds * 1000) if isinstance(seconds, Decimal) and seconds.is_finite() else None

    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        made = [{"role": "assistant", "cost": cost(row), "duration_ms": took(row)} for row in rows]
        stored: list[Message] = uow.messages.append_many("s", made)
        session = uow.sessions.get("s")
    known = [found for row in rows if (found := cost(row)) is not None]
    assert 0 < len(known) < len(rows)
    assert sum(known, Decimal(0)) == session.total_cost
    assert sum(took(row) or 0 for row in rows) == session.total_duration_ms
    assert len(known) == sum(message.cost is not None for message in stored)
