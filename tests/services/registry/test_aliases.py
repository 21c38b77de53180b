"""Models without prices are priced by a shorter name or an alias, and never by one of two different prices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, ModelNotFound
from chatledger.models import Message
from chatledger.schemas.model_names import shorter_names
from tests.support.once import ONCE
from tests.support.raw import Raw
from tests.support.statements import counted_statements

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ONE = Decimal("0.000001")


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("gpt-5", []),
        ("openai/gpt-5", [["gpt-5"]]),
        ("openrouter/openai/gpt-5", [["openai/gpt-5"], ["gpt-5"]]),
        ("models/gemini-2.5-pro", [["gemini-2.5-pro"]]),
        ("gpt-5-2026-08-07", [["gpt-5"]]),
        ("claude-opus-4-5@20251101", [["claude-opus-4-5"]]),
        (
            "anthropic/claude-opus-4-5-20251101",
            [["claude-opus-4-5-20251101", "anthropic/claude-opus-4-5"], ["claude-opus-4-5"]],
        ),
        (
            "us.anthropic.claude-3-5-haiku-v1:0",
            [
                ["anthropic.claude-3-5-haiku-v1:0", "us.anthropic.claude-3-5-haiku"],
                ["claude-3-5-haiku-v1:0", "anthropic.claude-3-5-haiku"],
                ["claude-3-5-haiku"],
            ],
        ),
        # Not a date, not a vendor, not a version, and a fine-tuned model, whose price is another.
        ("gpt-5-2026-13-07", []), ("gpt-4-0613", []), ("gpt-4.1", []), ("us.gpt", []), ("claude-v2", []),
        ("ft:gpt-4o-2024-08-06:acme::x", []), ("phi-20260230", []), ("-2026-08-07", []), ("a/", []),
    ],
    ids=str,
)  # fmt: skip
def test_a_name_is_shortened_part_by_part(name: str, levels: list[list[str]]) -> None:
    assert levels == shorter_names(name)


@pytest.mark.parametrize(
    "name",
    [
        "openai/m", "m-2026-08-07", "m-20260807", "models/m", "us.anthropic.m-20260807-v1:0", "bedrock/eu.amazon.m-v1:0",
    ],
)  # fmt: skip
def test_a_message_finds_the_price_of_its_model(any_ledger: Ledger, name: str) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, effective_from=T0)
        uow.sessions.create("s")
        uow.sessions.create("t", model_id=f"{name}")
        found = [
            uow.messages.append("s", "user", model_id=name, input_tokens=1),
            uow.messages.append("t", "user", input_tokens=1),
            *uow.messages.append_many("s", [{"role": "user", "model_id": f"x/{name}", "input_tokens": 1}]),
        ]
        assert {(ONE, T0, "m")} == {(one.cost, one.priced_from, one.priced_as) for one in found}
        assert found[0] == uow.messages.get("s", 1)
        assert (name, "m", None) == ((model := uow.models.get(name)).model_id, model.priced_as, model.alias_of)
        assert "m" == uow.models.price_at(name, T0).model_id
        assert [] == uow.models.prices(name)
        assert 0 == uow.models.reprice().changed


def test_a_price_that_comes_later_is_found_too(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", model_id="openai/m")
        assert uow.messages.append("s", "user", input_tokens=1, created_at=T0).cost is None
        uow.models.import_prices([{"model_id": "m", "input": 1}])
        assert ONE == uow.messages.append("s", "user", input_tokens=1, created_at=T0).cost
        assert 1 == uow.models.reprice().filled
        # Its own price comes first, also where it is not in force yet.
        uow.models.price("openai/m", input=2, effective_from=T0 + timedelta(days=1))
        assert uow.messages.append("s", "user", input_tokens=1, created_at=T0).cost is None
        assert 2 == uow.models.reprice().withdrawn
        uow.models.remove_price("openai/m", T0 + timedelta(days=1))
        assert 3 == uow.models.reprice().filled
        uow.models.remove_price("m", uow.models.prices("m")[0].effective_from)
        assert uow.models.get("openai/m").priced_as is None


def test_two_different_prices_are_no_price(any_ledger: Ledger) -> None:
    name = "anthropic/m-20260807"
    with any_ledger.begin() as uow:
        uow.models.price("anthropic/m", input=1, output=2, effective_from=T0)
        uow.models.price("m-20260807", input=1, output=2, effective_from=T0)
        uow.models.price("m", input=7, effective_from=T0)
        uow.sessions.create("s", model_id=name)
        assert uow.models.get(name).priced_as in ("anthropic/m", "m-20260807")
        uow.models.price("anthropic/m", tiers=[{"service_tier": "batch", "factor": "0.5"}], effective_from=T0)
        assert uow.models.get(name).priced_as is None
        assert uow.messages.append("s", "user", input_tokens=1).cost is None
        uow.models.add_alias(name, "anthropic/m")
        assert ("anthropic/m", "anthropic/m") == ((one := uow.models.get(name)).priced_as, one.alias_of)
        assert ONE == uow.messages.append("s", "user", input_tokens=1).cost


def test_an_alias_is_set_and_removed(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, effective_from=T0)
        uow.models.price("n", input=3, effective_from=T0)
        assert ("chat", "m") == ((one := uow.models.add_alias("chat", "m")).model_id, one.priced_as)
        assert "m" == uow.models.add_alias("chat-eu", "chat").priced_as
        uow.sessions.create("s", model_id="chat-eu")
        assert (ONE, "m") == ((m := uow.messages.append("s", "user", input_tokens=1)).cost, m.priced_as)
        uow.models.add_alias("chat", "n")
        assert (1, 0) == ((done := uow.models.reprice()).corrected, done.filled)
        assert (3 * ONE, "n") == ((m := uow.messages.get("s", 1)).cost, m.priced_as)
        uow.models.remove_alias("chat")
        assert 1 == uow.models.reprice().withdrawn
        assert (None, None) == ((m := uow.messages.get("s", 1)).cost, m.priced_as)


def test_an_update_finds_the_price_too(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, cache_write=5, tiers=[{"service_tier": "batch", "input": 2}], effective_from=T0)
        uow.models.price("n", input=9, effective_from=T0)
        uow.sessions.create("s", model_id="n")
        uow.messages.append("s", "user", input_tokens=1)
        changed = uow.messages.update("s", 1, model_id="openai/m")
        assert (ONE, "m") == (changed.cost, changed.priced_as)
        assert 2 * ONE == uow.messages.update("s", 1, service_tier="batch").cost
        assert uow.messages.update("s", 1, unpriced_units=1).cost is None
        assert changed.cost == uow.messages.append("s", "user", model_id="openai/m", input_tokens=1).cost
        assert 5 * ONE == (last := uow.messages.update("s", 2, cache_write_tokens=1)).cost
        assert last == uow.messages.get("s", 2)


def refused(uow: Any) -> list[tuple[type[Exception], Any]]:
    return [
        (ModelNotFound, lambda: uow.models.add_alias("a", "nothing")),
        (InvalidInput, lambda: uow.models.add_alias("m", "n")),
        (InvalidInput, lambda: uow.models.add_alias("chat", "chat")),
        (InvalidInput, lambda: uow.models.add_alias("n", "chat")),
        (InvalidInput, lambda: uow.models.add_alias("", "m")),
        (InvalidInput, lambda: uow.models.price("chat", input=1)),
        (InvalidInput, lambda: uow.models.remove_alias("m")),
        (ModelNotFound, lambda: uow.models.remove_alias("nothing")),
    ]


@ONCE
def test_an_alias_that_leads_nowhere_is_refused(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, effective_from=T0)
        uow.models.register("n")
        uow.models.add_alias("chat", "n")
        for error, call in refused(uow):
            with pytest.raises(error):
                call()
        (problem,) = uow.models.import_prices([{"model_id": "chat", "input": 1}]).problems
        assert "alias" in problem.reason
    limited = any_ledger.for_user("mal")
    for call in (lambda uow: uow.models.add_alias("a", "m"), lambda uow: uow.models.remove_alias("chat")):
        with pytest.raises(InvalidInput):
            limited.run(call)


def test_names_and_prices_of_raw_sql_meet_when_costs_are_counted_again(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", model_id="openai/m")
        uow.messages.append("s", "user", input_tokens=10**6)
        uow.models.register("m")
    raw(
        "INSERT INTO chatledger_model_prices (model_id, effective_from, input) VALUES ('m', '2020-01-01 00:00:00.000000', 2000000000)"
    )
    assert 1 == any_ledger.reprice(dry_run=False).filled
    with any_ledger.read() as uow:
        assert (Decimal(2), "m") == ((one := uow.messages.get("s", 1)).cost, one.priced_as)


def test_the_orm_finds_the_price_too(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.models.price("m", input=1, effective_from=T0)
        uow.sessions.create("s")
    with ledger.orm() as session:
        session.add(Message(session_id="s", role="user", model_id="openai/m", input_tokens=1))
        session.commit()
    with ledger.read() as uow:
        assert (ONE, T0, "m") == ((one := uow.messages.get("s", 1)).cost, one.priced_from, one.priced_as)


def test_a_known_name_costs_an_append_no_statement(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, effective_from=T0)
        uow.sessions.create("s")
        uow.messages.append("s", "user", model_id="openai/m", input_tokens=1)
    with any_ledger.begin() as uow:
        uow.messages.append("s", "user", model_id="openai/m", input_tokens=1)  # seen once when it is committed
    with any_ledger.begin() as uow, counted_statements() as sent:
        assert ONE == uow.messages.append("s", "user", model_id="openai/m", input_tokens=1).cost
    assert 1 == len(sent)
