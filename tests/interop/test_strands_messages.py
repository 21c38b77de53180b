"""Messages of Strands Agents as messages. Needs no framework."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Message
from chatledger.interop.stored_items import store_item
from chatledger.interop.strands_messages import stored_messages, to_messages


def item(number: int, role: str, *blocks: Any, **more: Any) -> dict[str, Any]:
    message = {"role": role, "content": list(blocks), **more.pop("message", {})}
    at = f"2026-05-01T10:00:0{number % 10}.250000+00:00"
    return {
        "message": message,
        "message_id": number,
        "redact_message": None,
        "created_at": at,
        "updated_at": at,
        **more,
    }


ASKED = item(0, "user", {"text": "How warm is it in Lisbon and Faro?"})
CALLED = item(
    1, "assistant",
    {"reasoningContent": {"reasoningText": {"text": "Two towns.", "signature": "c2ln"}}}, {"text": "Let me look."},
    {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "Lisbon"}}},
    {"toolUse": {"toolUseId": "c2", "name": "weather", "input": {"city": "Faro"}}},
    message={"metadata": {"usage": {"inputTokens": 20, "outputTokens": 9, "totalTokens": 29}, "metrics": {"latencyMs": 800}}},
)  # fmt: skip
RESULTS = item(
    2, "user",
    {"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"json": {"t": 21}}]}},
    {"toolResult": {"toolUseId": "c2", "status": "error", "content": [{"text": "no sensor"}]}},
    {"text": "And Porto?"},
)  # fmt: skip
ANSWER = item(
    3, "assistant", {"text": "21 degrees."}, {"image": {"format": "png", "source": {"bytes": {"data": "AA=="}}}}
)
CITED = item(4, "assistant", {"citationsContent": {"content": [{"text": "It rains."}], "citations": []}})
TURN = [ASKED, CALLED, RESULTS, ANSWER, CITED]
ODD: list[dict[str, Any]] = [
    item(5, "user", {"text": "\x00 \ud83d"}), item(6, "assistant", {"toolUse": {"toolUseId": 7, "name": 7, "input": math.inf}}),
    item(7, "user", {"toolResult": {"content": [-math.inf]}}), item(8, "user", 3, None, {"toolUse": 1, "toolResult": 2}),
    {"message": None, "message_id": 9, "created_at": "yesterday"}, {"message_id": 10, "message": {"content": "text"}},
    {"message_id": 11, "created_at": 7, "escaped": "x"},
]  # fmt: skip


def deep(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    return value


def store(ledger: Ledger, items: list[Any]) -> list[Message]:
    tools: dict[str, str] = {}
    with ledger.begin() as uow:
        uow.sessions.get_or_create("s")
        for one in items:
            store_item(uow, "s", to_messages(one, tools))
        return uow.messages.history("s")


def read(ledger: Ledger) -> list[Any]:
    return ledger.view(lambda uow: stored_messages(uow, "s"))


def test_messages_come_back_exactly(ledger: Ledger) -> None:
    nested = [item(20 + n, "user", {"toolUse": {"input": deep(levels)}}) for n, levels in enumerate((30, 61, 64, 200))]
    store(ledger, [*TURN, *ODD, *nested])
    assert [*TURN, *ODD, *nested] == read(ledger)


def test_nan_comes_back_and_bytes_are_refused(ledger: Ledger) -> None:
    store(ledger, [item(0, "user", {"score": math.nan})])
    assert math.isnan(read(ledger)[0]["message"]["content"][0]["score"])
    with pytest.raises(InvalidInput, match="message"):
        to_messages(item(0, "user", {"image": b"bytes"}))


def test_a_turn_is_readable_by_others(ledger: Ledger) -> None:
    asked, called, first, second, porto, answer, cited = store(ledger, TURN)
    assert ("user", "How warm is it in Lisbon and Faro?", "0") == (asked.role, asked.content, asked.key)
    assert "2026-05-01T10:00:00.250000+00:00" == asked.created_at.isoformat()
    assert [("Two towns.", {"signature": "c2ln"})] == [(one.text, one.details) for one in called.reasoning]
    assert ("Let me look.", 20, 9, 800) == (
        called.content,
        called.input_tokens,
        called.output_tokens,
        called.duration_ms,
    )
    assert [("weather", {"city": "Lisbon"}, "c1"), ("weather", {"city": "Faro"}, "c2")] == [
        (call.name, call.arguments, call.id) for call in called.tool_calls
    ]
    results = [message.tool_result for message in (first, second)]
    assert [({"t": 21}, "c1", "weather", False), (None, "c2", "weather", True)] == [
        (one.value, one.tool_call_id, one.name, one.is_error) for one in results if one
    ]
    assert [("user", "And Porto?"), ("assistant", "21 degrees."), ("assistant", "It rains.")] == [
        (message.role, message.content) for message in (porto, answer, cited)
    ]


def test_a_message_that_strands_redacts_has_the_other_text(ledger: Ledger) -> None:
    store(ledger, TURN)
    redacted = {**RESULTS, "redact_message": {"role": "user", "content": [{"text": "Withheld"}]}}
    messages = store(ledger, [redacted])
    assert [*TURN[:2], redacted, *TURN[3:]] == read(ledger)
    assert ("user", "Withheld", None) == (messages[2].role, messages[2].content, messages[2].tool_call_id)
    with ledger.read() as uow:
        assert not uow.search.messages("sensor").items


def test_messages_of_other_programs_follow(ledger: Ledger) -> None:
    store(ledger, [ASKED])
    calls = [
        {"id": id_, "type": "function", "function": {"name": "weather", "arguments": '{"city":"Faro"}'}}
        for id_ in ("c1", "c2")
    ]
    with ledger.begin() as uow:
        uow.messages.append("s", "assistant", "Let me see.", payload={"tool_calls": calls})
        uow.messages.append("s", "tool", "23 °C", tool_call_id="c1", name="weather")
        uow.messages.append("s", "tool", "no sensor", tool_call_id="c2", payload={"is_error": True})
        uow.messages.append("s", "system", "Be brief.")
    _, called, results, told = read(ledger)
    assert [1, 2, 3] == [one["message_id"] for one in (called, results, told)]
    uses = [{"toolUse": {"toolUseId": id_, "name": "weather", "input": {"city": "Faro"}}} for id_ in ("c1", "c2")]
    assert {"role": "assistant", "content": [{"text": "Let me see."}, *uses]} == called["message"]
    answers = [
        {"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"text": "23 °C"}]}},
        {"toolResult": {"toolUseId": "c2", "status": "error", "content": [{"text": "no sensor"}]}},
    ]
    assert {"role": "user", "content": answers} == results["message"]
    assert {"role": "user", "content": [{"text": "Be brief."}]} == told["message"]


def test_a_redacted_message_keeps_its_number(ledger: Ledger) -> None:
    store(ledger, TURN)
    ledger.run(lambda uow: uow.messages.redact("s", 2))
    redacted = read(ledger)[1]
    assert (1, [{"text": "[redacted]"}]) == (redacted["message_id"], redacted["message"]["content"])
    assert [TURN[0], *TURN[2:]] == [one for one in read(ledger) if one["message_id"] != 1]
