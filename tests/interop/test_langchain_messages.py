"""LangChain's messages as JSON, without LangChain: what is stored of them, and what comes back."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, NewMessage, tool_call, tool_result
from chatledger.adoption import adopt
from chatledger.enums import Role
from chatledger.interop.langchain_messages import read, write
from tests.adoption.old import LANGCHAIN, made, put
from tests.support.once import ONE_DATABASE

_BASE: dict[str, Any] = {"additional_kwargs": {}, "response_metadata": {}, "name": None, "id": None}
_OF: dict[str, dict[str, Any]] = {
    "human": {},
    "system": {},
    "chat": {},
    "function": {},
    "ai": {"tool_calls": [], "invalid_tool_calls": [], "usage_metadata": None},
    "tool": {"artifact": None, "status": "success"},
    "AIMessageChunk": {"tool_calls": [], "invalid_tool_calls": [], "usage_metadata": None, "chunk_position": None},
}
_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
_DEEP: Any = "end"
for _ in range(90):
    _DEEP = {"deeper": _DEEP}


def item(kind: str, content: Any, **data: Any) -> dict[str, Any]:
    """A dict as `message_to_dict` writes it, with every field of the class."""
    return {"type": kind, "data": {"content": content, "type": kind, **_BASE, **_OF[kind], **copy.deepcopy(data)}}


def call(name: str, args: dict[str, Any], id: str | None) -> dict[str, Any]:
    return {"name": name, "args": args, "id": id, "type": "tool_call"}


ITEMS = [
    item("human", "hi"),
    item("human", "hi", id="1", name="ada", additional_kwargs={"a": None}),
    item("human", ""),
    item("human", ["look", {"type": "text", "text": "here"}, _IMAGE]),
    item("human", "nul \0 in it", additional_kwargs={"k": ["\0", "\ud800"]}),
    item("human", [{"type": "text", "text": "half \udc00"}]),
    item("human", "deep", additional_kwargs=_DEEP),
    item("human", "numbers", response_metadata={"low": -math.inf, "one": 1, "float": 1.0, "true": True}),
    item("human", "looks escaped", additional_kwargs={"escaped": "1"}),
    item("system", "Be brief."),
    item("system", "Be brief.", additional_kwargs={"__openai_role__": "developer"}),
    item("system", "Be brief.", additional_kwargs={"__openai_role__": "developer"}, id="d"),
    item("ai", "Lisbon.", id="run-1", usage_metadata={"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}),
    item("ai", "", tool_calls=[call("weather", {"city": "Lisbon", "days": 1, "exact": 1.0, "all": True}, "c1")]),
    item("ai", "", tool_calls=[call("a", {}, None), call("b", {"x": "\0"}, "")]),
    item(
        "ai",
        "",
        tool_calls=[call("a", {}, "c1")],
        invalid_tool_calls=[
            {"name": None, "args": '{"x', "id": "c2", "error": None, "type": "invalid_tool_call"},
        ],
    ),
    item(
        "ai",
        [{"type": "thinking", "thinking": "hm", "signature": "sig"}, {"type": "text", "text": "Lisbon."}],
        additional_kwargs={"function_call": {"name": "f", "arguments": "{}"}},
    ),
    item("AIMessageChunk", "Lis", tool_call_chunks=[{"name": "f", "args": '{"a', "id": "1", "index": 0}]),
    item("tool", "21 °C", tool_call_id="c1", name="weather", artifact={"rows": [[1, None]]}),
    item("tool", "no such city", tool_call_id="c1", status="error"),
    item("tool", "", tool_call_id=""),
    item("tool", ["a", {"type": "text", "text": "b"}], tool_call_id="i" * 300),
    item("tool", "x", tool_call_id="nul\0", name="n" * 300, artifact=["\0"]),
    item("function", "42", name="answer"),
    item("chat", "No.", role="critic"),
    item("chat", "Yes.", role="assistant"),
]


def test_every_message_comes_back_as_it_was(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", [NewMessage(**read(one)) for one in ITEMS])
    with ledger.read() as uow:
        stored = uow.messages.history("s")
    back = [write(message) for message in stored]
    assert ITEMS == [item(one["type"], **one["data"]) for one in back]
    # Whole numbers, fractions and booleans are equal in Python.
    assert repr(ITEMS[7]["data"]["response_metadata"]) == repr(back[7]["data"]["response_metadata"])


def test_nan_comes_back(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        given = item("tool", "x", tool_call_id="c", artifact=[math.nan])
        stored = uow.messages.append("s", **read(given))
        called = uow.messages.append("s", **read(item("ai", "", tool_calls=[call("f", {"x": math.nan}, "c")])))
    assert math.isnan(write(stored)["data"]["artifact"][0])
    assert math.isnan(write(called)["data"]["tool_calls"][0]["args"]["x"])
    assert ["f"] == [one.name for one in called.tool_calls]


def test_columns_and_payload_have_the_form_of_every_message() -> None:
    usage = {
        "input_tokens": 9,
        "output_tokens": 5,
        "total_tokens": 14,
        "input_token_details": {"cache_read": 4},
        "output_token_details": {"reasoning": 3},
    }
    answer = read(
        item(
            "ai",
            [{"type": "thinking", "thinking": "hm", "signature": "sig"}, {"type": "text", "text": "One moment."}],
            tool_calls=[call("weather", {"city": "Lisbon"}, "c1")],
            usage_metadata=usage,
            response_metadata={"model_name": "gpt-4o"},
        )
    )
    assert {
        "role": Role.ASSISTANT,
        "content": "One moment.",
        "model_id": "gpt-4o",
        "input_tokens": 9,
        "output_tokens": 5,
        "cached_tokens": 4,
        "reasoning_tokens": 3,
    } == {name: value for name, value in answer.items() if name != "payload"}
    assert [tool_call("weather", {"city": "Lisbon"}, id="c1")] == answer["payload"]["tool_calls"]
    assert [{"text": "hm", "signature": "sig"}] == answer["payload"]["reasoning"]
    assert {
        "role": Role.TOOL,
        "content": "21 °C",
        "tool_call_id": "c1",
        "name": "weather",
        "payload": {"is_error": True},
    } == read(item("tool", "21 °C", tool_call_id="c1", name="weather", status="error"))


def test_a_message_that_says_nothing_else_has_no_payload() -> None:
    assert {"role": Role.USER, "content": "hi"} == read(item("human", "hi"))
    assert {"role": Role.DEVELOPER, "content": "x"} == read(
        item("system", "x", additional_kwargs={"__openai_role__": "developer"})
    )


@pytest.mark.parametrize(
    ("word", "role"), [("critic", Role.USER), ("Assistant", Role.ASSISTANT), ("system", Role.SYSTEM)]
)
def test_chat_messages_have_the_role_that_their_word_names(word: str, role: Role) -> None:
    assert role is read(item("chat", "x", role=word))["role"]


def test_characters_that_databases_refuse_are_shown_by_a_sign() -> None:
    assert "a␀b\ufffd" == read(item("human", "a\0b\ud800"))["content"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"type": "remove", "data": {"content": "", "id": "1"}}, "message"),
        ({"type": "other", "data": {"content": ""}}, "message.type"),
        ({"content": ""}, "message"),
        ("text", "message"),
        (item("human", "x", additional_kwargs={"k": b"bytes"}), "message"),
        (item("human", "\0", additional_kwargs={"k": {"a set"}}), "message"),
        (item("human", "\0", additional_kwargs={"k": {1: "number as key"}}), "message"),
        (item("human", "x", additional_kwargs={"k": 10**5000}), "message"),
    ],
)
def test_what_is_no_message_or_has_no_json_form_is_refused(given: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(given)
    assert field == refused.value.field


def test_a_cycle_is_refused() -> None:
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    with pytest.raises(InvalidInput, match="nested deeper"):
        read({"type": "human", "data": {"content": "x", "additional_kwargs": cycle}})


@ONE_DATABASE
def test_messages_of_other_programs_are_read_by_their_columns(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", ["look", _IMAGE])
        uow.messages.append(
            "s",
            "assistant",
            payload={"tool_calls": [tool_call("weather", {"city": "Lisbon"}, id="c1")], "reasoning": [{"text": "hm"}]},
            model_id="gpt-4o",
            input_tokens=9,
            output_tokens=2,
            cached_tokens=1,
        )
        uow.messages.append("s", **tool_result("21 °C", tool_call_id="c1", name="weather", value={"c": 21}))
        uow.messages.append("s", "developer", "Be brief.")
        stored = uow.messages.history("s")
    usage = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11, "input_token_details": {"cache_read": 1}}
    assert [
        {"type": "human", "data": {"content": ["look", _IMAGE]}},
        {
            "type": "ai",
            "data": {
                "content": "",
                "tool_calls": [call("weather", {"city": "Lisbon"}, "c1")],
                "usage_metadata": usage,
                "response_metadata": {"model_name": "gpt-4o"},
                "additional_kwargs": {"reasoning_content": "hm"},
            },
        },
        {
            "type": "tool",
            "data": {
                "content": "21 °C",
                "tool_call_id": "c1",
                "name": "weather",
                "status": "success",
                "artifact": {"c": 21},
            },
        },
        {"type": "system", "data": {"content": "Be brief.", "additional_kwargs": {"__openai_role__": "developer"}}},
    ] == [write(message) for message in stored]


@ONE_DATABASE
def test_a_message_that_was_changed_comes_back_with_its_new_text(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", **read(item("human", ["old", _IMAGE], id="1")))
        changed = uow.messages.update("s", 1, content="new")
    assert ("new", "1") == (write(changed)["data"]["content"], write(changed)["data"]["id"])


@ONE_DATABASE
def test_messages_that_were_adopted_from_langchain_come_back_as_they_were(ledger: Ledger, tmp_path: Path) -> None:
    # Python writes an infinity as a word that is no JSON: adoption keeps such a row as text.
    given = [one for one in ITEMS if one["data"]["content"] != "numbers"]
    with made(tmp_path / "old.db", LANGCHAIN) as connection:
        for one in given:
            put(connection, "message_store", session_id="s", message=json.dumps(one))
    adopt(ledger, tmp_path / "old.db")
    with ledger.read() as uow:
        back = [write(message) for message in uow.messages.history("s")]
    assert given == [item(one["type"], **one["data"]) for one in back]


@ONE_DATABASE
def test_a_payload_of_another_program_that_looks_escaped_is_no_error(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        stored = uow.messages.append("s", "user", "hi", payload={"escaped": "by hand"})
    assert {"type": "human", "data": {"content": "hi"}} == write(stored)
