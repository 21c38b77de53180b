"""Nasty JSON, numbers and times through every door: they come back unchanged or are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from chatledger import InvalidInput, Ledger, UnitOfWork
from tests.services.messages.nasty_values import (
    BAD_COUNTS,
    BAD_JSON,
    BAD_TIMES,
    GOOD_COUNTS,
    GOOD_JSON,
    GOOD_TEXTS,
    GOOD_TIMES,
    Plain,
    deep,
    total,
)
from tests.services.messages.test_values_of_text import Door, added, appended, created, outcome, short
from tests.support.once import ONE_DATABASE

JSON_DOORS: dict[str, tuple[str, Door]] = {
    "payload": ("payload", lambda uow, v: appended(payload=v)(uow).payload),
    "payload in bulk": ("messages[0].payload", lambda uow, v: added(uow, payload=v).payload),
    "metadata of a message": ("metadata", lambda uow, v: appended(metadata={"v": v})(uow).metadata["v"]),
    "metadata in bulk": ("messages[0].metadata", lambda uow, v: added(uow, metadata={"v": v}).metadata["v"]),
    "metadata": ("value", lambda uow, v: set_and_get(uow, v)),
    "first metadata": ("metadata.v", lambda uow, v: created(uow, metadata={"v": v}).metadata["v"]),
    "context": ("context", lambda uow, v: created(uow, context={"v": v}).context["v"]),
    "new context": ("context", lambda uow, v: uow.sessions.update("s", context={"v": v}).context["v"]),
    "merged context": ("context", lambda uow, v: uow.sessions.update_context("s", {"v": v})["v"]),
}


def set_and_get(uow: UnitOfWork, value: Any) -> Any:
    uow.metadata.set("s", "k", value)
    return uow.metadata.get("s", "k")


def exact(value: Any) -> Any:
    """Equal only to what is equal in type, in sign of zero and in the order of keys, all the way down."""
    if isinstance(value, dict):
        return "dict", [(key, exact(item)) for key, item in value.items()]
    if isinstance(value, list):
        return "list", [exact(item) for item in value]
    return type(value).__name__, value if isinstance(value, str) else str(value)


@pytest.mark.parametrize("name", JSON_DOORS)
def test_json_comes_back_exactly_or_is_refused_by_name(ledger: Ledger, name: str) -> None:
    field, door = JSON_DOORS[name]
    # Inside of a dict there is a level less to go down.
    room = 64 if field.endswith(("payload", "value", "metadata.v")) else 63
    good = [value for value in GOOD_JSON if value != deep(64)] + [deep(room)]
    with ledger.begin() as uow:
        uow.sessions.create("s")
        found = [(value, outcome(door, uow, value)) for value in good]
        refused = [(value, outcome(door, uow, value)) for value in (*BAD_JSON, deep(room + 1))]
    wrong = [(short(value), short(answer)) for value, answer in found if exact(value) != exact(answer)]
    wrong += [(short(value), short(answer)) for value, answer in refused if answer != ("refused", field)]
    assert [] == wrong


@pytest.mark.parametrize("field", ["metadata", "context"])
@pytest.mark.parametrize("value", [[], [1], "x", 5, (), {1: 2}, {"a"}, b"{}", True, object], ids=repr)
@ONE_DATABASE
def test_what_must_be_a_dict_is_one(ledger: Ledger, field: str, value: Any) -> None:
    if "object at" in repr(value):
        value = Plain()
    with ledger.begin() as uow:
        with pytest.raises(InvalidInput) as caught:
            uow.sessions.create(**{field: value})
        assert caught.value.field.startswith(field)
        assert [] == list(uow.sessions.list())


def test_a_value_that_fails_while_it_is_read_is_refused(ledger: Ledger) -> None:
    class Angry(dict[str, Any]):
        def items(self) -> Any:
            raise KeyError("not today")

    loop: list[Any] = []
    loop.append(loop)
    ring: dict[str, Any] = {}
    ring["ring"] = ring
    with ledger.begin() as uow:
        uow.sessions.create("s")
        for value in (Angry(a=1), loop, ring):
            with pytest.raises(InvalidInput) as caught:
                uow.messages.append("s", "tool", payload=value)
            assert "payload" == caught.value.field


COUNTS = ("input_tokens", "output_tokens", "cached_tokens", "tokens_used", "duration_ms")


@pytest.mark.parametrize("field", COUNTS)
def test_a_count_comes_back_or_is_refused_by_name(ledger: Ledger, field: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        for value in GOOD_COUNTS:
            assert value == getattr(appended(**{field: value})(uow), field)
        for value in BAD_COUNTS:
            assert ("refused", field) == outcome(lambda uow, v: appended(**{field: v})(uow), uow, value), short(value)


BOUNDS: dict[str, Callable[[UnitOfWork, Any], object]] = {
    "expected_sequence": lambda uow, v: uow.messages.append("s", "user", expected_sequence=v),
    "last": lambda uow, v: uow.messages.history("s", last=v),
    "limit": lambda uow, v: uow.messages.history("s", limit=v),
    "after": lambda uow, v: uow.messages.history("s", after=v),
    "before": lambda uow, v: uow.messages.history("s", before=v),
    "at": lambda uow, v: uow.sessions.fork("s", at=v),
    "sequence_number": lambda uow, v: uow.messages.get("s", v),
}


@pytest.mark.parametrize("field", BOUNDS)
@ONE_DATABASE
def test_what_is_no_number_bounds_nothing(ledger: Ledger, field: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        for value in BAD_COUNTS:
            assert ("refused", field) == outcome(BOUNDS[field], uow, value), short(value)


TIME_DOORS: dict[str, tuple[str, Door]] = {
    "message": ("created_at", lambda uow, v: appended(created_at=v)(uow).created_at),
    "message in bulk": ("messages[0].created_at", lambda uow, v: added(uow, created_at=v).created_at),
    "session": ("created_at", lambda uow, v: created(uow, created_at=v).created_at),
}


def check_times(ledger: Ledger, door: Door, field: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        found = [(value, outcome(door, uow, value)) for value in GOOD_TIMES]
        refused = [(value, outcome(door, uow, value)) for value in BAD_TIMES]
    # What is not equal is looked at no further: it may be a refusal.
    wrong = [(given, back) for given, back in found if given != back or back.tzinfo is not UTC]
    assert [] == wrong
    assert [] == [pair for pair in refused if pair[1] != ("refused", field)]


@pytest.mark.parametrize("name", TIME_DOORS)
def test_a_time_comes_back_in_utc_or_is_refused_by_name(ledger: Ledger, name: str) -> None:
    field, door = TIME_DOORS[name]
    check_times(ledger, door, field)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Kiritimati"])
def test_the_servers_own_time_zone_does_not_matter(migrated_postgres_url: str, zone: str) -> None:
    url = make_url(migrated_postgres_url).update_query_dict({"options": f"-c TimeZone={zone}"})
    with Ledger(url) as ledger:
        check_times(ledger, *reversed(TIME_DOORS["message"]))  # type: ignore[arg-type]
        assert 1 == len(ledger.run(lambda uow: uow.sessions.list()))


@pytest.mark.parametrize("field", ["since", "until"])
def test_any_time_can_be_asked_for_or_is_refused_by_name(ledger: Ledger, field: str) -> None:
    asks: tuple[Door, ...] = (
        lambda uow, v: len(uow.sessions.list(**{field: v})),
        lambda uow, v: len(uow.search.messages("word", **{field: v})),
        lambda uow, v: len(uow.search.sessions("word", session_id="s", **{field: v})),
    )
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "word")
    with ledger.read() as uow:
        for ask in asks:
            for value in GOOD_TIMES:
                assert outcome(ask, uow, value) in (0, 1), value
            for value in BAD_TIMES:
                assert ("refused", field) == outcome(ask, uow, value), repr(value)


def test_the_tables_of_values_are_as_long_as_they_should_be() -> None:
    assert total() >= 470
    assert len(set(GOOD_TEXTS)) >= len(GOOD_TEXTS) - 2
