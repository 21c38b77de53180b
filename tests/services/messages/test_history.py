"""The history of a session is read from either end, in parts, or as a stream; always in order."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Message, MessageNotFound, SessionNotFound
from tests.support.once import ONE_DATABASE


def numbers(messages: list[Message]) -> list[int]:
    return [message.sequence_number for message in messages]


@pytest.fixture
def ten(any_ledger: Ledger) -> Ledger:
    """Messages 1 to 10, without 4 and 8 to 9."""
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.create("other")
        for number in range(1, 11):
            uow.messages.append("s", "user", f"text {number}")
            uow.messages.append("other", "user", "noise")
            if number == 9:
                uow.messages.pop("s")
                # Now 9 is gone; take 8 as well.
                uow.messages.pop("s")
    return any_ledger


HERE = [1, 2, 3, 4, 5, 6, 7, 10]
CASES: list[tuple[list[int], dict[str, Any]]] = [
    (HERE, {}),
    ([10], {"last": 1}),
    ([6, 7, 10], {"last": 3}),
    (HERE, {"last": 100}),
    ([], {"last": 0}),
    ([], {"limit": 0}),
    ([1, 2], {"limit": 2}),
    (HERE, {"limit": 10**12}),
    ([4, 5, 6, 7, 10], {"after": 3}),
    ([10], {"after": 8}),
    ([], {"after": 10}),
    ([], {"after": 10**12}),
    (HERE, {"after": 0}),
    ([1, 2], {"before": 3}),
    ([], {"before": 1}),
    ([], {"before": 0}),
    (HERE, {"before": 10**12}),
    ([3, 4], {"after": 2, "before": 5}),
    ([], {"after": 5, "before": 2}),
    ([], {"after": 7, "before": 10}),
    ([3, 4], {"after": 2, "limit": 2}),
    ([7, 10], {"after": 2, "last": 2}),
    ([1, 2], {"before": 5, "limit": 2}),
    ([3, 4], {"before": 5, "last": 2}),
    ([3], {"after": 2, "before": 10, "limit": 1}),
    ([7], {"after": 2, "before": 10, "last": 1}),
]


def test_any_part_of_a_history_can_be_read(ten: Ledger) -> None:
    with ten.read() as uow:
        assert CASES == [(numbers(uow.messages.history("s", **asked)), asked) for _, asked in CASES]


def test_a_stream_reads_the_same_parts(ten: Ledger) -> None:
    with ten.read() as uow:
        assert HERE == numbers(list(uow.messages.iterate("s")))
        assert [4, 5, 6] == numbers(list(uow.messages.iterate("s", after=3, before=7)))
        assert [] == list(uow.messages.iterate("s", after=10))


def test_last_and_limit_exclude_each_other(ten: Ledger) -> None:
    with ten.read() as uow, pytest.raises(InvalidInput) as caught:
        uow.messages.history("s", last=1, limit=1)
    assert "last" == caught.value.field


@pytest.mark.parametrize("value", [-1, True, 1.5, "1", 10**13, 2**70, float("nan"), [], b"1"], ids=repr)
@pytest.mark.parametrize("field", ["last", "limit", "after", "before"])
@ONE_DATABASE
def test_a_bound_that_is_no_number_is_refused_by_name(ledger: Ledger, field: str, value: Any) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        with pytest.raises(InvalidInput) as caught:
            uow.messages.history("s", **{field: value})
    assert field == caught.value.field


def test_an_empty_session_has_an_empty_history(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        assert [] == uow.messages.history("s")
        assert [] == uow.messages.history("s", last=5)
        assert [] == list(uow.messages.iterate("s"))


def test_nobody_has_no_history(any_ledger: Ledger) -> None:
    with any_ledger.read() as uow:
        asked: list[dict[str, Any]] = [{}, {"last": 3}, {"after": 2}, {"limit": 0}]
        for bounds in asked:
            with pytest.raises(SessionNotFound):
                uow.messages.history("nobody", **bounds)
        with pytest.raises(SessionNotFound):
            list(uow.messages.iterate("nobody"))
        with pytest.raises(SessionNotFound):
            uow.messages.get("nobody", 1)


def test_one_message_is_found_by_its_number(ten: Ledger) -> None:
    with ten.read() as uow:
        assert "text 7" == uow.messages.get("s", 7).content
        for number in (0, 8, 11, 2**31, 10**12 - 1):
            with pytest.raises(MessageNotFound) as caught:
                uow.messages.get("s", number)
            assert ("s", number) == (caught.value.session_id, caught.value.sequence_number)


@pytest.mark.parametrize("number", [-1, True, "1", None, 1.0, 10**13])
@ONE_DATABASE
def test_what_is_no_number_of_a_message_is_refused(ledger: Ledger, number: Any) -> None:
    with pytest.raises(InvalidInput) as caught, ledger.read() as uow:
        uow.messages.get("s", number)
    assert "sequence_number" == caught.value.field


def test_a_long_session_is_streamed_whole(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("long")
        uow.messages.append_many("long", [{"role": "user", "content": str(n)} for n in range(1, 1302)])
    with any_ledger.read() as uow:
        assert list(range(1, 1302)) == [int(message.content) for message in uow.messages.iterate("long")]
        assert [1281, 1301] == numbers(uow.messages.history("long", last=21))[::20]
        assert list(range(1, 1302)) == numbers(uow.messages.history("long"))
        assert [1, 2, 3] == numbers(list(islice(uow.messages.iterate("long"), 3)))
        # Whole batches: the end falls together with the end of one.
        assert 1000 == len(list(uow.messages.iterate("long", before=1001)))


def test_a_reader_sees_one_moment(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "before")
    with any_ledger.read() as reader:
        assert 1 == len(reader.messages.history("s"))
        any_ledger.run(lambda uow: uow.messages.append("s", "user", "meanwhile"))
        assert 1 == len(reader.messages.history("s"))
        assert 1 == reader.sessions.get("s").message_count
    with any_ledger.read() as reader:
        assert 2 == len(reader.messages.history("s"))
