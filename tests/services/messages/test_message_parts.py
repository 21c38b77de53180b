"""Tool calls, tool results and reasoning have one form, which builders write and messages read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatledger import (
    InvalidInput,
    Ledger,
    Message,
    Reasoning,
    Role,
    ToolCall,
    ToolResult,
    reasoning,
    tool_call,
    tool_result,
)
from chatledger.schemas.message_parts import payload_of, read_reasoning, read_tool_calls

CALLS = [
    tool_call("look", {"city": "Zürich"}, id="c1"),
    tool_call("look", '{"city":  "as written"}', id="c2"),
    tool_call("run", "not JSON"),
    tool_call("stop", type="custom_kind", index=3),
]


def appended(ledger: Ledger, *messages: dict[str, Any]) -> list[Message]:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        for message in messages:
            uow.messages.append("s", **message)
    with ledger.read() as uow:
        return uow.messages.history("s")


def test_calls_and_thoughts_are_read_as_they_were_built(any_ledger: Ledger) -> None:
    thoughts = [reasoning("First."), reasoning("", signature="x" * 20)]
    [message] = appended(any_ledger, {"role": "assistant", "payload": payload_of(tool_calls=CALLS, reasoning=thoughts)})
    assert (
        ToolCall(id="c1", name="look", arguments={"city": "Zürich"}),
        ToolCall(id="c2", name="look", arguments={"city": "as written"}),
        ToolCall(name="run", arguments="not JSON"),
        ToolCall(name="stop", arguments={}),
    ) == message.tool_calls
    assert '{"city":  "as written"}' == message.payload["tool_calls"][1]["function"]["arguments"]
    assert (Reasoning(text="First."), Reasoning(text="", details={"signature": "x" * 20})) == message.reasoning
    assert message.tool_result is None


def test_two_results_are_two_messages(any_ledger: Ledger) -> None:
    long = "i" * 256
    first, second, third = appended(
        any_ledger,
        tool_result("21 °C", tool_call_id="c1", name="look"),
        tool_result("no", tool_call_id="c2", value={"code": 404}, is_error=True, extra=1),
        tool_result("", tool_call_id=long, name=long),
    )
    assert (Role.TOOL, "c1", "look", None) == (first.role, first.tool_call_id, first.name, first.payload)
    assert {"result": {"code": 404}, "is_error": True, "extra": 1} == second.payload
    assert [
        ToolResult(content="21 °C", tool_call_id="c1", name="look"),
        ToolResult(content="no", tool_call_id="c2", value={"code": 404}, is_error=True),
        ToolResult(content="", tool_call_id=long, name=long),
    ] == [first.tool_result, second.tool_result, third.tool_result]
    assert () == first.tool_calls
    assert () == first.reasoning


def test_a_payload_keeps_the_fields_of_its_source_beside_the_form() -> None:
    assert payload_of() is None
    assert payload_of(source_format="claude", source={}) is None
    assert {"source_format": "claude", "files": [1]} == payload_of(source_format="claude", source={"files": [1]})


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "text",
        [],
        {},
        {"tool_calls": None, "reasoning": "text"},
        {"tool_calls": {}, "reasoning": [1, {"text": 2}]},
        {"tool_calls": [1, {"function": "f"}, {"function": {"name": 3}}, {"custom": {}}], "reasoning": {"text": "x"}},
    ],
)
def test_another_form_is_left_to_the_payload(payload: Any) -> None:
    assert () == read_tool_calls(payload)
    assert () == read_reasoning(payload)


def test_a_custom_tool_of_openai_takes_any_text() -> None:
    entry = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    assert (ToolCall(id="c", name="sql", arguments="SELECT 1"),) == read_tool_calls({"tool_calls": [entry]})


def test_arguments_that_no_database_keeps_are_escaped_in_their_text(any_ledger: Ledger) -> None:
    given = {"a": "\0", "b": "\ud800", "c": "é"}
    [message] = appended(any_ledger, {"role": "assistant", "payload": {"tool_calls": [tool_call("f", given)]}})
    assert given == message.tool_calls[0].arguments


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: tool_call(None), "name"),  # type: ignore[arg-type]
        (lambda: tool_call("f", id=1), "id"),  # type: ignore[arg-type]
        (lambda: tool_call("f", float("nan")), "arguments"),
        (lambda: reasoning(None), "text"),  # type: ignore[arg-type]
        (lambda: tool_result(None), "content"),  # type: ignore[arg-type]
        (lambda: tool_result("x", tool_call_id=3), "tool_call_id"),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_text_is_refused_by_name(build: Callable[[], Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        build()
    assert field == refused.value.field
