"""What is loaded from a row cannot be told from a validated object, and an odd row is validated or refused by name."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from chatledger import CorruptDatabase, Ledger, Message, Outcome, Session
from chatledger.services.rows import MESSAGE, SESSION, to_messages, to_sessions

MOMENT = datetime(2026, 5, 1, 12, 30, 0, 7, UTC)
STAMP = "2026-05-01 12:30:00.000007"

PLAIN = {"session_id": "s", "sequence_number": 1, "role": "user", "content": "Hi", "created_at": STAMP}
FULL = {
    "session_id": "s", "sequence_number": 2, "role": "assistant", "content": "", "payload": '[1,{"a":null}]',
    "metadata": '{"b":1,"a":[]}', "name": "n", "tool_call_id": "c", "model_id": "m", "input_tokens": 0,
    "output_tokens": 2, "cached_tokens": 3, "reasoning_tokens": 4, "cache_write_tokens": 5, "cache_write_1h_tokens": 6,
    "unpriced_units": 7, "service_tier": "batch", "tokens_used": 8, "duration_ms": 9, "cost": 0, "priced_from": STAMP,
    "priced_as": "p", "outcome": "error", "hidden": 1, "key": "k", "created_at": MOMENT, "copied_from": "o",
    "copied_sequence": 1,
}  # fmt: skip
SESSION_ROW = {
    "session_id": "s", "status": "idle", "context": '{"z":1,"a":2}', "message_count": 1, "total_tokens": 2,
    "total_duration_ms": 3, "total_cost": 4, "last_sequence": 5, "created_at": STAMP, "updated_at": STAMP,
    "last_activity": MOMENT,
}  # fmt: skip


def messages_of(*given: dict[str, Any]) -> list[Message]:
    return to_messages([tuple(values.get(column.name) for column in MESSAGE) for values in given])


def sessions_of(*given: dict[str, Any]) -> list[Session]:
    return to_sessions([tuple(values.get(column.name) for column in SESSION) for values in given])


def test_values_come_as_the_fields_say() -> None:
    plain, full = messages_of(PLAIN, FULL)
    assert MOMENT == plain.created_at == full.created_at == full.priced_from
    assert plain.created_at.tzinfo is UTC
    assert (None, {}, None, False) == (plain.payload, plain.metadata, plain.outcome, plain.hidden)
    assert ([1, {"a": None}], {"b": 1, "a": []}, Outcome.ERROR, True, Decimal(0)) == (
        full.payload, full.metadata, full.outcome, full.hidden, full.cost,
    )  # fmt: skip


def test_the_metadata_of_a_session_is_sorted_and_its_context_is_not() -> None:
    (session,) = sessions_of({**SESSION_ROW, "metadata": '{"z":1,"a":2}'})
    assert (["a", "z"], ["z", "a"]) == (list(session.metadata), list(session.context))
    assert Decimal("0.000000004") == session.total_cost


def objects() -> list[BaseModel]:
    return [*messages_of(PLAIN, FULL), *sessions_of(SESSION_ROW)]


@pytest.mark.parametrize("place", range(3))
def test_a_loaded_object_cannot_be_told_from_a_validated_one(place: int) -> None:
    loaded = objects()[place]
    kind = type(loaded)
    validated = kind.model_validate(dict(loaded))
    assert loaded == validated
    assert list(vars(loaded)) == list(vars(validated)) == list(kind.model_fields)
    assert repr(loaded) == repr(validated)
    assert loaded.model_fields_set == validated.model_fields_set
    assert loaded.model_dump() == validated.model_dump()
    assert loaded.model_dump_json() == validated.model_dump_json()
    assert (None, None) == (loaded.model_extra, loaded.__pydantic_private__)
    for same in (copy.copy(loaded), copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded)), loaded.model_copy()):
        assert same == loaded
        assert same.model_fields_set == loaded.model_fields_set
    changed = loaded.model_copy(update={"session_id": "t"})
    assert ("t", "s") == (changed.session_id, loaded.session_id)  # type: ignore[attr-defined]
    with pytest.raises(ValidationError, match="frozen"):
        loaded.session_id = "t"  # type: ignore[attr-defined]
    for one in (loaded, validated):
        with pytest.raises(TypeError, match="unhashable type"):
            hash(one)


def test_objects_share_nothing_that_can_be_changed() -> None:
    first, second = messages_of(PLAIN, PLAIN)
    first.metadata["a"] = 1
    first.model_fields_set.clear()
    assert {} == second.metadata
    assert set(Message.model_fields) == second.model_fields_set


ODD = [
    {"input_tokens": "5"},
    {"input_tokens": 5.0},
    {"content": b"Hi"},
]


@pytest.mark.parametrize("values", ODD)
def test_a_value_of_another_type_is_validated(values: dict[str, Any]) -> None:
    first, second, third = messages_of(FULL, PLAIN | values, FULL)
    assert ("Hi", values.get("input_tokens") and 5) == (second.content, second.input_tokens)
    assert first == third


DAMAGED = [
    {"role": "walrus"}, {"role": None}, {"content": None}, {"created_at": None}, {"created_at": "walrus"},
    {"created_at": 5}, {"outcome": "walrus"}, {"payload": "{walrus"}, {"metadata": "[1]"}, {"metadata": "{walrus"},
    {"input_tokens": "walrus"}, {"input_tokens": 1.5}, {"name": 5}, {"priced_from": "walrus"}, {"cost": "walrus"},
]  # fmt: skip


@pytest.mark.parametrize("values", DAMAGED)
def test_a_damaged_message_is_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(CorruptDatabase, match="message 7 of session 's' is damaged") as caught:
        messages_of(*[PLAIN] * 300, {**FULL, "sequence_number": 7, **values}, PLAIN)
    assert "walrus" not in repr(caught.value) + repr(caught.value.__context__)


@pytest.mark.parametrize(
    "values", [{"status": "walrus"}, {"context": "[]"}, {"context": None}, {"metadata": "5"}, {"last_activity": None}]
)
def test_a_damaged_session_is_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(CorruptDatabase, match="session 't' is damaged"):
        sessions_of(SESSION_ROW, {**SESSION_ROW, "session_id": "t", **values})


def test_what_an_append_returns_is_what_is_read(any_ledger: Ledger) -> None:
    given = {
        "role": "tool",
        "content": "x",
        "payload": (1, 2.0),
        "metadata": {"a": 1},
        "outcome": "error",
        "hidden": True,
    }
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        appended = [uow.messages.append("s", "user", "Hi", cost="0.5"), *uow.messages.append_many("s", [given, given])]
        read = uow.messages.history("s")
    assert appended == read
    assert [list(vars(one).items()) for one in appended] == [list(vars(one).items()) for one in read]
    assert [one.model_fields_set for one in appended] == [one.model_fields_set for one in read]
