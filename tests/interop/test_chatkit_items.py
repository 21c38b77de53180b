"""Thread items of ChatKit as messages. Needs no framework."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Message
from chatledger.interop.chatkit_items import item_of, to_messages
from chatledger.interop.stored_items import delete_item, store_item

BASE = {"thread_id": "thr_1", "created_at": "2026-05-01T10:00:00.250000Z"}
ASKED = {
    **BASE, "id": "msg_1", "type": "user_message", "quoted_text": "Portugal", "inference_options": {"model": "gpt-5"},
    "content": [{"type": "input_text", "text": "How warm is it in"},
                {"type": "input_tag", "id": "t", "text": "Lisbon", "data": {"id": 7}}],
    "attachments": [{"id": "atc_1", "name": "map.png", "mime_type": "image/png", "type": "image", "preview_url": "data:,"}],
}  # fmt: skip
PENDING = {
    **BASE, "id": "tc_1", "type": "client_tool_call", "status": "pending", "call_id": "c1", "name": "weather",
    "arguments": {"city": "Lisbon"}, "output": None,
}  # fmt: skip
DONE = {**PENDING, "status": "completed", "output": {"result": "21 °C"}}
WORKFLOW = {
    **BASE, "id": "wf_1", "type": "workflow", "workflow": {"type": "reasoning", "tasks": [
        {"type": "thought", "title": "Look", "content": "I should ask."},
        {"type": "web_search", "title": "Searching", "queries": ["beaches near Lisbon"], "sources": []}]},
}  # fmt: skip
ANSWER = {
    **BASE, "id": "msg_2", "type": "assistant_message",
    "content": [{"type": "output_text", "text": "21 degrees.", "annotations": []}],
}  # fmt: skip
QUESTION = {
    **BASE, "id": "si_1", "type": "structured_input", "status": "answered",
    "inputs": [{"id": "q", "type": "freeform", "question": "Which month?", "answer": {"values": ["June"], "skipped": False}}],
}  # fmt: skip
WIDGET = {**BASE, "id": "wg_1", "type": "widget", "widget": {"type": "Card", "children": []}, "copy_text": "A card"}
CONTEXT = {**BASE, "id": "hc_1", "type": "hidden_context_item", "content": {"text": "clicked"}}
REST = [
    {**BASE, "id": f"x{n}", "type": kind} for n, kind in enumerate(("end_of_turn", "generated_image", "task", "new"))
]
THREAD = [ASKED, DONE, WORKFLOW, ANSWER, QUESTION, WIDGET, CONTEXT, *REST]
ODD: list[dict[str, Any]] = [
    {"id": "a\x00b", "type": "user_message", "content": [{"text": "\x00 \ud83d"}], "created_at": "yesterday"},
    {"id": "x" * 300, "type": "client_tool_call", "status": "completed", "name": 7, "arguments": math.inf, "output": -math.inf},
    {"id": "c#2", "type": "workflow", "workflow": {"tasks": [7, {"queries": [1]}]}, "created_at": "0001-01-01T00:00:00"},
    {"id": "d", "type": ["x"], "inputs": 3}, {"id": "e", "type": "structured_input", "inputs": [{"answer": 1}]},
]  # fmt: skip


def store(ledger: Ledger, items: list[Any]) -> list[Message]:
    with ledger.begin() as uow:
        uow.sessions.get_or_create("thr_1")
        for item in items:
            store_item(uow, "thr_1", to_messages(item))
        return uow.messages.history("thr_1")


def read(ledger: Ledger) -> list[Any]:
    with ledger.read() as uow:
        found = [item_of(message, "thr_1") for message in uow.messages.history("thr_1")]
        return [item for item in found if item is not None]


def test_items_come_back_exactly(ledger: Ledger) -> None:
    store(ledger, [*THREAD, *ODD])
    assert [*THREAD, *ODD] == read(ledger)


def test_nan_comes_back_and_bytes_are_refused(ledger: Ledger) -> None:
    store(ledger, [{**CONTEXT, "content": math.nan}])
    assert math.isnan(read(ledger)[0]["content"])
    with pytest.raises(InvalidInput, match="item"):
        to_messages({**CONTEXT, "content": b"bytes"})


def test_a_thread_is_readable_by_others(ledger: Ledger) -> None:
    asked, called, result, workflow, answer, question, widget, context, *rest = store(ledger, THREAD)
    assert ("user", "How warm is it in\nLisbon", "msg_1") == (asked.role, asked.content, asked.key)
    assert "2026-05-01T10:00:00.250000+00:00" == asked.created_at.isoformat()
    assert [("weather", {"city": "Lisbon"}, "c1")] == [(c.name, c.arguments, c.id) for c in called.tool_calls]
    assert ("tool", "21 °C", "c1", "weather") == (result.role, result.content, result.tool_call_id, result.name)
    assert (["Look\nI should ask."], "Searching\nbeaches near Lisbon") == (
        [thought.text for thought in workflow.reasoning], workflow.content,
    )  # fmt: skip
    assert [("assistant", "21 degrees."), ("assistant", "Which month?\nJune"), ("assistant", "A card")] == [
        (message.role, message.content) for message in (answer, question, widget)
    ]
    assert ("system", "clicked", True) == (context.role, context.content, context.hidden)
    assert {True} == {message.hidden for message in rest}


def test_an_item_that_is_stored_again_is_replaced_where_it_is(ledger: Ledger) -> None:
    store(ledger, [ASKED, PENDING, ANSWER])
    assert [ASKED, PENDING, ANSWER] == read(ledger)
    messages = store(ledger, [DONE])
    assert [ASKED, DONE, ANSWER] == read(ledger)
    assert [1, 2, 3, 4] == [message.sequence_number for message in messages]
    assert "21 °C" == messages[-1].content
    store(ledger, [PENDING, {**ANSWER, "content": []}])
    assert [ASKED, PENDING, {**ANSWER, "content": []}] == read(ledger)
    with ledger.begin() as uow:
        assert not uow.search.messages("degrees").items
        delete_item(uow, "thr_1", "tc_1")
        delete_item(uow, "thr_1", "none")
    assert [ASKED, {**ANSWER, "content": []}] == read(ledger)


def test_messages_of_other_programs_are_items(ledger: Ledger) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Faro"}'}}
    with ledger.begin() as uow:
        uow.sessions.create("thr_1")
        uow.messages.append("thr_1", "user", "How warm is Faro?", key="k")
        uow.messages.append("thr_1", "assistant", "", payload={"tool_calls": [call]})
        uow.messages.append("thr_1", "tool", "23 °C", tool_call_id="c1", name="weather")
        uow.messages.append("thr_1", "assistant", "It is warm.")
    asked, called, result, answer = read(ledger)
    assert ("user_message", "k", "How warm is Faro?") == (asked["type"], asked["id"], asked["content"][0]["text"])
    assert ("hidden_context_item", "weather") == (called["type"], called["content"]["tool_calls"][0]["name"])
    assert ("hidden_context_item", "23 °C") == (result["type"], result["content"]["content"])
    assert ("assistant_message", "message_4", "It is warm.") == (
        answer["type"],
        answer["id"],
        answer["content"][0]["text"],
    )
