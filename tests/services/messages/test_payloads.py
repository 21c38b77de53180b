"""Structured content comes back unchanged, and typed where that is asked for."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import BaseModel, Field

from chatledger import InvalidInput, Ledger, Message
from tests.support.once import ONCE, ONE_FLAVOR


class Step(BaseModel):
    tool: str
    cost: Decimal = Decimal("0.1")
    when: datetime


class Plan(BaseModel):
    steps: list[Step]
    best: Step | None = None
    limits: dict[str, tuple[int, int]] = Field(default_factory=dict)


class Row(BaseModel):
    product: str
    price: float


class Colour(str, enum.Enum):  # noqa: UP042 - of this kind the str() is not the value
    RED = "red"


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


@dataclass
class Point:
    x: int
    y: float


WHEN = datetime(2026, 5, 17, 9, 30, tzinfo=UTC)
PLAN = Plan(steps=[Step(tool="search", when=WHEN)], best=Step(tool="x", when=WHEN), limits={"a": (1, 2)})


def stored(any_ledger: Ledger, payload: Any) -> Message:
    """What a reader finds of a message with this payload; the writer was told the same."""
    with any_ledger.begin() as uow:
        session = uow.sessions.create().session_id
        told = uow.messages.append(session, "tool", payload=payload)
    with any_ledger.read() as uow:
        found = uow.messages.get(session, 1)
    assert told == found
    return found


def test_a_model_comes_back_as_a_model(any_ledger: Ledger) -> None:
    assert stored(any_ledger, PLAN).payload_as(Plan) == PLAN


def test_a_dict_of_models_comes_back_part_by_part(any_ledger: Ledger) -> None:
    rows = [Row(product="desk", price=99.9), Row(product="lamp", price=1e16)]
    message = stored(any_ledger, {"query_plan": PLAN, "candidate_set": rows, "note": "two"})
    assert message.payload_as(Plan, "query_plan") == PLAN
    assert message.payload_as(list[Row], "candidate_set") == rows
    assert "two" == message.payload_as(str, "note")
    assert {"query_plan", "candidate_set", "note"} == set(message.payload_as(dict[str, Any]))


@pytest.mark.parametrize(
    ("field", "payload", "shape", "part"),
    [
        ("payload.steps", {"stepz": []}, Plan, None),
        ("payload.steps.0.tool", {"steps": [{"when": "2026-01-01T00:00:00Z"}]}, Plan, None),
        ("payload", None, Plan, None),
        ("payload.query_plan", {"other": 1}, Plan, "query_plan"),
        ("payload.query_plan", [1], Plan, "query_plan"),
        ("payload.query_plan", None, Plan, "query_plan"),
        ("payload.query_plan.steps", {"query_plan": {"secret": "word"}}, Plan, "query_plan"),
        ("payload.0", ["secret"], list[int], None),
    ],
)
@ONCE
def test_another_shape_is_named_and_not_shown(
    any_ledger: Ledger, field: str, payload: Any, shape: Any, part: str | None
) -> None:
    message = stored(any_ledger, payload)
    with pytest.raises(InvalidInput) as caught:
        message.payload_as(shape, part)
    assert caught.value.field.startswith(field)
    assert "secret" not in f"{caught.value!r}{caught.value.__context__!r}{caught.value.__cause__!r}"


def test_what_has_a_json_form_is_stored_in_it(any_ledger: Ledger) -> None:
    name = uuid.UUID(int=7)
    given = {
        "uuid": name, "date": date(2026, 5, 17), "time": WHEN, "decimal": Decimal("0.10"), "enum": Colour.RED,
        "tuple": (1, (2,)), "dataclass": Point(1, 2.0), "model": Row(product="p", price=1),
        "mapping": MappingProxyType({"a": (1,)}), "nested": [{"deep": [Point(0, -0.0)]}],
    }  # fmt: skip
    expected = {
        "uuid": str(name), "date": "2026-05-17", "time": "2026-05-17T09:30:00Z", "decimal": "0.10", "enum": "red",
        "tuple": [1, [2]], "dataclass": {"x": 1, "y": 2.0}, "model": {"product": "p", "price": 1.0},
        "mapping": {"a": [1]}, "nested": [{"deep": [{"x": 0, "y": -0.0}]}],
    }  # fmt: skip
    assert expected == stored(any_ledger, given).payload


def test_a_text_of_another_class_is_stored_as_its_text(any_ledger: Ledger) -> None:
    given = {Colour.RED: Colour.RED, Loud("quiet"): Loud("quiet")}
    assert {"red": "red", "quiet": "quiet"} == stored(any_ledger, given).payload


@pytest.mark.parametrize("payload", [0, False, "", [], {}, 0.0, "null", "x"], ids=repr)
@ONE_FLAVOR
def test_what_is_empty_is_not_nothing(any_ledger: Ledger, payload: Any) -> None:
    found = stored(any_ledger, payload).payload
    assert (type(payload), payload) == (type(found), found)


def test_numbers_keep_their_kind(any_ledger: Ledger) -> None:
    given = [1, 1.0, -0.0, 1e16, 1e308, 5e-324, 2**63, -(2**64), 10**300, 0.1, True, 9007199254740993]
    found = stored(any_ledger, given).payload
    assert [(type(value), repr(value)) for value in given] == [(type(value), repr(value)) for value in found]


def test_the_order_of_keys_is_kept(any_ledger: Ledger) -> None:
    given = {name: number for number, name in enumerate(["z", "a", "", "10", "9", "é", "Z"])}
    assert list(given) == list(stored(any_ledger, given).payload)


def test_nesting_goes_to_a_depth_and_no_deeper(any_ledger: Ledger) -> None:
    def nested(depth: int) -> Any:
        value: Any = "core"
        for _ in range(depth):
            value = [value]
        return value

    assert nested(64) == stored(any_ledger, nested(64)).payload
    for depth in (65, 500, 100_000):
        with pytest.raises(InvalidInput) as caught:
            stored(any_ledger, nested(depth))
        assert "payload" == caught.value.field


def test_later_changes_of_what_was_given_do_not_reach_the_message(any_ledger: Ledger) -> None:
    payload = {"list": [1]}
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        message = uow.messages.append("s", "tool", payload=payload)
        payload["list"].append(2)
    assert {"list": [1]} == message.payload
