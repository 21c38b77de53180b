"""Notations that look alike are read as what they are, and become one form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Message, reasoning, tool_call, tool_result
from chatledger.exchange import Format, from_openai, import_file, to_openai, to_sharegpt
from chatledger.schemas import NewMessage
from tests.exchange.files import messages_of, write

ANTHROPIC = [
    {"role": "user", "content": "Weather in Oslo and Bergen?"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Two places.", "signature": "s1"},
            {"type": "text", "text": "I will look."},
            {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}},
            {"type": "tool_use", "id": "c2", "name": "weather", "input": {"city": "Bergen"}},
        ],
        "usage": {"input_tokens": 9, "output_tokens": 4},
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "sunny"},
            {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "rainy"}]},
            {"type": "text", "text": "And tomorrow?"},
        ],
    },
]
GEMINI: list[dict[str, Any]] = [
    {"role": "user", "parts": [{"text": "Weather in Oslo"}, {"text": "and Bergen?"}]},
    {
        "role": "model",
        "parts": [
            {"text": "Two places.", "thought": True},
            {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}},
            {"function_call": {"name": "weather", "args": {"city": "Bergen"}, "id": "c2"}},
        ],
    },
    {
        "role": "user",
        "parts": [
            {"functionResponse": {"name": "weather", "response": {"result": "sunny"}}},
            {"function_response": {"name": "weather", "id": "c2", "response": {"sky": "rainy", "t": 9}}},
        ],
    },
    {"role": "model", "parts": [{"text": "Sunny and rainy."}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]},
]
AI_SDK = [
    {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "Weather in Oslo?"}], "metadata": {"from": "web"}},
    {
        "id": "m2",
        "role": "assistant",
        "parts": [
            {"type": "step-start"},
            {"type": "reasoning", "text": "One place."},
            {
                "type": "tool-weather", "toolCallId": "c1", "state": "output-available", "input": {"city": "Oslo"},
                "output": {"sky": "sunny"},
            },
            {
                "type": "dynamic-tool", "toolName": "map", "toolCallId": "c2", "state": "output-error", "input": {},
                "errorText": "no map",
            },
            {"type": "step-start"},
            {"type": "text", "text": "Sunny.", "state": "done"},
        ],
    },
]  # fmt: skip


def imported(ledger: Ledger, tmp_path: Path, record: Any, expected: Format) -> list[Message]:
    report = import_file(ledger, write(tmp_path / "chats.jsonl", record))
    assert (expected, 1, ()) == (report.format, report.conversations, report.failures)
    return messages_of(ledger, report.session_ids[0])


def shown(messages: list[Message]) -> list[tuple[str, str, str | None, list[str], list[str]]]:
    return [
        (
            one.role.value, one.content, one.tool_call_id, [f"{call.name} {call.arguments}" for call in one.tool_calls],
            [thought.text for thought in one.reasoning],
        )
        for one in messages
    ]  # fmt: skip


def test_blocks_of_anthropic(ledger: Ledger, tmp_path: Path) -> None:
    record = {"messages": ANTHROPIC, "system": [{"type": "text", "text": "Be brief."}]}
    found = imported(ledger, tmp_path, record, Format.ANTHROPIC)
    assert [
        ("user", "Weather in Oslo and Bergen?", None, [], []),
        (
            "assistant", "I will look.", None, ["weather {'city': 'Oslo'}", "weather {'city': 'Bergen'}"],
            ["Two places."],
        ),
        ("tool", "sunny", "c1", [], []),
        ("tool", "rainy", "c2", [], []),
        ("user", "And tomorrow?", None, [], []),
    ] == shown(found)  # fmt: skip
    assert (9, 4, "s1") == (found[1].input_tokens, found[1].output_tokens, found[1].reasoning[0].details["signature"])
    assert "content" not in found[1].payload  # the form says all of it
    with ledger.read() as uow:
        session = uow.sessions.get(found[0].session_id)
        assert ["**sunny**"] == [hit.snippet for hit in uow.search.messages("sunny")]
    assert "Be brief." == session.system_prompt


def test_parts_of_gemini(ledger: Ledger, tmp_path: Path) -> None:
    record = {"contents": GEMINI, "systemInstruction": {"parts": [{"text": "Be brief."}]}, "title": "T"}
    found = imported(ledger, tmp_path, record, Format.GEMINI)
    assert [
        ("user", "Weather in Oslo\nand Bergen?", None, [], []),
        ("assistant", "", None, ["weather {'city': 'Oslo'}", "weather {'city': 'Bergen'}"], ["Two places."]),
        ("tool", "sunny", None, [], []),
        ("tool", '{"sky": "rainy", "t": 9}', "c2", [], []),
        ("assistant", "Sunny and rainy.", None, [], []),
    ] == shown(found)
    # What the source kept apart is kept apart.
    assert {"source_format": "gemini", "parts": GEMINI[0]["parts"]} == found[0].payload
    assert {"sky": "rainy", "t": 9} == found[3].payload["result"]
    assert GEMINI[3]["parts"] == found[4].payload["parts"]
    with ledger.read() as uow:
        assert "Be brief." == uow.sessions.get(found[0].session_id).system_prompt


def test_parts_of_the_ai_sdk(ledger: Ledger, tmp_path: Path) -> None:
    found = imported(ledger, tmp_path, {"messages": AI_SDK}, Format.AI_SDK)
    assert [
        ("user", "Weather in Oslo?", None, [], []),
        ("assistant", "", None, ["weather {'city': 'Oslo'}", "map {}"], ["One place."]),
        ("tool", '{"sky": "sunny"}', "c1", [], []),
        ("tool", "no map", "c2", [], []),
        ("assistant", "Sunny.", None, [], []),
    ] == shown(found)
    assert ["m1", "m2", "m2#2", "m2#3", "m2#4"] == [one.key for one in found]
    assert {"source_format": "ai_sdk", "metadata": {"from": "web"}} == found[0].payload
    assert [{"sky": "sunny"}, True] == [found[2].payload["result"], found[3].payload["is_error"]]


def test_the_older_forms_of_the_ai_sdk(ledger: Ledger, tmp_path: Path) -> None:
    invocation = {"toolCallId": "c", "toolName": "t", "state": "result", "args": {"a": 1}, "result": "done"}
    older = [
        {"role": "user", "content": "Go", "parts": [{"type": "text", "text": "Go"}]},
        {"role": "assistant", "content": "", "parts": [{"type": "tool-invocation", "toolInvocation": invocation}]},
    ]
    assert [("assistant", ""), ("tool", "done")] == [
        (one.role.value, one.content) for one in imported(ledger, tmp_path, {"messages": older}, Format.AI_SDK)[1:]
    ]
    sent = [
        {
            "role": "assistant",
            "content": [{"type": "tool-call", "toolCallId": "c", "toolName": "t", "input": {"a": 1}}],
        },
        {
            "role": "tool",
            "content": [
                {"type": "tool-result", "toolCallId": "c", "toolName": "t", "output": {"type": "text", "value": "done"}}
            ],
        },
    ]
    called, answered = imported(ledger, tmp_path, {"messages": sent}, Format.AI_SDK)
    assert ("c", {"a": 1}) == (called.tool_calls[0].id, called.tool_calls[0].arguments)
    assert ("done", "c", "t") == (answered.content, answered.tool_call_id, answered.name)


def test_a_log_may_mix_notations(ledger: Ledger, tmp_path: Path) -> None:
    mixed = [{"role": "user", "content": "Hi"}, *ANTHROPIC, *GEMINI]
    report = import_file(ledger, write(tmp_path / "log.jsonl", *mixed))
    assert (Format.OPENAI, 1, 11, 0) == (report.format, report.conversations, report.messages, report.failed)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_of_a_server_comes_back_under_its_name(name: str) -> None:
    item = {"role": "assistant", "content": "Lisbon.", name: "They mean Portugal.", "x": 1}
    message = from_openai(item)
    assert {"reasoning": [reasoning("They mean Portugal.", field=name)], "x": 1} == message.payload
    assert item == to_openai(message)


def test_calls_in_the_older_form_of_openai() -> None:
    item = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a":  1}'}}
    message = from_openai(item)
    assert [tool_call("f", '{"a":  1}')] == message.payload["tool_calls"]
    assert item == to_openai(message)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"role": "assistant", "content": None, "refusal": "I cannot."}, "I cannot."),
        ({"role": "assistant", "content": "", "audio": {"id": "a", "transcript": "Hello"}}, "Hello"),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, "No."),
    ],
)
def test_what_is_said_in_another_place_is_text(item: dict[str, Any], text: str) -> None:
    message = from_openai(item)
    assert text == message.content
    assert item == to_openai(message)


def test_other_formats_are_written_as_openai_and_sharegpt_have_them(ledger: Ledger, tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
    found = imported(ledger, tmp_path, {"messages": AI_SDK}, Format.AI_SDK)
    assert [
        {"role": "user", "content": "Weather in Oslo?"},
        {
            "role": "assistant", "content": "", "reasoning_content": "One place.",
            "tool_calls": [call, {**call, "id": "c2", "function": {"name": "map", "arguments": "{}"}}],
        },
        {"role": "tool", "content": '{"sky": "sunny"}', "tool_call_id": "c1", "name": "weather"},
        {"role": "tool", "content": "no map", "tool_call_id": "c2", "name": "map"},
        {"role": "assistant", "content": "Sunny."},
    ] == [to_openai(one) for one in found]  # fmt: skip
    assert {"from": "gpt", "value": "Sunny."} == to_sharegpt(found[-1])
    one_call = NewMessage(role="assistant", payload={"tool_calls": [tool_call("f", {"a": 1}, id="c")]})
    assert {"from": "function_call", "value": '{"name":"f","arguments":{"a":1}}'} == to_sharegpt(one_call)
    result = to_sharegpt(NewMessage(**tool_result("21", tool_call_id="c", name="f")))
    assert {"from": "observation", "value": "21", "tool_call_id": "c", "name": "f"} == result


def test_calls_of_sharegpt_are_written_as_openai_has_them(ledger: Ledger, tmp_path: Path) -> None:
    record = {"conversations": [{"from": "function_call", "value": '{"name": "f", "arguments": {"a": 1}}'}]}
    [message] = imported(ledger, tmp_path, record, Format.SHAREGPT)
    assert {"role": "assistant", "content": None, "tool_calls": [tool_call("f", {"a": 1})]} == to_openai(message)


def test_an_unknown_role_is_refused_in_every_notation(ledger: Ledger, tmp_path: Path) -> None:
    record = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}, {"role": "wizard", "parts": [{"text": "?"}]}]}
    report = import_file(ledger, write(tmp_path / "chats.jsonl", record))
    assert "contents[1].role: is not one of" in report.failures[0].reason
    with pytest.raises(InvalidInput):
        import_file(ledger, write(tmp_path / "none.jsonl", {"parts": [{"text": "Hi"}]}))


def test_names_of_our_form_that_a_message_uses_for_its_own_come_back() -> None:
    for item in (
        {"role": "tool", "content": "x", "tool_call_id": "c", "is_error": True, "result": [1]},
        {"role": "assistant", "content": "x", "reasoning": [{"text": "hm"}]},
    ):
        assert item == to_openai(from_openai(item))


def test_a_result_that_names_its_call_in_a_list_has_its_id() -> None:
    item = {"role": "tool", "content": "done", "tool_call_ids": ["c1"]}
    message = from_openai(item)
    assert "c1" == message.tool_call_id
    assert item == to_openai(message)
    assert from_openai({**item, "tool_call_ids": ["c1", "c2"]}).tool_call_id is None
