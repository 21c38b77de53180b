"""Events of Google ADK as messages, and its state as entries. Needs no framework."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Message, Outcome
from chatledger.interop.google_adk_events import (
    events_of,
    prefix_of,
    stored_events,
    to_messages,
)
from chatledger.interop.state_entries import read_state, state_keys

ASKED = {
    "id": "e1", "invocation_id": "i1", "author": "user", "timestamp": 1777629600.25,
    "content": {"role": "user", "parts": [{"text": "How warm is it in Lisbon and Faro?"}]}, "actions": {},
}  # fmt: skip
CALLED = {
    "id": "e2", "invocation_id": "i1", "author": "guide", "timestamp": 1777629601.0, "model_version": "gemini-3-pro",
    "content": {"role": "model", "parts": [
        {"text": "Two towns.", "thought": True, "thought_signature": "c2ln"}, {"text": "Let me look."},
        {"function_call": {"id": "c1", "name": "weather", "args": {"city": "Lisbon"}}},
        {"function_call": {"id": "c2", "name": "weather", "args": {"city": "Faro"}}},
        {"inline_data": {"data": "_wA=", "mime_type": "image/png"}}]},
    "usage_metadata": {"prompt_token_count": 20, "candidates_token_count": 9, "thoughts_token_count": 4,
                       "total_token_count": 33},
}  # fmt: skip
RESULTS = {
    "id": "e3", "author": "guide", "timestamp": 1777629602.0,
    "content": {"role": "user", "parts": [
        {"function_response": {"id": "c1", "name": "weather", "response": {"result": "21 °C"}}},
        {"function_response": {"id": "c2", "name": "weather", "response": {"error": "no sensor"}}}]},
}  # fmt: skip
REMEMBERED = {"id": "e4", "author": "guide", "timestamp": 1777629603.0, "actions": {"state_delta": {"town": "Lisbon"}}}
FAILED = {
    "id": "e5", "author": "guide", "timestamp": 1777629604.0, "error_code": "SAFETY", "content": {"parts": [{"text": "No"}]}
}  # fmt: skip
TURN = [ASKED, CALLED, RESULTS, REMEMBERED, FAILED]
ODD: list[dict[str, Any]] = [
    {"id": "a\x00b", "author": "a\ud83d", "content": {"parts": [{"text": "\x00 \ud83d"}]}, "timestamp": 1e300},
    {"id": "x" * 300, "author": "user", "content": {"parts": [{"function_call": {"name": 7, "args": {"x": math.inf}}}]}},
    {"id": 7, "timestamp": "yesterday", "content": {"parts": None}, "usage_metadata": {"prompt_token_count": "many"}},
    {"content": {"parts": [{"function_response": {"response": {"x": [-math.inf, "\x00"]}}}]}, "interrupted": True},
    {"escaped": "x"}, {},
]  # fmt: skip


def deep(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    return {"author": "user", "content": {"parts": [{"function_call": {"name": "f", "args": {"x": value}}}]}}


def store(ledger: Ledger, events: list[Any]) -> list[Message]:
    messages = [fields for event in events for fields in to_messages(event)]

    def add(uow: Any) -> Any:
        uow.sessions.get_or_create("s")
        return uow.messages.append_many("s", messages, on_key="keep")

    stored: list[Message] = ledger.run(add)
    return stored


def read(ledger: Ledger, limit: int | None = None) -> list[Any]:
    return ledger.view(lambda uow: stored_events(uow, "s", limit))


def test_events_come_back_exactly(ledger: Ledger) -> None:
    events = [*TURN, *ODD, *(deep(levels) for levels in (30, 61, 64, 200))]
    store(ledger, events)
    assert events == read(ledger)


def test_nan_comes_back_and_bytes_are_refused(ledger: Ledger) -> None:
    store(ledger, [{**ASKED, "custom_metadata": {"score": math.nan}}])
    assert math.isnan(read(ledger)[0]["custom_metadata"]["score"])
    with pytest.raises(InvalidInput, match="event"):
        to_messages({**ASKED, "custom_metadata": b"bytes"})


def test_a_turn_is_readable_by_others(ledger: Ledger) -> None:
    asked, called, first, second, remembered, failed = store(ledger, TURN)
    assert ("user", "How warm is it in Lisbon and Faro?", "e1") == (asked.role, asked.content, asked.key)
    assert "2026-05-01T10:00:00.250000+00:00" == asked.created_at.isoformat()
    assert ("assistant", "Let me look.", "guide", "gemini-3-pro") == (
        called.role, called.content, called.name, called.model_id,
    )  # fmt: skip
    assert (20, 13, 4) == (called.input_tokens, called.output_tokens, called.reasoning_tokens)
    assert ["Two towns."] == [thought.text for thought in called.reasoning]
    assert [("weather", {"city": "Lisbon"}, "c1"), ("weather", {"city": "Faro"}, "c2")] == [
        (call.name, call.arguments, call.id) for call in called.tool_calls
    ]
    results = [message.tool_result for message in (first, second)]
    assert [("21 °C", "c1", "weather", False), (True, "c2")] == [
        (results[0].content, results[0].tool_call_id, results[0].name, results[0].is_error),  # type: ignore[union-attr] # both have the role tool
        (results[1].is_error, results[1].tool_call_id),  # type: ignore[union-attr] # as above
    ]
    assert [False, True, False] == [message.hidden for message in (asked, remembered, failed)]
    assert Outcome.ERROR is failed.outcome


def test_events_are_found(ledger: Ledger) -> None:
    store(ledger, TURN)
    with ledger.read() as uow:
        for words in ("warm Lisbon", "sensor", "Faro"):
            assert uow.search.messages(words).items, words
        assert not uow.search.messages("invocation").items


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9])
def test_a_limit_counts_events_from_the_newest(ledger: Ledger, limit: int) -> None:
    store(ledger, [*TURN, RESULTS | {"id": "e6"}])
    assert [*TURN, RESULTS | {"id": "e6"}][-limit:] == read(ledger, limit)


def test_messages_of_other_programs_are_events(ledger: Ledger) -> None:
    store(ledger, [ASKED])
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Faro"}'}}
    with ledger.begin() as uow:
        uow.messages.append("s", "assistant", "Let me see.", payload={"tool_calls": [call]}, key="other#1")
        uow.messages.append("s", "tool", "23 °C", tool_call_id="c1", name="weather")
        uow.messages.append("s", "system", "Be brief.")
    _, called, result, told = read(ledger)
    parts = [{"text": "Let me see."}, {"function_call": {"id": "c1", "name": "weather", "args": {"city": "Faro"}}}]
    assert ("model", "model", parts) == (called["author"], called["content"]["role"], called["content"]["parts"])
    answer = {"id": "c1", "name": "weather", "response": {"result": "23 °C"}}
    assert ("tool", [{"function_response": answer}]) == (result["author"], result["content"]["parts"])
    assert ("system", [{"text": "Be brief."}]) == (told["author"], told["content"]["parts"])
    assert read(ledger)[-2:] == read(ledger, 2)


def test_adopted_events_are_events(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        named = {"event_id": "e3", "invocation_id": "i1"}
        for number in range(2):  # what adoption copies from a database of ADK: both results, the first with the event
            event = {} if number else {"source_format": "google-adk", "event": {"author": "guide", "content": {}}}
            uow.messages.append("s", "tool", "21 °C", payload=event or None, metadata=named)
    (found,) = read(ledger)
    assert ("e3", "i1", "guide", {}) == (found["id"], found["invocation_id"], found["author"], found["content"])
    assert [found] == read(ledger, 1)


def test_a_redacted_event_says_nothing(ledger: Ledger) -> None:
    store(ledger, TURN)
    ledger.run(lambda uow: uow.messages.redact("s", 3))
    redacted = read(ledger)[2]
    assert ("e3", "[redacted]") == (
        redacted["id"],
        redacted["content"]["parts"][0]["function_response"]["response"]["result"],
    )
    assert [*TURN[:2], *TURN[3:]] == [event for event in read(ledger) if event is not redacted and event["id"] != "e3"]


def test_state_of_any_kind_comes_back(ledger: Ledger) -> None:
    state = {
        "": 1, "town": "Lisbon", "a\x00\ud83d": {"x\x00": [math.inf]}, "k" * 300: None, "hashed:x": 2,
        "deep": deep(100), "escaped": {"escaped": "x"}, "a/b": [1], "日本": "Kyōto",
    }  # fmt: skip
    for app in ("trips", "a/b \x00", "x" * 300):
        prefix = prefix_of(app)
        with ledger.begin() as uow:
            uow.state.update(state_keys(state, prefix), user_id="ada")
        with ledger.read() as uow:
            entries = [(entry.key, entry.value) for entry in uow.state.all(user_id="ada")]
        assert state == read_state(entries, prefix)
    assert {} == read_state(entries, prefix_of("trip"))
    assert [] == events_of([])
