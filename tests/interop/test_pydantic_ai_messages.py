"""PydanticAI's messages, in their JSON form, as messages. Needs no framework."""

from __future__ import annotations

from typing import Any

import pytest

from chatledger import Ledger, Message, Outcome
from chatledger.interop.pydantic_ai_messages import stored_messages, to_messages

REQUEST = {
    "kind": "request", "instructions": "Be brief.",
    "parts": [
        {"part_kind": "system-prompt", "content": "You are a guide."},
        {"part_kind": "user-prompt", "content": ["Look at", {"kind": "binary", "data": "AP8=", "media_type": "image/png"}]},
    ],
}  # fmt: skip
CALLING = {
    "kind": "response", "model_name": "gpt-5", "state": "complete",
    "usage": {
        "input_tokens": 20, "output_tokens": 9, "cache_read_tokens": 5, "cache_write_tokens": 0,
        "details": {"reasoning_tokens": 4},
    },
    "parts": [
        {"part_kind": "thinking", "content": "Two towns.", "signature": "c2ln"},
        {"part_kind": "text", "content": "Let me look."},
        {"part_kind": "tool-call", "tool_name": "weather", "args": {"city": "Faro"}, "tool_call_id": "c1"},
        {"part_kind": "tool-call", "tool_name": "weather", "args": '{"city": "Porto"}', "tool_call_id": "c2"},
        {"part_kind": "builtin-tool-return", "tool_name": "web", "content": {"result": "rain"}, "tool_call_id": "w1"},
    ],
}  # fmt: skip
RESULTS = {
    "kind": "request",
    "parts": [
        {"part_kind": "tool-return", "tool_name": "weather", "content": {"t": 23}, "tool_call_id": "c1",
         "outcome": "success"},
        {"part_kind": "retry-prompt", "tool_name": "weather", "content": "no such town", "tool_call_id": "c2"},
    ],
}  # fmt: skip
EMPTY = {"kind": "request", "parts": []}
REFUSED = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "a\x00b \ud83d"}]}
RUN = [REQUEST, CALLING, RESULTS, EMPTY, REFUSED]


def store(ledger: Ledger, messages: list[Any]) -> list[Message]:
    def add(uow: Any) -> Any:
        uow.sessions.get_or_create("s")
        return uow.messages.append_many("s", to_messages(messages))

    stored: list[Message] = ledger.run(add)
    return stored


def read(ledger: Ledger) -> list[Any]:
    return ledger.view(lambda uow: stored_messages(uow, "s"))


def test_messages_come_back_equal(ledger: Ledger) -> None:
    store(ledger, RUN)
    assert RUN == read(ledger)


def test_a_run_is_readable_by_others(ledger: Ledger) -> None:
    system, user, answer, web, result, retry, *_ = store(ledger, RUN)
    assert [("system", "You are a guide."), ("user", "Look at")] == [(m.role, m.content) for m in (system, user)]
    assert ("assistant", "Let me look.", "gpt-5") == (answer.role, answer.content, answer.model_id)
    assert [("weather", {"city": "Faro"}, "c1"), ("weather", {"city": "Porto"}, "c2")] == [
        (call.name, call.arguments, call.id) for call in answer.tool_calls
    ]
    assert [("Two towns.", {"signature": "c2ln"})] == [(one.text, one.details) for one in answer.reasoning]
    found = [message.tool_result for message in (web, result, retry)]
    assert [("rain", "web", False), ('{"t": 23}', "weather", False), ("no such town", "weather", True)] == [
        (one.content, one.name, one.is_error) for one in found if one is not None
    ]


def test_the_usage_of_a_response_is_in_its_columns(ledger: Ledger) -> None:
    (answer, *_) = store(ledger, [CALLING])
    counts = (answer.input_tokens, answer.output_tokens, answer.cached_tokens, answer.reasoning_tokens)
    assert (20, 9, 5, 4) == counts
    assert answer.cache_write_tokens is None


@pytest.mark.parametrize(
    ("usage", "unpriced"),
    [({"input_tokens": 9, "input_audio_tokens": 7}, 7), ({"input_tokens": 2, "cache_read_tokens": 3}, 1), ({}, None)],
)
def test_what_has_no_price_is_counted_as_such(usage: dict[str, int], unpriced: int | None) -> None:
    (answer,) = to_messages([{"kind": "response", "parts": [], "usage": usage}])
    assert unpriced == answer.get("unpriced_units")
    assert "cached_tokens" not in answer


def test_an_interrupted_response_is_marked(ledger: Ledger) -> None:
    (answer,) = store(ledger, [{"kind": "response", "state": "interrupted", "parts": []}])
    assert Outcome.INTERRUPTED == answer.outcome


@pytest.mark.parametrize(("words", "found"), [("guide", 1), ("Faro", 1), ("town", 1), ("prompt", 0), ("response", 0)])
def test_search_finds_what_was_said_and_not_the_names_of_parts(ledger: Ledger, words: str, found: int) -> None:
    store(ledger, [REQUEST, CALLING])
    with ledger.read() as uow:
        assert found == len(uow.search.messages(words).items)


def test_messages_of_other_programs_are_messages(ledger: Ledger) -> None:
    store(ledger, [REQUEST])
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Faro"}'}}
    with ledger.begin() as uow:
        uow.messages.append("s", "user", "And Faro?")
        uow.messages.append("s", "assistant", "Let me see.", payload={"tool_calls": [call]}, model_id="gpt-5")
        uow.messages.append("s", "tool", "23 °C", tool_call_id="c1", name="weather")
    first, user, answer, result = read(ledger)
    assert REQUEST == first
    assert [("user-prompt", "And Faro?")] == [(part["part_kind"], part["content"]) for part in user["parts"]]
    assert ["text", "tool-call"] == [part["part_kind"] for part in answer["parts"]]
    assert ("weather", {"city": "Faro"}, "gpt-5") == (
        answer["parts"][1]["tool_name"], answer["parts"][1]["args"], answer["model_name"],
    )  # fmt: skip
    assert ("23 °C", "c1") == (result["parts"][0]["content"], result["parts"][0]["tool_call_id"])
