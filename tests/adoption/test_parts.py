"""Tool calls, results, thoughts and attached texts of every program have the ledger's one form."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger, Message
from chatledger.adoption import AdoptionReport, adopt
from tests.adoption.old import ADK, AGENTS, LANGCHAIN, LLM, THREADS, made, put

AT = "2026-01-01 10:00:00"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


def history(ledger: Ledger, session: str) -> list[Message]:
    with ledger.read() as uow:
        return uow.messages.history(session)


def langchain(path: Path, *messages: tuple[str, dict[str, Any]]) -> None:
    with made(path, LANGCHAIN) as connection:
        for kind, data in messages:
            put(connection, "message_store", session_id="s", message=json.dumps({"type": kind, "data": data}))


def agents(path: Path, *items: Any) -> None:
    with made(path, AGENTS) as connection:
        put(connection, "agent_sessions", session_id="s", created_at=AT)
        for item in items:
            put(connection, "agent_messages", session_id="s", message_data=json.dumps(item), created_at=AT)


def adk(path: Path, *events: dict[str, Any]) -> None:
    with made(path, ADK) as connection:
        put(connection, "sessions", app_name="demo", user_id="ada", id="s", state="{}", create_time=AT)
        for number, event in enumerate(events):
            put(
                connection, "events", id=f"e{number}", app_name="demo", user_id="ada", session_id="s", timestamp=AT,
                invocation_id="i", event_data=json.dumps(event),
            )  # fmt: skip


def found_by(ledger: Ledger, *queries: str) -> list[int]:
    """How many of the messages that a search finds have the word in their content, and not only in their payload."""
    with ledger.read() as uow:
        hits = [uow.search.messages(query).items for query in queries]
        return [
            sum(query in uow.messages.get(hit.session_id, hit.sequence_number).content.lower() for hit in found)
            for query, found in zip(queries, hits, strict=True)
        ]


def test_two_results_in_one_event_stay_two_and_are_found(path: Path, ledger: Ledger) -> None:
    calls = [{"function_call": {"id": f"c{n}", "name": "look", "args": {"n": n}}} for n in (1, 2)]
    answers = [
        {"function_response": {"id": "c1", "name": "look", "response": {"animal": "otter"}}},
        {"function_response": {"id": "c2", "name": "look", "response": {"error": "badger gone"}}},
    ]
    thought = {"text": "Two at once.", "thought": True, "thought_signature": "sig"}
    usage = {"prompt_token_count": 4, "candidates_token_count": 6}
    first = {"author": "agent", "content": {"role": "model", "parts": [thought, *calls]}, "usage_metadata": usage}
    second = {"author": "agent", "content": {"role": "user", "parts": answers}}
    adk(path, first, second)
    report = adopt(ledger, path)
    asked, one, two = history(ledger, "s")
    assert ("", 4, 6) == (asked.content, asked.input_tokens, asked.output_tokens)
    assert [("c1", {"n": 1}), ("c2", {"n": 2})] == [(call.id, call.arguments) for call in asked.tool_calls]
    assert [("Two at once.", {"thought_signature": "sig"})] == [(t.text, t.details) for t in asked.reasoning]
    assert [("tool", "c1", "look"), ("tool", "c2", "look")] == [(m.role, m.tool_call_id, m.name) for m in (one, two)]
    assert one.tool_result is not None
    assert two.tool_result is not None
    assert ({"animal": "otter"}, False) == (one.tool_result.value, one.tool_result.is_error)
    assert ({"error": "badger gone"}, True) == (two.tool_result.value, two.tool_result.is_error)
    assert (second, False) == (one.payload["event"], "event" in two.payload)
    assert (3, [1, 1, 0]) == (report.messages, found_by(ledger, "otter", "badger", "twice"))
    assert 0 == adopt(ledger, path).messages


def test_text_and_a_result_in_one_event(path: Path, ledger: Ledger) -> None:
    parts = [{"text": "Done:"}, {"function_response": {"name": "f", "response": {"result": "ok"}}}]
    adk(path, {"author": "agent", "content": {"parts": parts}, "usage_metadata": {"prompt_token_count": 1}})
    adopt(ledger, path)
    assert [("assistant", "Done:", 1), ("tool", "ok", None)] == [
        (m.role, m.content, m.input_tokens) for m in history(ledger, "s")
    ]


def test_calls_that_openai_runs_have_their_results_within(path: Path, ledger: Ledger) -> None:
    call = {"type": "mcp_call", "id": "m1", "name": "look", "arguments": '{"a": 1}', "output": "otter", "error": None}
    run = {"type": "code_interpreter_call", "id": "x1", "code": "1/0", "outputs": [{"type": "logs", "logs": "badger"}]}
    free = {"type": "custom_tool_call", "call_id": "f1", "name": "shell", "input": "ls -l"}
    answer = {"type": "custom_tool_call_output", "call_id": "f1", "output": [{"type": "input_text", "text": "weasel"}]}
    agents(path, call, run, free, answer)
    adopt(ledger, path)
    told = history(ledger, "s")
    assert [
        ("assistant", ""), ("tool", "otter"), ("assistant", ""), ("tool", '[{"type": "logs", "logs": "badger"}]'),
        ("assistant", ""), ("tool", "weasel"),
    ] == [(m.role, m.content) for m in told]  # fmt: skip
    assert [("look", {"a": 1}), ("code_interpreter", "1/0"), ("shell", "ls -l")] == [
        (m.tool_calls[0].name, m.tool_calls[0].arguments) for m in told[::2]
    ]
    assert [("m1", "look"), ("x1", "code_interpreter"), ("f1", "shell")] == [
        (m.tool_call_id, m.name) for m in told[1::2]
    ]
    assert [1, 1, 1] == found_by(ledger, "otter", "badger", "weasel")
    assert 0 == adopt(ledger, path).messages


def test_reasoning_stays_apart_from_the_answer(path: Path, tmp_path: Path, ledger: Ledger) -> None:
    summary = [{"type": "summary_text", "text": text} for text in ("First.", "Then.")]
    agents(
        path,
        {"type": "reasoning", "id": "r", "summary": summary, "encrypted_content": "zzz"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Lisbon."}]},
    )
    adopt(ledger, path)
    thought, answer = history(ledger, "s")
    assert ("", "Lisbon.") == (thought.content, answer.content)
    assert [("First.", {"encrypted_content": "zzz"}), ("Then.", {})] == [(t.text, t.details) for t in thought.reasoning]
    with made(tmp_path / "threads.db", THREADS) as connection:
        put(connection, "threads", id="t", tip_message_hash="h", datetime_utc=AT)
        put(connection, "messages", hash="h", role="assistant")
        put(
            connection,
            "parts",
            message_hash="h",
            position=0,
            type="reasoning",
            text="Hm.",
            payload='{"redacted": true}',
        )
        put(connection, "parts", message_hash="h", position=1, type="text", text="Porto.")
    adopt(ledger, tmp_path / "threads.db")
    (answer,) = history(ledger, "t")
    assert ("Porto.", {"reasoning": [{"text": "Hm.", "redacted": True}]}) == (answer.content, answer.payload)
    langchain(
        tmp_path / "langchain.db",
        (
            "ai",
            {"content": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "text", "text": "Faro."}]},
        ),
        ("ai", {"content": "Braga.", "additional_kwargs": {"reasoning_content": "Hm."}}),
    )
    report = adopt(ledger, tmp_path / "langchain.db")
    name = next(iter(_new(ledger, report)))
    assert [("Faro.", "Hm."), ("Braga.", "Hm.")] == [(m.content, m.reasoning[0].text) for m in history(ledger, name)]


def _new(ledger: Ledger, report: AdoptionReport) -> list[str]:
    with ledger.read() as uow:
        chats = [chat for chat in uow.sessions.list() if chat.metadata["adopted"]["layout"] == report.layout]
    return [chat.session_id for chat in chats]


def test_messages_of_langchain_that_call_and_answer(path: Path, ledger: Ledger) -> None:
    langchain(
        path,
        ("ai", {"content": "", "tool_calls": [{"name": "f", "args": {"x": 1}, "id": "a"}],
                "invalid_tool_calls": [{"name": "g", "args": "{broken", "id": "b", "error": "no JSON"}]}),
        ("tool", {"content": "otter", "tool_call_id": "a", "name": "f", "status": "error"}),
        ("tool", {"content": [{"type": "text", "text": "badger"}], "tool_call_id": "b", "artifact": {"rows": [1]}}),
        ("ai", {"content": "", "additional_kwargs": {"function_call": {"name": "old", "arguments": "{}"}}}),
        ("function", {"content": "weasel", "name": "old"}),
        ("AIMessageChunk", {"content": "done"}),
    )  # fmt: skip
    adopt(ledger, path)
    told = history(ledger, "s")
    assert [("f", {"x": 1}), ("g", "{broken")] == [(call.name, call.arguments) for call in told[0].tool_calls]
    assert ["old"] == [call.name for call in told[3].tool_calls]
    results = [message.tool_result for message in told if message.tool_result is not None]
    assert [("otter", "a", None, True), ("badger", "b", {"rows": [1]}, False), ("weasel", None, None, False)] == [
        (result.content, result.tool_call_id, result.value, result.is_error) for result in results
    ]
    assert ["f", "g", "old"] == [result.name for result in results]
    assert ("assistant", "done") == (told[-1].role, told[-1].content)


def test_a_result_whose_ids_are_too_long_for_their_columns_has_them_in_the_payload(path: Path, ledger: Ledger) -> None:
    langchain(path, ("tool", {"content": "otter", "tool_call_id": "i" * 300, "name": "n" * 300}))
    adopt(ledger, path)
    result = history(ledger, "s")[0].tool_result
    assert result is not None
    assert ("otter", "i" * 300, "n" * 300) == (result.content, result.tool_call_id, result.name)


def test_messages_of_langchain_that_change_are_findings(path: Path, ledger: Ledger) -> None:
    langchain(
        path,
        ("chat", {"content": "a", "role": "assistant"}),
        ("chat", {"content": "b", "role": "User"}),
        ("chat", {"content": "c", "role": "critic"}),
        ("remove", {"content": "", "id": "m1"}),
        ("oracle", {"content": "d"}),
    )
    report = adopt(ledger, path)
    assert [("assistant", "a"), ("user", "b"), ("user", "c"), ("user", "d")] == [
        (m.role, m.content) for m in history(ledger, "s")
    ]
    assert {"other_role_word": (2,), "unknown_role": (3, 5), "removal": (4,)} == {
        found.kind: found.examples for found in report.findings if found.kind != "no_time"
    }
    (removal,) = history(ledger, "langchain-rows")
    assert "m1" in removal.payload["message"]
    assert (1, 4, 1) == (report.sessions, report.messages, report.other_rows)


def test_results_of_llm_are_messages(path: Path, ledger: Ledger) -> None:
    with made(path, THREADS) as connection:
        put(connection, "threads", id="t", tip_message_hash="h2", datetime_utc=AT)
        put(connection, "messages", hash="h1", role="assistant")
        put(connection, "messages", hash="h2", parent_hash="h1", role="tool")
        put(
            connection, "parts", message_hash="h1", position=0, type="tool_call", tool_name="f",
            payload='{"name": "f", "arguments": {"x": 1}, "tool_call_id": "c1", "server_executed": true}',
        )  # fmt: skip
        for place, more in enumerate(({"output": "otter"}, {"output": "badger", "exception": "ValueError"})):
            result = {"name": "f", "tool_call_id": f"c{place}", **more}
            put(
                connection, "parts", message_hash="h2", position=place, type="tool_result", tool_name="f",
                payload=json.dumps(result),
            )  # fmt: skip
    adopt(ledger, path)
    asked, one, two = history(ledger, "t")
    assert [("f", {"x": 1}, "c1")] == [(call.name, call.arguments, call.id) for call in asked.tool_calls]
    assert [("tool", "otter", "c0", "f"), ("tool", "badger", "c1", "f")] == [
        (m.role, m.content, m.tool_call_id, m.name) for m in (one, two)
    ]
    assert two.tool_result is not None
    assert two.tool_result.is_error
    assert [1, 1] == found_by(ledger, "otter", "badger")
    assert 0 == adopt(ledger, path).messages


def test_attached_texts_are_found(path: Path, tmp_path: Path, ledger: Ledger) -> None:
    note = base64.b64encode(b"ein Dachs").decode()
    with made(path, LLM) as connection:
        put(connection, "conversations", id="c")
        put(connection, "responses", id="r", conversation_id="c", prompt="Read", response="Yes", datetime_utc=AT)
        put(connection, "attachments", id="a", type="text/plain", content=b"ein Otter")
        put(connection, "attachments", id="b", type="image/png", content=b"ein Iltis")
        for place, name in enumerate("ab"):
            put(connection, "prompt_attachments", response_id="r", attachment_id=name, order=place)
    adopt(ledger, path)
    assert ["Read\nein Otter", "Yes"] == [m.content for m in history(ledger, "c")]
    adk(
        tmp_path / "adk.db",
        {
            "author": "user",
            "content": {"parts": [{"text": "Read"}, {"inline_data": {"mime_type": "text/plain", "data": note}}]},
        },
    )
    adopt(ledger, tmp_path / "adk.db")
    file = {"type": "input_file", "filename": "a.txt", "file_data": f"data:text/plain;base64,{note}"}
    agents(tmp_path / "agents.db", {"role": "user", "content": [{"type": "input_text", "text": "Read"}, file]})
    adopt(ledger, tmp_path / "agents.db")
    assert [1, 2, 0] == found_by(ledger, "otter", "dachs", "iltis")
