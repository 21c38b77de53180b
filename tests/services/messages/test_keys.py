"""A key makes an append idempotent."""

# Letters that look like others are here on purpose.
# ruff: noqa: RUF001

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatledger import KeyReused, Ledger, Message, SessionNotFound
from tests.support.clock import StoppedClock
from tests.support.once import ONE_FLAVOR


@pytest.fixture
def keyed(timed_ledger: Ledger) -> Ledger:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.create("t")
    return timed_ledger


GIVEN: dict[str, Any] = {
    "role": "assistant", "content": "Lisbon.", "payload": {"a": [1, 1.0, "é"]}, "metadata": {"x": None}, "name": "n",
    "tool_call_id": "t", "model_id": "m", "input_tokens": 1, "output_tokens": 2, "cached_tokens": 0, "tokens_used": 3,
    "duration_ms": 4, "key": "once",
}  # fmt: skip


def test_the_same_again_gives_back_the_first(keyed: Ledger, clock: StoppedClock) -> None:
    with keyed.begin() as uow:
        first = uow.messages.append("s", **GIVEN)
    clock.advance(hours=1)
    with keyed.begin() as uow:
        assert first == uow.messages.append("s", **GIVEN)
        assert [first] == uow.messages.history("s")
        assert 2 == uow.messages.append("s", "user", "next").sequence_number
        assert first == uow.messages.append("s", **GIVEN)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "user"), ("content", "lisbon."), ("content", ""), ("payload", {"a": [1, 1.0, "e"]}),
        ("payload", {"a": [1, 1, "é"]}), ("payload", None), ("metadata", {}), ("metadata", {"x": False}),
        ("name", None), ("tool_call_id", "u"), ("model_id", None), ("input_tokens", 0), ("output_tokens", None),
        ("cached_tokens", None), ("tokens_used", 4), ("duration_ms", 5),
        ("created_at", datetime(2020, 1, 1, tzinfo=UTC)),
    ],
)  # fmt: skip
@ONE_FLAVOR
def test_the_same_key_with_anything_else_is_refused(keyed: Ledger, field: str, value: Any) -> None:
    with keyed.begin() as uow:
        uow.messages.append("s", **GIVEN)
        with pytest.raises(KeyReused) as caught:
            uow.messages.append("s", **{**GIVEN, field: value})
        assert ("s", "once", 1) == (caught.value.session_id, caught.value.key, caught.value.sequence_number)
        assert "Lisbon" not in str(caught.value)
        assert 1 == len(uow.messages.history("s"))


def test_a_time_that_was_given_counts_and_one_that_was_not_does_not(keyed: Ledger, clock: StoppedClock) -> None:
    when = clock.now - timedelta(days=3)
    with keyed.begin() as uow:
        first = uow.messages.append("s", "user", "x", key="k", created_at=when)
        assert first == uow.messages.append("s", "user", "x", key="k", created_at=when)
        assert first == uow.messages.append("s", "user", "x", key="k")


def test_a_key_belongs_to_its_session(keyed: Ledger) -> None:
    with keyed.begin() as uow:
        uow.messages.append("s", "user", "one", key="k")
        assert 1 == uow.messages.append("t", "user", "two", key="k").sequence_number


def test_keys_are_told_apart_by_every_character(keyed: Ledger) -> None:
    keys = ["k", "K", "k ", " k", "ｋ", "é", "e\u0301", "k\n"]
    with keyed.begin() as uow:
        numbers = [uow.messages.append("s", "user", "x", key=key).sequence_number for key in keys]
        again = [uow.messages.append("s", "user", "x", key=key).sequence_number for key in keys]
    assert list(range(1, 9)) == numbers == again


def test_a_repeated_append_is_answered_whatever_is_expected_now(keyed: Ledger) -> None:
    with keyed.begin() as uow:
        first = uow.messages.append("s", "user", "x", key="k", expected_sequence=1)
        uow.messages.append("s", "user", "y")
        assert first == uow.messages.append("s", "user", "x", key="k", expected_sequence=1)
        assert first == uow.messages.append("s", "user", "x", key="k", expected_sequence=3)


def test_a_repeated_append_is_answered_by_a_closed_session(keyed: Ledger) -> None:
    with keyed.begin() as uow:
        first = uow.messages.append("s", "user", "x", key="k")
        uow.sessions.archive("s")
        assert first == uow.messages.append("s", "user", "x", key="k")


def test_a_message_is_found_by_its_key(keyed: Ledger) -> None:
    with keyed.begin() as uow:
        first = uow.messages.append("s", **GIVEN)
        assert first == uow.messages.find("s", key="once")
        assert uow.messages.find("s", key="never") is None
        assert uow.messages.find("t", key="once") is None
        with pytest.raises(SessionNotFound):
            uow.messages.find("nobody", key="once")


def test_a_key_needs_a_session(keyed: Ledger) -> None:
    with keyed.begin() as uow, pytest.raises(SessionNotFound):
        uow.messages.append("nobody", "user", "x", key="k")


def test_a_refused_key_does_not_spoil_the_transaction(keyed: Ledger) -> None:
    with keyed.begin() as uow:
        uow.messages.append("s", "user", "x", key="k")
        with pytest.raises(KeyReused):
            uow.messages.append("s", "user", "y", key="k")
        uow.messages.append("s", "user", "z")
    with keyed.read() as uow:
        assert ["x", "z"] == [message.content for message in uow.messages.history("s")]


def test_of_many_threads_with_one_key_one_writes_and_all_get_its_message(any_ledger: Ledger) -> None:
    any_ledger.run(lambda uow: uow.sessions.create("s"))
    found: list[Message] = []
    start = threading.Barrier(6)

    def write() -> None:
        start.wait()
        for turn in range(5):
            message = any_ledger.run(lambda uow: uow.messages.append("s", "user", f"x{turn}", key=f"k{turn}"))  # noqa: B023
            found.append(message)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (30, 5) == (len(found), len({message.sequence_number for message in found}))
    with any_ledger.read() as uow:
        history = uow.messages.history("s")
        assert ([1, 2, 3, 4, 5], 5) == ([m.sequence_number for m in history], uow.sessions.get("s").message_count)
        assert {message.model_dump_json() for message in history} == {message.model_dump_json() for message in found}
