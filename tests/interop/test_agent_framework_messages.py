"""Messages of the Microsoft Agent Framework, in their JSON form, as messages. Needs no framework."""

from __future__ import annotations

from typing import Any

from chatledger import Ledger, Message
from chatledger.interop.agent_framework_messages import stored_messages, to_messages

QUESTION = {
    "type": "message", "role": "user", "author_name": "ada", "message_id": "m1",
    "contents": [
        {"type": "text", "text": "How warm is it?"},
        {"type": "data", "uri": "data:image/png;base64,AP8=", "media_type": "image/png"},
    ],
    "additional_properties": {"score": float("inf"), "deep": [[[["x"]]]]},
}  # fmt: skip
CALLING = {
    "type": "message", "role": "assistant", "author_name": "guide",
    "contents": [
        {"type": "text_reasoning", "text": "Two towns.", "protected_data": "c2ln"},
        {"type": "text", "text": "Let me look."},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": {"city": "Faro"}},
        {"type": "function_call", "call_id": "c2", "name": "weather", "arguments": '{"city": "Porto"}'},
        {"type": "usage", "usage_details": {"input_token_count": 20, "output_token_count": 9}},
    ],
}  # fmt: skip
RESULTS = {
    "type": "message", "role": "tool",
    "contents": [
        {"type": "function_result", "call_id": "c1", "result": '{"t": 23}'},
        {"type": "function_result", "call_id": "c2", "result": "no such town", "exception": "ValueError"},
    ],
}  # fmt: skip
REFUSED = {"type": "message", "role": "user", "contents": [{"type": "text", "text": "a\x00b \ud83d"}]}
EMPTY = {"type": "message", "role": "assistant", "contents": []}
NO_RESULT = {"type": "message", "role": "tool", "contents": [{"type": "text", "text": "done"}]}
ODD = {"type": "message", "role": "narrator", "contents": ["text", {"type": "error", "message": "x"}]}
RUN = [QUESTION, CALLING, RESULTS, REFUSED, EMPTY, NO_RESULT, ODD]


def store(ledger: Ledger, messages: list[Any]) -> list[Message]:
    def add(uow: Any) -> Any:
        uow.sessions.get_or_create("s")
        return uow.messages.append_many("s", [fields for message in messages for fields in to_messages(message)])

    stored: list[Message] = ledger.run(add)
    return stored


def read(ledger: Ledger) -> list[Any]:
    return ledger.view(lambda uow: stored_messages(uow, "s"))


def test_messages_come_back_equal(ledger: Ledger) -> None:
    store(ledger, RUN)
    assert RUN == read(ledger)


def test_nesting_that_databases_refuse_comes_back(ledger: Ledger) -> None:
    deep: Any = "x"
    for _ in range(250):
        deep = [deep]
    message = {**QUESTION, "additional_properties": {"deep": deep}}
    store(ledger, [message])
    assert [message] == read(ledger)


def test_a_run_is_readable_by_others(ledger: Ledger) -> None:
    question, answer, result, failed, refused, *_ = store(ledger, RUN)
    assert ("user", "How warm is it?", "ada") == (question.role, question.content, question.name)
    assert ("assistant", "Let me look.", 20, 9) == (
        answer.role, answer.content, answer.input_tokens, answer.output_tokens,
    )  # fmt: skip
    assert [("weather", {"city": "Faro"}, "c1"), ("weather", {"city": "Porto"}, "c2")] == [
        (call.name, call.arguments, call.id) for call in answer.tool_calls
    ]
    assert [("Two towns.", {"signature": "c2ln"})] == [(one.text, one.details) for one in answer.reasoning]
    results = [message.tool_result for message in (result, failed)]
    assert [('{"t": 23}', "c1", False), ("no such town", "c2", True)] == [
        (one.content, one.tool_call_id, one.is_error) for one in results if one is not None
    ]
    assert refused.content.startswith("a")
    hits = ledger.view(lambda uow: uow.search.messages("towns OR look").items)
    assert {2} == {hit.sequence_number for hit in hits if hit.role == "assistant"}


def test_messages_of_other_programs_are_read(ledger: Ledger) -> None:
    store(ledger, [QUESTION])
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Faro"}'}}

    def others(uow: Any) -> None:
        uow.messages.append("s", "developer", "Be brief.")
        uow.messages.append("s", "assistant", "", payload={"tool_calls": [call]})
        uow.messages.append("s", "tool", "23", tool_call_id="c1")
        uow.messages.redact("s", 1)

    ledger.run(others)
    redacted, system, calling, result = read(ledger)
    assert "How warm" not in str(redacted)
    assert ("system", [{"type": "text", "text": "Be brief."}]) == (system["role"], system["contents"])
    assert [{"type": "function_call", "call_id": "c1", "name": "weather", "arguments": {"city": "Faro"}}] == calling[
        "contents"
    ]
    assert [{"type": "function_result", "call_id": "c1", "result": "23"}] == result["contents"]
