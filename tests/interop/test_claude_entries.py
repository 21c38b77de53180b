"""Entries of Claude transcripts as messages. Needs no framework."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Message, Outcome
from chatledger.interop.claude_entries import TranscriptWriter, entries_of, stored_entries, titles_of
from tests.support.once import ONE_DATABASE

SURROUNDINGS = {"isSidechain": False, "userType": "external", "cwd": "/home/ada", "sessionId": "t1", "version": "2.0.1"}


def entry(kind: str, uuid: str, parent: str | None, content: Any, **more: Any) -> dict[str, Any]:
    message = {"role": kind, "content": content} | more.pop("message", {})
    at = {"timestamp": f"2026-05-01T10:00:0{uuid[-1]}.250Z"}
    return {"parentUuid": parent, **SURROUNDINGS, "type": kind, "message": message, "uuid": uuid, **at, **more}


def answer(id_: str, output: int) -> dict[str, Any]:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 5,
        "output_tokens": output,
    }
    return {"id": id_, "type": "message", "model": "claude-sonnet-4", "usage": usage}


ASKED = entry("user", "u1", None, "How warm is it in Lisbon and Faro?")
THOUGHT = entry(
    "assistant", "u2", "u1", [{"type": "thinking", "thinking": "Two towns.", "signature": "c2ln"}],
    message=answer("m1", 1),
)  # fmt: skip
CALLED = entry(
    "assistant", "u3", "u2",
    [{"type": "text", "text": "Let me look."},
     {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Lisbon"}},
     {"type": "tool_use", "id": "c2", "name": "weather", "input": {"city": "Faro"}}],
    message=answer("m1", 9),
)  # fmt: skip
RESULTS = entry(
    "user", "u4", "u3",
    [{"type": "tool_result", "tool_use_id": "c1", "content": "21 °C"},
     {"type": "tool_result", "tool_use_id": "c2", "is_error": True, "content": [{"type": "text", "text": "no sensor"}]}],
    toolUseResult={"stdout": "21 °C"},
)  # fmt: skip
ANSWERED = entry("assistant", "u5", "u4", [{"type": "text", "text": "21 degrees in Lisbon."}], message=answer("m2", 7))
FAILED = entry(
    "assistant", "u6", "u5", [{"type": "text", "text": "API Error"}], message={"model": "<synthetic>"},
    isApiErrorMessage=True,
)  # fmt: skip
COMPACTED = entry(
    "user", "u7", "u6", [{"type": "text", "text": "They talked about the weather."}], isCompactSummary=True
)
BOUNDARY = {"type": "system", "subtype": "compact_boundary", "content": "Conversation compacted", "uuid": "u8"}
ASIDE = [
    {"type": "summary", "summary": "Weather in Portugal", "leafUuid": "u5"},
    {"type": "file-history-snapshot", "messageId": "u1", "snapshot": {}},
]
TURN = [ASKED, THOUGHT, CALLED, RESULTS, ANSWERED, FAILED, COMPACTED, BOUNDARY, *ASIDE]
ODD = [
    {"type": "user", "uuid": "a\x00b", "message": {"content": "NUL \x00 and a lone surrogate \ud83d"}},
    {"type": "assistant", "message": {"content": [{"type": "tool_use", "id": 7, "name": "x", "input": math.inf}, 3, None]}},
    {"type": "user", "message": {"content": {"type": "text"}}, "timestamp": "yesterday", "uuid": "x" * 300},
    {"type": "assistant", "message": "text", "uuid": 7, "timestamp": 12},
    {"type": ["user"]}, {"escaped": "x"}, {}, "text", 7, None, [1],
]  # fmt: skip


def deep(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    return {"type": "user", "message": {"content": value}}


def store(ledger: Ledger, entries: list[Any], writer: TranscriptWriter | None = None) -> list[Message]:
    messages = (writer or TranscriptWriter()).messages(entries)

    def add(uow: Any) -> Any:
        uow.sessions.get_or_create("s")
        return uow.messages.append_many("s", messages, on_key="keep")

    stored: list[Message] = ledger.run(add)
    return stored


def read(ledger: Ledger) -> list[Any]:
    return ledger.view(lambda uow: stored_entries(uow, "s", "t1"))


def test_entries_come_back_exactly(ledger: Ledger) -> None:
    entries = [*TURN, *ODD, *(deep(levels) for levels in (30, 61, 64, 200))]
    store(ledger, entries)
    assert entries == read(ledger)


def test_nan_comes_back(ledger: Ledger) -> None:
    store(ledger, [{"type": "user", "message": {"content": "x"}, "score": math.nan}])
    assert math.isnan(read(ledger)[0]["score"])


@ONE_DATABASE
@pytest.mark.parametrize("value", [b"bytes", {1, 2}, deep(400), object()])
def test_an_entry_without_a_json_form_is_refused(ledger: Ledger, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        store(ledger, [ASKED, {"type": "user", "extra": value}])
    assert "entries.1" == refused.value.field


def test_a_turn_is_readable_by_others(ledger: Ledger) -> None:
    asked, thought, called, first, second, said, failed, compacted, boundary, *aside = store(ledger, TURN)
    assert ("user", ASKED["message"]["content"], "u1") == (asked.role, asked.content, asked.key)
    assert "2026-05-01T10:00:01.250000+00:00" == asked.created_at.isoformat()
    assert [("Two towns.", {"signature": "c2ln"})] == [(one.text, one.details) for one in thought.reasoning]
    assert "Let me look." == called.content
    assert [("weather", {"city": "Lisbon"}, "c1"), ("weather", {"city": "Faro"}, "c2")] == [
        (call.name, call.arguments, call.id) for call in called.tool_calls
    ]
    results = [message.tool_result for message in (first, second)]
    assert [("21 °C", "c1", "weather", False), ("no sensor", "c2", "weather", True)] == [
        (one.content, one.tool_call_id, one.name, one.is_error) for one in results if one
    ]
    assert ["u4", "u4#2"] == [first.key, second.key]
    assert ("assistant", "21 degrees in Lisbon.") == (said.role, said.content)
    assert (Outcome.ERROR, None) == (failed.outcome, failed.model_id)
    assert [False, True, False] == [message.hidden for message in (asked, compacted, boundary)]
    assert [("system", "", True)] * 2 == [(message.role, message.content, message.hidden) for message in aside]


def test_the_tokens_of_an_answer_of_several_entries_are_counted_once(ledger: Ledger) -> None:
    writer = TranscriptWriter()
    _, thought, called = [*store(ledger, [ASKED, THOUGHT], writer), *store(ledger, [CALLED], writer)]
    assert ("claude-sonnet-4", 35, 20, 5, 1) == (
        thought.model_id, thought.input_tokens, thought.cached_tokens, thought.cache_write_tokens, thought.output_tokens,
    )  # fmt: skip
    assert ("claude-sonnet-4", None, 8) == (called.model_id, called.input_tokens, called.output_tokens)
    assert 35 + 9 == ledger.view(lambda uow: uow.sessions.get("s")).total_tokens


def test_entries_are_found(ledger: Ledger) -> None:
    store(ledger, TURN)
    with ledger.read() as uow:
        for words in ("warm Lisbon", "sensor", "Faro"):
            assert uow.search.messages(words).items, words
        for words in ("external", "isSidechain", "file-history-snapshot"):
            assert not uow.search.messages(words).items, words


def test_entries_that_come_again_are_left_out(ledger: Ledger) -> None:
    writer = TranscriptWriter()
    store(ledger, TURN[:3], writer)
    store(ledger, [ASKED, ASKED, CALLED, RESULTS, RESULTS, ASIDE[0], ASIDE[0]], writer)
    assert [*TURN[:4], ASIDE[0], ASIDE[0]] == read(ledger)


def test_messages_of_other_programs_are_entries_that_follow(ledger: Ledger) -> None:
    store(ledger, [ASKED])
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Faro"}'}}
    with ledger.begin() as uow:
        uow.messages.append("s", "assistant", "Let me see.", payload={"tool_calls": [call]}, model_id="gpt-5")
        uow.messages.append("s", "tool", "23 °C", tool_call_id="c1", name="weather")
        uow.messages.append("s", "system", "Be brief.")
    _, called, result, told = read(ledger)
    blocks = [{"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Faro"}}]  # fmt: skip
    assert ("assistant", "u1", blocks, "gpt-5") == (
        called["type"], called["parentUuid"], called["message"]["content"], called["message"]["model"],
    )  # fmt: skip
    answered = [{"type": "tool_result", "tool_use_id": "c1", "content": "23 °C"}]
    assert ("user", called["uuid"], answered) == (result["type"], result["parentUuid"], result["message"]["content"])
    assert ("system", result["uuid"], "Be brief.") == (told["type"], told["parentUuid"], told["content"])
    assert ("t1", "/home/ada") == (told["sessionId"], told["cwd"])
    assert read(ledger) == read(ledger)
    json.dumps(read(ledger))


def test_a_redacted_entry_keeps_its_place_and_says_nothing(ledger: Ledger) -> None:
    store(ledger, TURN[:5])
    ledger.run(lambda uow: [uow.messages.redact("s", number) for number in (1, 5)])
    asked, *rest = read(ledger)
    assert ("user", "u1", None, "[redacted]") == (
        asked["type"], asked["uuid"], asked["parentUuid"], asked["message"]["content"],
    )  # fmt: skip
    assert TURN[1:5] == rest


@ONE_DATABASE
def test_a_transcript_without_messages_has_no_entries(ledger: Ledger) -> None:
    assert [] == entries_of([], "t1")


def test_the_last_title_that_a_user_gave_counts() -> None:
    assert (None, None) == titles_of(ODD)
    assert ("B", "C") == titles_of([{"customTitle": "A"}, {"aiTitle": "C"}, {"customTitle": "B"}, {"customTitle": " "}])
