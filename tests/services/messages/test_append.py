"""Messages are appended one by one, and come back as they were given."""

# A block that does its work and then fails is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Message, Role, SequenceConflict, SessionNotFound
from tests.support.clock import StoppedClock
from tests.support.once import ONCE, ONE_FLAVOR
from tests.support.raw import Raw

WHOLE: dict[str, Any] = {
    "content": "naïve 東京 🧑‍🚀 \t\r\n\u2028 'quoted' -- \u200b",
    "payload": {"z": [1, 2.0, 1e16, None, {"a": True}], "a": "\u0001"},
    "metadata": {"b": 1, "a": [None]},
    "name": "clock",
    "tool_call_id": "call_1",
    "model_id": "gpt-5",
    "input_tokens": 10**12,
    "output_tokens": 0,
    "cached_tokens": 7,
    "tokens_used": 3,
    "duration_ms": 1234,
    "cost": Decimal("0.123456789"),
    "key": "once",
    "created_at": datetime(2026, 2, 28, 23, 30, 0, 1, tzinfo=timezone(timedelta(hours=-8))),
}


@pytest.fixture(autouse=True)
def session(request: pytest.FixtureRequest) -> None:
    any_ledger = request.getfixturevalue("timed_ledger" if "timed_ledger" in request.fixturenames else "any_ledger")
    with any_ledger.begin() as uow:
        uow.sessions.create("s")


def test_every_field_comes_back(any_ledger: Ledger) -> None:
    expected = Message(session_id="s", sequence_number=1, role=Role.TOOL, **WHOLE)
    with any_ledger.begin() as uow:
        assert expected == uow.messages.append("s", Role.TOOL, **WHOLE)
    with any_ledger.read() as uow:
        (found,) = uow.messages.history("s")
        assert expected == found == uow.messages.get("s", 1)
        assert UTC is found.created_at.tzinfo
        assert list(WHOLE["payload"]) == list(found.payload)


def test_what_is_not_given_is_none(timed_ledger: Ledger, clock: StoppedClock) -> None:
    expected = Message(
        session_id="s", sequence_number=1, role=Role.USER, content="", metadata={}, created_at=clock.now
    )  # fmt: skip
    with timed_ledger.begin() as uow:
        assert expected == uow.messages.append("s", "user")
    with timed_ledger.read() as uow:
        assert [expected] == uow.messages.history("s")


@pytest.mark.parametrize("role", list(Role))
@ONE_FLAVOR
def test_every_role_can_speak(any_ledger: Ledger, role: Role) -> None:
    with any_ledger.begin() as uow:
        assert role is uow.messages.append("s", role.value, "x").role
        assert role is uow.messages.history("s")[0].role


def test_numbers_rise_by_one_from_one(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("t")
        numbers = [
            (uow.messages.append("s", "user").sequence_number, uow.messages.append("t", "user").sequence_number)
            for _ in range(3)
        ]
    with any_ledger.begin() as uow:
        numbers.append((uow.messages.append("s", "user").sequence_number, 4))
    assert [(1, 1), (2, 2), (3, 3), (4, 4)] == numbers


def test_a_number_that_was_rolled_back_is_not_lost(any_ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), any_ledger.begin() as uow:
        assert 1 == uow.messages.append("s", "user").sequence_number
        raise ZeroDivisionError
    with any_ledger.begin() as uow:
        assert 1 == uow.messages.append("s", "user").sequence_number


def test_writers_at_the_same_time_never_share_a_number(any_ledger: Ledger) -> None:
    numbers: list[int] = []

    def write(writer: int) -> None:
        for turn in range(10):
            message = any_ledger.run(lambda uow: uow.messages.append("s", "user", f"{writer}/{turn}"))  # noqa: B023
            numbers.append(message.sequence_number)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(range(1, 51)) == sorted(numbers)
    with any_ledger.read() as uow:
        history = uow.messages.history("s")
        assert 50 == uow.sessions.get("s").message_count
    for writer in range(5):
        mine = [message.content for message in history if message.content.startswith(f"{writer}/")]
        assert [f"{writer}/{turn}" for turn in range(10)] == mine


def test_the_expected_number_is_the_one_that_the_message_is_to_get(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        assert 1 == uow.messages.append("s", "user", "a", expected_sequence=1).sequence_number
        assert 2 == uow.messages.append("s", "user", "b", expected_sequence=2).sequence_number


@pytest.mark.parametrize("expected", [0, 1, 3, 2**31, 10**12])
@ONE_FLAVOR
def test_another_number_than_expected_is_a_conflict(any_ledger: Ledger, expected: int) -> None:
    with any_ledger.begin() as uow:
        uow.messages.append("s", "user", "a")
        with pytest.raises(SequenceConflict) as caught:
            uow.messages.append("s", "user", "b", expected_sequence=expected)
        assert ("s", expected, 1) == (caught.value.session_id, caught.value.expected, caught.value.actual)
        assert 2 == uow.messages.append("s", "user", "c").sequence_number


def test_of_many_who_expect_one_number_one_gets_it(any_ledger: Ledger) -> None:
    got: list[int] = []
    refused: list[int] = []

    def write(writer: int) -> None:
        try:
            got.append(
                any_ledger.run(
                    lambda uow: uow.messages.append("s", "user", str(writer), expected_sequence=1)
                ).sequence_number
            )
        except SequenceConflict as conflict:
            refused.append(conflict.actual)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ([1], [1] * 5) == (got, refused)


def test_a_message_needs_a_session(any_ledger: Ledger, raw: Raw) -> None:
    with pytest.raises(SessionNotFound) as caught, any_ledger.begin() as uow:
        uow.messages.append("nobody", "user", "Hello?")
    assert "nobody" == caught.value.session_id
    assert 0 == raw.count("chatledger_messages")


def test_raw_sql_cannot_write_to_an_unknown_session(any_ledger: Ledger, raw: Raw) -> None:
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        raw(
            "INSERT INTO chatledger_messages (session_id, sequence_number, role, content) VALUES ('nobody', 1, 'user', 'x')"
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "USER"), ("role", "robot"), ("role", ""), ("role", None), ("role", 1), ("content", 5),
        ("content", {"a": 1}), ("name", ""), ("name", "n" * 256), ("key", ""), ("key", 1), ("model_id", "m" * 256),
        ("tool_call_id", ""), ("metadata", [1]), ("metadata", "x"), ("input_tokens", -1), ("output_tokens", 1.0),
        ("cached_tokens", True), ("tokens_used", "3"), ("duration_ms", 10**12 + 1), ("expected_sequence", -1),
        ("expected_sequence", True), ("expected_sequence", 1.0), ("created_at", datetime(2026, 1, 1)),
        ("created_at", "yesterday"), ("payload", float("nan")), ("payload", {1: 2}), ("payload", object()),
    ],
)  # fmt: skip
@ONCE
def test_what_cannot_be_stored_is_refused_by_name(any_ledger: Ledger, raw: Raw, field: str, value: Any) -> None:
    arguments: dict[str, Any] = {"role": "user", "content": "fine", field: value}
    with pytest.raises(InvalidInput) as caught, any_ledger.begin() as uow:
        uow.messages.append("s", **arguments)
    assert field == caught.value.field
    assert str(value) not in str(caught.value) or len(str(value)) < 4
    assert 0 == raw.count("chatledger_messages")
