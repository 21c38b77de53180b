"""Messages as model clients speak them: parts come back unchanged, their text is found, and each API gets its own form."""

from __future__ import annotations

from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Message, NewMessage, reasoning, to_anthropic, tool_call, tool_result
from tests.support.once import ONCE

IMAGE = "data:image/png;base64,iVBORw0KGgo="
OPENAI: list[Any] = [
    {"type": "text", "text": "What is on the otter picture?"},
    {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
    {"type": "text", "text": "And here?"},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
]
BLOCKS: list[Any] = [
    {"type": "thinking", "thinking": "secretly", "signature": "sig"},
    {"type": "text", "text": "I look.", "citations": None},
    {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "otter"}},
]
RESULTS: list[Any] = [
    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a badger"}], "is_error": False},
    {"type": "text", "text": "go on"},
]


@pytest.fixture
def talk(any_ledger: Ledger) -> Ledger:
    any_ledger.run(lambda uow: uow.sessions.create("s"))
    return any_ledger


def found(any_ledger: Ledger, words: str) -> list[int]:
    with any_ledger.read() as uow:
        return sorted(hit.sequence_number for hit in uow.search.messages(words).items)


def test_parts_are_text_to_search_and_come_back_unchanged(talk: Ledger) -> None:
    with talk.begin() as uow:
        made = uow.messages.append("s", "user", OPENAI, payload={"more": 1})
        (many,) = uow.messages.append_many("s", [{"role": "assistant", "content": BLOCKS}])
        answered = uow.messages.append("s", "user", RESULTS)
        assert [made, many, answered] == uow.messages.history("s")
    assert "What is on the otter picture?\nAnd here?" == made.content
    assert (OPENAI, {"more": 1, "content": OPENAI}) == (made.parts, made.payload)
    assert ("I look.", BLOCKS, "secretly", "look") == (
        many.content, many.parts, many.reasoning[0].text, many.tool_calls[0].name,
    )  # fmt: skip
    assert ("a badger\ngo on", RESULTS) == (answered.content, answered.parts)
    assert ([1, 2], [3], [2], []) == tuple(
        found(talk, words) for words in ("otter", "badger", "secretly", "iVBORw0KGgo")
    )
    assert () == talk.check().findings


def test_a_window_knows_the_results_among_parts(talk: Ledger) -> None:
    with talk.begin() as uow:
        uow.messages.append_many(
            "s",
            [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": BLOCKS},
                {"role": "user", "content": RESULTS},
            ],
        )
        assert [] == uow.messages.open_calls("s")
        assert 3 == len(uow.messages.history("s", last=1, whole_turns=True))
        uow.messages.truncate("s", after=2)
        assert ["t1"] == [call.id for call in uow.messages.open_calls("s")]


def test_another_content_takes_the_place_of_the_parts(talk: Ledger) -> None:
    with talk.begin() as uow:
        uow.messages.append("s", "user", OPENAI, payload={"more": 1})
        uow.messages.append("s", "assistant", BLOCKS)
        changed = uow.messages.update("s", 1, content="plain")
        assert ("plain", [{"type": "text", "text": "plain"}], {"more": 1}) == (
            changed.content, changed.parts, changed.payload,
        )  # fmt: skip
        assert OPENAI == uow.messages.update("s", 1, content=OPENAI).parts
        assert uow.messages.update("s", 2, content="gone").payload is None
        assert [] == uow.messages.redact("s", 1, replacement="").parts


