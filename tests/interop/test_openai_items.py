"""Items of the OpenAI Agents SDK as messages. Needs no framework."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Message
from chatledger.adoption.readers.openai_items import Items
from chatledger.interop.openai_items import ItemWriter, newest_items, pop_item

USER = {"role": "user", "content": "How warm is it in Lisbon?"}
THOUGHT = {
    "type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "I should ask."}],
    "encrypted_content": "gAAA",
}  # fmt: skip
CALL = {
    "type": "function_call",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city": "Lisbon"}',
    "id": "fc_1",
}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "21 °C"}
ANSWER = {
    "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
    "content": [{"type": "output_text", "text": "It is 21 degrees.", "annotations": []}],
}  # fmt: skip
HOSTED = {
    "type": "mcp_call", "id": "mcp_1", "name": "lookup", "server_label": "geo", "arguments": '{"q": "Porto"}',
    "output": "Porto lies at the Douro.",
}  # fmt: skip
TURN = [USER, THOUGHT, CALL, RESULT, ANSWER]

REFUSED = [
    {"role": "user", "content": "a\x00b"},
    {"role": "user", "content": "a lone surrogate \ud83d"},
    {"role": "user", "content": "x", "extra": [math.inf, -math.inf]},
    {"type": "function_call_output", "call_id": "c\x00", "output": "\x00"},
    {"type": "function_call", "call_id": "c", "name": "f\x00", "arguments": "\x00"},
    {"key\x00": 1},
    {"escaped": "not a JSON text"},
    {"escaped": {"role": "user"}},
]


def deep(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    return {"role": "user", "content": "x", "extra": value}


def store(ledger: Ledger, items: list[Any], session_id: str = "s") -> list[Message]:
    messages = ItemWriter().messages(items)

    def add(uow: Any) -> Any:
        uow.sessions.get_or_create(session_id)
        return uow.messages.append_many(session_id, messages)

    stored: list[Message] = ledger.run(add)
    return stored


def read(ledger: Ledger, limit: int | None = None, session_id: str = "s") -> list[Any]:
    return ledger.view(lambda uow: newest_items(uow, session_id, limit))


def test_items_come_back_exactly(ledger: Ledger) -> None:
    items = [*TURN, HOSTED, *REFUSED, *(deep(levels) for levels in (60, 61, 62, 63, 64, 200)), {}, "text", 7, [1], None]
    store(ledger, items)
    assert items == read(ledger)


def test_nan_comes_back(ledger: Ledger) -> None:
    store(ledger, [{"role": "user", "content": "x", "score": math.nan}])
    assert math.isnan(read(ledger)[0]["score"])


def test_a_turn_is_readable_by_others(ledger: Ledger) -> None:
    user, thought, call, result, answer = store(ledger, TURN)
    assert ("user", USER["content"]) == (user.role, user.content)
    assert ("assistant", ["I should ask."]) == (thought.role, [one.text for one in thought.reasoning])
    assert [("weather", {"city": "Lisbon"}, "call_1")] == [(c.name, c.arguments, c.id) for c in call.tool_calls]
    found = result.tool_result
    assert found is not None
    assert ("tool", "21 °C", "call_1", "weather") == (result.role, found.content, found.tool_call_id, found.name)
    assert ("assistant", "It is 21 degrees.") == (answer.role, answer.content)


@pytest.mark.parametrize("words", ["warm Lisbon", "21 degrees", "weather", "ask"])
def test_a_turn_is_found(ledger: Ledger, words: str) -> None:
    store(ledger, TURN)
    with ledger.read() as uow:
        assert uow.search.messages(words).items


def test_what_the_database_refuses_is_shown_by_signs(ledger: Ledger) -> None:
    (message,) = store(ledger, [REFUSED[0]])
    assert "a\u2400b" == message.content


def test_the_result_of_a_hosted_tool_is_a_message_and_no_item(ledger: Ledger) -> None:
    _, call, result = store(ledger, [USER, HOSTED])
    assert ["lookup"] == [one.name for one in call.tool_calls]
    assert ("tool", HOSTED["output"]) == (result.role, result.content)
    assert [USER, HOSTED] == read(ledger)
    assert [HOSTED] == read(ledger, 1)
    assert HOSTED == ledger.run(lambda uow: pop_item(uow, "s"))
    assert [USER] == read(ledger)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 9])
def test_a_limit_counts_items_from_the_newest(ledger: Ledger, limit: int) -> None:
    items = [HOSTED, USER, HOSTED, HOSTED, *TURN[:1]]
    store(ledger, items)
    assert items[-limit:] == read(ledger, limit)


def test_messages_of_other_programs_are_items(ledger: Ledger) -> None:
    store(ledger, [USER])
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Faro"}'}}
    with ledger.begin() as uow:
        uow.messages.append("s", "assistant", "Let me see.", payload={"tool_calls": [call]})
        uow.messages.append("s", "tool", "23 °C", tool_call_id="c1", name="weather")
    text = {"role": "assistant", "content": "Let me see."}
    asked = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Faro"}'}
    answered = {"type": "function_call_output", "call_id": "c1", "output": "23 °C"}
    assert [USER, text, asked, answered] == read(ledger)
    assert [asked, answered] == read(ledger, 2)
    assert [answered, asked, text, USER] == [ledger.run(lambda uow: pop_item(uow, "s")) for _ in range(4)]


def test_adopted_sessions_are_read_as_items(ledger: Ledger) -> None:
    reader = Items()  # what adoption copies from a session store of the SDK
    adopted = [fields for item in [*TURN, HOSTED, USER] for fields in reader.messages(item)]
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", adopted)
    store(ledger, [ANSWER])
    assert [*TURN, HOSTED, USER, ANSWER] == read(ledger)


def test_a_redacted_item_is_not_read_from_its_payload(ledger: Ledger) -> None:
    store(ledger, [USER, ANSWER])
    ledger.run(lambda uow: uow.messages.redact("s", 1))
    redacted, answer = read(ledger)
    assert USER["content"] not in str(redacted)
    assert ANSWER == answer


def test_an_item_without_a_json_form_is_refused_by_its_place() -> None:
    with pytest.raises(InvalidInput, match=r"items\.1"):
        ItemWriter().messages([USER, {"role": "user", "content": object()}])
