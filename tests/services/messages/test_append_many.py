"""Many messages at once: all or none, in order, in one round trip."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from chatledger import InvalidInput, KeyReused, Ledger, NewMessage, Role, SessionNotFound
from tests.services.messages.nasty_values import GOOD_TEXTS
from tests.support.once import ONCE
from tests.support.raw import Raw


@pytest.fixture(autouse=True)
def session(any_ledger: Ledger) -> None:
    any_ledger.run(lambda uow: uow.sessions.create("s"))


def test_a_thousand_keep_their_order(any_ledger: Ledger) -> None:
    given = [{"role": "user", "content": f"text {n}", "input_tokens": n, "payload": [n]} for n in range(1000)]
    with any_ledger.begin() as uow:
        uow.messages.append("s", "system", "first")
        added = uow.messages.append_many("s", given)
        assert list(range(2, 1002)) == [message.sequence_number for message in added]
        assert added == uow.messages.history("s", after=1)
        session = uow.sessions.get("s")
        assert (1001, 1001, sum(range(1000))) == (session.message_count, session.last_sequence, session.total_tokens)
        assert 1002 == uow.messages.append("s", "user").sequence_number


def test_dicts_and_objects_can_be_mixed(any_ledger: Ledger) -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    one = NewMessage(role=Role.TOOL, content="東京", payload={"a": 1}, name="t", tool_call_id="c", created_at=when)
    with any_ledger.begin() as uow:
        added = uow.messages.append_many("s", [one, {"role": "assistant", "cost": "0.1", "metadata": {"x": 1}}])
        assert added == uow.messages.history("s")
    assert (["tool", "assistant"], ["東京", ""]) == ([m.role for m in added], [m.content for m in added])
    assert (when, {"a": 1}, "t", "c") == (
        added[0].created_at, added[0].payload, added[0].name, added[0].tool_call_id,
    )  # fmt: skip


def test_it_stores_what_append_stores(any_ledger: Ledger, raw: Raw) -> None:
    message: dict[str, Any] = {
        "role": "assistant", "content": "x", "payload": {"b": 1e16}, "metadata": {"a": None}, "name": "n",
        "tool_call_id": "t", "model_id": "m", "input_tokens": 1, "output_tokens": 2, "cached_tokens": 3,
        "tokens_used": 4, "duration_ms": 5, "cost": "0.000000001", "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    with any_ledger.begin() as uow:
        uow.messages.append("s", **message)
        uow.messages.append_many("s", [message])
        uow.messages.append_many("s", [message, {"role": "user", "content": "other"}])
        first, second, third, _ = uow.messages.history("s")
    assert first.model_dump(exclude={"sequence_number"}) == second.model_dump(exclude={"sequence_number"})
    assert first.model_dump(exclude={"sequence_number"}) == third.model_dump(exclude={"sequence_number"})
    assert 1 == len({bytes(row[0]) for row in raw("SELECT digest FROM chatledger_messages WHERE sequence_number <= 3")})


def test_nasty_texts_come_back_beside_nothing(any_ledger: Ledger) -> None:
    given = [
        message
        for text in GOOD_TEXTS
        for message in (
            {"role": "user", "content": text, "metadata": {text: text}, "payload": [text, None]},
            {"role": "tool", "name": text[:255], "input_tokens": 0, "cost": 0},
        )
    ]
    with any_ledger.begin() as uow:
        added = uow.messages.append_many("s", given)
        read = uow.messages.history("s")
    assert added == read
    assert list(GOOD_TEXTS) == [message.content for message in read[::2]]
    assert [{text: text} for text in GOOD_TEXTS] == [message.metadata for message in read[::2]]
    assert [[text, None] for text in GOOD_TEXTS] == [message.payload for message in read[::2]]
    assert [text[:255] for text in GOOD_TEXTS] == [message.name for message in read[1::2]]
    assert [(None, None), (0, 0)] * len(GOOD_TEXTS) == [(message.input_tokens, message.cost) for message in read]


def test_nothing_is_nothing(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        assert [] == uow.messages.append_many("s", [])
        with pytest.raises(SessionNotFound):
            uow.messages.append_many("nobody", [])


def test_a_generator_will_do(any_ledger: Ledger) -> None:
    def talk() -> Iterator[dict[str, str]]:
        yield {"role": "user", "content": "a"}
        yield {"role": "assistant", "content": "b"}

    with any_ledger.begin() as uow:
        assert ["a", "b"] == [message.content for message in uow.messages.append_many("s", talk())]


def test_an_error_of_the_generator_is_raised_as_it_is(any_ledger: Ledger) -> None:
    def talk() -> Iterator[dict[str, str]]:
        yield {"role": "user", "content": "a"}
        raise ZeroDivisionError

    with any_ledger.begin() as uow:
        with pytest.raises(ZeroDivisionError):
            uow.messages.append_many("s", talk())
        assert [] == uow.messages.history("s")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("messages[1].role", {"role": "robot"}),
        ("messages[1].role", {"content": "x"}),
        ("messages[1].rolle", {"role": "user", "rolle": "x"}),
        ("messages[1].payload", {"role": "user", "payload": {"x": float("inf")}}),
        ("messages[1].content", {"role": "user", "content": "\x00"}),
        ("messages[1].created_at", {"role": "user", "created_at": datetime(2026, 1, 1)}),
        ("messages[1]", 5),
        ("messages[1]", None),
        ("messages[1]", "user"),
    ],
)
@ONCE
def test_one_that_is_wrong_keeps_out_all_and_is_named(any_ledger: Ledger, field: str, wrong: Any) -> None:
    with any_ledger.begin() as uow:
        with pytest.raises(InvalidInput) as caught:
            uow.messages.append_many("s", [{"role": "user", "content": "fine"}, wrong])
        assert caught.value.field.startswith(field)
        assert [] == uow.messages.history("s")


@pytest.mark.parametrize("wrong", [5, None, "text", b"bytes", {"role": "user"}, 1.5])
@ONCE
def test_what_is_no_list_of_messages_is_refused_by_name(any_ledger: Ledger, wrong: Any) -> None:
    with any_ledger.begin() as uow:
        with pytest.raises(InvalidInput) as caught:
            uow.messages.append_many("s", wrong)
        assert caught.value.field.startswith("messages")


def test_known_keys_stand_where_they_are(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        first = uow.messages.append("s", "user", "one", key="k1")
        again = uow.messages.append_many(
            "s",
            [
                {"role": "user", "content": "two", "key": "k2"},
                {"role": "user", "content": "one", "key": "k1"},
                {"role": "user", "content": "no key"},
                {"role": "user", "content": "two", "key": "k2"},
            ],
        )
        assert [2, 1, 3, 2] == [message.sequence_number for message in again]
        assert (first, again[0]) == (again[1], again[3])
        assert 3 == uow.sessions.get("s").message_count


def test_a_retried_batch_adds_nothing(any_ledger: Ledger) -> None:
    batch = [{"role": "user", "content": f"t{n}", "key": f"k{n}", "payload": {"n": n}} for n in range(700)]
    first = any_ledger.run(lambda uow: uow.messages.append_many("s", batch))
    assert first == any_ledger.run(lambda uow: uow.messages.append_many("s", batch))
    assert 700 == any_ledger.run(lambda uow: uow.sessions.get("s")).message_count


def test_a_key_with_other_content_keeps_out_all(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.messages.append("s", "user", "one", key="k1")
        with pytest.raises(KeyReused) as caught:
            uow.messages.append_many(
                "s", [{"role": "user", "content": "x"}, {"role": "user", "content": "other", "key": "k1"}]
            )
        assert ("s", "k1", 1) == (caught.value.session_id, caught.value.key, caught.value.sequence_number)
        assert 1 == len(uow.messages.history("s"))


def test_a_key_twice_in_one_call_names_no_number(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        with pytest.raises(KeyReused) as caught:
            uow.messages.append_many(
                "s", [{"role": "user", "content": "a", "key": "k"}, {"role": "user", "content": "b", "key": "k"}]
            )
        assert ("k", None) == (caught.value.key, caught.value.sequence_number)
        assert [] == uow.messages.history("s")