def test_a_message_is_written_for_each_api(talk: Ledger) -> None:
    with talk.begin() as uow:
        append = uow.messages.append
        system = append("s", "system", "be brief")
        asked = append("s", "user", OPENAI)
        calling = append(
            "s", "assistant", "I look.",
            payload={"reasoning": [reasoning("hm", signature="sig"), reasoning("unsigned")],
                     "tool_calls": [tool_call("look", {"at": 1}, id="c1"), tool_call("see", {}, id="c2")]},
        )  # fmt: skip
        first = append("s", **tool_result("it is 1", tool_call_id="c1"))
        second = append("s", **tool_result("broken", tool_call_id="c2", is_error=True))
        answer = append("s", "assistant", "One.")
        blocks = append("s", "assistant", BLOCKS)
    assert {"role": "user", "content": OPENAI} == asked.to_openai()
    assert {"role": "tool", "content": "it is 1", "tool_call_id": "c1"} == first.to_openai()
    assert [
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}
    ] == calling.to_openai()["tool_calls"][:1]
    assert {"role": "assistant", "content": "One."} == answer.to_openai() == answer.to_anthropic()
    assert "I look." == blocks.to_openai()["content"]
    assert {"role": "assistant", "content": BLOCKS} == blocks.to_anthropic()
    assert {"role": "system", "content": "be brief"} == system.to_anthropic()
    thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    texts = [{"type": "text", "text": part["text"]} for part in OPENAI if part["type"] == "text"]
    results = [
        {"type": "tool_result", "tool_use_id": "c1", "content": "it is 1"},
        {"type": "tool_result", "tool_use_id": "c2", "content": "broken", "is_error": True},
    ]
    assert {
        "system": "be brief",
        "messages": [
            {"role": "user", "content": [texts[0], image, texts[1]]},
            {
                "role": "assistant",
                "content": [
                    thought, {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
                    {"type": "tool_use", "id": "c2", "name": "see", "input": {}},
                ],
            },
            {"role": "user", "content": results},
            {"role": "assistant", "content": "One."},
        ],
    } == to_anthropic([system, asked, calling, first, second, answer])  # fmt: skip


ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "hi"},
    {"role": "user", "content": OPENAI},
    {"role": "assistant", "content": None, "tool_calls": [tool_call("look", {"a": 1}, id="c")]},
    {"role": "tool", "tool_call_id": "c", "content": "x"},
    {"role": "assistant", "content": "x", "refusal": None, "annotations": []},
]


@ONCE
def test_openai_messages_come_back_as_they_were(talk: Ledger) -> None:
    with talk.begin() as uow:
        stored = uow.messages.append_many("s", [NewMessage.from_openai(item) for item in ITEMS])
    assert ITEMS == [message.to_openai() for message in stored]


@ONCE
def test_anthropic_messages_come_back_as_they_were(talk: Ledger) -> None:
    plain = [block if block["type"] != "text" else {"type": "text", "text": block["text"]} for block in BLOCKS]
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a badger"}]}
    items: list[dict[str, Any]] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": BLOCKS},
        {"role": "user", "content": [result, {**result, "tool_use_id": "t2", "content": "plain"}]},
        {"role": "assistant", "content": plain},
    ]
    with talk.begin() as uow:
        read = [message for item in items for message in NewMessage.from_anthropic(item)]
        stored = uow.messages.append_many("s", read)
    assert ["user", "assistant", "tool", "tool", "assistant"] == [message.role for message in stored]
    assert {"messages": items} == to_anthropic(stored)


@ONCE
def test_content_that_is_not_valid_is_refused_by_name(talk: Ledger) -> None:
    refused: list[tuple[str, dict[str, Any]]] = [
        ("payload", {"content": OPENAI, "payload": [1]}), ("payload", {"content": OPENAI, "payload": {"content": 1}}),
        ("payload", {"content": [{"type": "text", "text": "x", "n": float("nan")}]}), ("content", {"content": 5}),
        ("content", {"content": {"type": "text"}}), ("content", {"content": [5]}), ("content", {"content": [{"type": "text", "text": "\x00"}]}),
    ]  # fmt: skip
    with talk.begin() as uow:
        for field, arguments in refused:
            with pytest.raises(InvalidInput) as caught:
                uow.messages.append("s", "user", **arguments)
            assert field == caught.value.field.split(".")[0]
        assert [] == uow.messages.history("s")
    wrong: Any
    for wrong in (5, {"role": "wizard"}, {}):
        for read in (NewMessage.from_openai, NewMessage.from_anthropic):
            with pytest.raises(InvalidInput):
                read(wrong)


@ONCE
def test_a_message_that_is_not_stored_has_parts(talk: Ledger) -> None:
    message: Message = talk.run(lambda uow: uow.messages.append("s", "user", ["one", {"type": "text", "text": "two"}]))
    assert "one\ntwo" == message.content
