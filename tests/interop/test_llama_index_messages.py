"""Chat messages of LlamaIndex, in their JSON form, as messages. Needs no framework."""

from __future__ import annotations

from typing import Any

from chatledger import Ledger, Message
from chatledger.interop.llama_index_messages import from_message, to_message

QUESTION = {
    "role": "user", "additional_kwargs": {"score": float("inf")},
    "blocks": [{"block_type": "text", "text": "How warm is it?"}, {"block_type": "image", "image": "AP8="}],
}  # fmt: skip
CALLING = {
    "role": "assistant",
    "additional_kwargs": {
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Faro"}'}},
            {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Porto"}'}},
        ]
    },
    "blocks": [
        {"block_type": "thinking", "content": "Two towns.", "additional_information": {"signature": "c2ln"}},
        {"block_type": "text", "text": "Let me look."},
        {"block_type": "tool_call", "tool_call_id": "c1", "tool_name": "weather", "tool_kwargs": {"city": "Faro"}},
    ],
}  # fmt: skip
RESULT = {
    "role": "tool", "additional_kwargs": {"tool_call_id": "c1", "name": "weather"},
    "blocks": [{"block_type": "text", "text": "23"}],
}  # fmt: skip
REFUSED = {"role": "chatbot", "additional_kwargs": {}, "blocks": [{"block_type": "text", "text": "a\x00b \ud83d"}]}
EMPTY = {"role": "model", "additional_kwargs": {}, "blocks": []}
RUN = [QUESTION, CALLING, RESULT, REFUSED, EMPTY]


def store(ledger: Ledger, messages: list[Any]) -> list[Message]:
    def add(uow: Any) -> Any:
        uow.sessions.get_or_create("s")
        return uow.messages.append_many("s", [to_message(message) for message in messages])

    stored: list[Message] = ledger.run(add)
    return stored


def read(ledger: Ledger) -> list[Any]:
    return [from_message(message) for message in ledger.view(lambda uow: uow.messages.history("s"))]


def test_messages_come_back_equal(ledger: Ledger) -> None:
    store(ledger, RUN)
    assert RUN == read(ledger)


def test_a_run_is_readable_by_others(ledger: Ledger) -> None:
    question, answer, result, refused, empty = store(ledger, RUN)
    assert ("user", "How warm is it?") == (question.role, question.content)
    assert ("assistant", "Let me look.") == (answer.role, answer.content)
    assert [("weather", {"city": "Faro"}, "c1"), ("weather", {"city": "Porto"}, "c2")] == [
        (call.name, call.arguments, call.id) for call in answer.tool_calls
    ]
    assert [("Two towns.", {"signature": "c2ln"})] == [(one.text, one.details) for one in answer.reasoning]
    assert ("23", "c1", "weather") == (result.content, result.tool_call_id, result.name)
    assert ["assistant", "assistant"] == [refused.role, empty.role]


def test_messages_of_other_programs_are_read(ledger: Ledger) -> None:
    store(ledger, [QUESTION])
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Faro"}'}}

    def others(uow: Any) -> None:
        uow.messages.append("s", "assistant", "", payload={"tool_calls": [call]})
        uow.messages.append("s", "tool", "23", tool_call_id="c1", name="weather")
        uow.messages.redact("s", 1)

    ledger.run(others)
    redacted, calling, result = read(ledger)
    assert "How warm" not in str(redacted)
    assert [
        {"block_type": "tool_call", "tool_call_id": "c1", "tool_name": "weather", "tool_kwargs": {"city": "Faro"}}
    ] == calling["blocks"]
    assert {"tool_call_id": "c1", "name": "weather"} == result["additional_kwargs"]
