"""llm, OpenAI Agents, LangChain and Google ADK in small."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger, Message, tool_call
from chatledger.adoption import adopt
from tests.adoption.old import ADK, AGENTS, LANGCHAIN, LLM, THREADS, made, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


def history(ledger: Ledger, session: str) -> list[Message]:
    with ledger.read() as uow:
        return uow.messages.history(session)


def test_a_response_of_llm_is_a_question_and_an_answer(path: Path, ledger: Ledger) -> None:
    with made(path, LLM) as connection:
        put(connection, "conversations", id="c", name="Rivers", model="gpt-4o")
        put(connection, "fragments", id=1, hash="h", content="A long document.")
        put(
            connection, "responses", id="r1", model="gpt-4o", prompt="Summarise", system="Be brief.", response="Short.",
            conversation_id="c", duration_ms=900, datetime_utc="2026-01-01T10:00:00.5+00:00", input_tokens=8,
            output_tokens=2, options_json='{"temperature": 0}', response_json='{"id": "x"}', token_details="{}",
        )  # fmt: skip
        put(connection, "prompt_fragments", response_id="r1", fragment_id=1, order=0)
        put(connection, "tool_calls", id=1, response_id="r1", name="now", arguments="{}", tool_call_id="t1")
        put(
            connection, "responses", id="r2", model="gpt-4o", prompt="", response="Noon.", conversation_id="c",
            datetime_utc="2026-01-01T10:00:01+00:00",
        )  # fmt: skip
        put(connection, "tool_results", id=1, response_id="r2", name="now", output="12:00", tool_call_id="t1")
        put(connection, "responses", id="r3", prompt="Lost", response="Found", datetime_utc="2026-01-01T11:00:00+00:00")
        put(connection, "attachments", id="a", type="image/png", content=b"\x89PNG")
        put(connection, "embeddings", collection_id=1, id="e", embedding=b"\x00\x01")
    report = adopt(ledger, path)
    question, answer, result, second = history(ledger, "c")
    with ledger.read() as uow:
        chat = uow.sessions.get("c")
    assert ("Rivers", "gpt-4o", "Be brief.") == (chat.title, chat.model_id, chat.system_prompt)
    assert ("user", "A long document.\nSummarise", "Summarise") == (
        question.role, question.content, question.metadata["prompt"]
    )  # fmt: skip
    assert ("assistant", "Short.", 8, 2, 900) == (
        answer.role, answer.content, answer.input_tokens, answer.output_tokens, answer.duration_ms
    )  # fmt: skip
    assert {"tool_calls": [tool_call("now", "{}", id="t1")]} == answer.payload
    assert ({"temperature": 0}, {"id": "x"}) == (answer.metadata["options"], answer.metadata["response"])
    assert ("tool", "12:00", "now", "t1") == (result.role, result.content, result.name, result.tool_call_id)
    assert "Noon." == second.content
    assert datetime(2026, 1, 1, 10, 0, 0, 500_000, UTC) == question.created_at == chat.created_at
    assert ["Lost", "Found"] == [m.content for m in history(ledger, "llm-responses-without-conversation")]
    kept = {m.name: m.payload for m in history(ledger, "llm-rows")}
    assert ({"base64": "iVBORw=="}, {"base64": "AAE="}) == (
        kept["attachments"]["content"],
        kept["embeddings"]["embedding"],
    )
    orphans = report.finding("orphan_messages")
    assert orphans is not None
    assert ("r3",) == orphans.examples


def test_threads_of_llm_are_chains_and_may_share_their_beginning(path: Path, ledger: Ledger) -> None:
    with made(path, THREADS) as connection:
        chain = [("h0", None, "system"), ("h1", "h0", "user"), ("h2", "h1", "assistant"), ("h3", "h2", "user")]
        for key, parent, role in [*chain, ("h9", None, "user")]:
            put(connection, "messages", hash=key, parent_hash=parent, role=role)
            put(connection, "parts", message_hash=key, position=0, type="text", text=f"text of {key}")
        put(connection, "parts", message_hash="h2", position=1, type="tool_call", payload='{"name": "f"}')
        put(connection, "threads", id="a", tip_message_hash="h2", datetime_utc="2026-01-01 10:00:09")
        put(connection, "threads", id="b", tip_message_hash="h3", forked_from="a", datetime_utc="2026-01-01 11:00:00")
        put(
            connection, "turns", id="t", thread_id="a", parent_message_hash="h1", tip_message_hash="h2", model="m",
            input_tokens=3, output_tokens=4, datetime_utc="2026-01-01T10:00:00+00:00",
        )  # fmt: skip
        put(connection, "turn_search", turn_id="t", prompt="text of h1", response="text of h2")
    report = adopt(ledger, path)
    assert ["text of h0", "text of h1", "text of h2"] == [m.content for m in history(ledger, "a")]
    assert ["text of h0", "text of h1", "text of h2", "text of h3"] == [m.content for m in history(ledger, "b")]
    answer = history(ledger, "a")[2]
    assert ("m", 3, 4, "t") == (
        answer.model_id, answer.input_tokens, answer.output_tokens, answer.metadata["turn_id"]
    )  # fmt: skip
    assert {"tool_calls": [tool_call("f")]} == answer.payload
    assert {datetime(2026, 1, 1, 10, tzinfo=UTC)} == {m.created_at for m in history(ledger, "a")}
    assert ["text of h9"] == [m.content for m in history(ledger, "llm-messages-without-thread")]
    tables = {table.table: table for table in report.tables}
    assert (5, 5, 1) == (tables["messages"].rows, tables["messages"].copied, tables["turn_search"].derived)


ITEMS: list[tuple[Any, tuple[str, str, str | None, str | None]]] = [
    ({"role": "user", "content": "Hi"}, ("user", "Hi", None, None)),
    ({"role": "user", "content": [{"type": "input_text", "text": "What?"}]}, ("user", "What?", None, None)),
    ({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}, ("assistant", "", None, None)),
    ({"type": "function_call_output", "call_id": "c", "output": "done"}, ("tool", "done", "f", "c")),
    ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "so"}]}, ("assistant", "", None, None)),
    ({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes"}]},
     ("assistant", "Yes", None, None)),
    (["odd"], ("user", "odd", None, None)),
]  # fmt: skip


def test_items_of_openai_agents(path: Path, ledger: Ledger) -> None:
    with made(path, AGENTS) as connection:
        put(connection, "agent_sessions", session_id="多/🙂", created_at="2026-01-01 10:00:00")
        for item, _ in ITEMS:
            put(connection, "agent_messages", session_id="多/🙂", message_data=json.dumps(item))
        put(connection, "agent_messages", session_id="多/🙂", message_data="{broken")
    adopt(ledger, path)
    told = history(ledger, "多/🙂")
    assert [expected for _, expected in ITEMS] == [
        (m.role.value, m.content, m.name, m.tool_call_id) for m in told[:-1]
    ]  # fmt: skip
    assert [None if number in (0, 3) else item for number, (item, _) in enumerate(ITEMS)] == [
        None if m.payload is None else m.payload["item"] for m in told[:-1]
    ]
    assert ("f", {}) == (told[2].tool_calls[0].name, told[2].tool_calls[0].arguments)
    assert ["so"] == [thought.text for thought in told[4].reasoning]
    assert ("{broken", {"message_data": "{broken"}) == (told[-1].content, told[-1].metadata["adopted"]["as_found"])


def test_tables_under_names_of_the_programs_own(path: Path, ledger: Ledger) -> None:
    schema = AGENTS.replace("agent_sessions", "my chats").replace("agent_messages", "my_items")
    with made(path, schema.replace("my chats", '"my chats"')) as connection:
        put(connection, '"my chats"', session_id="s")
        put(connection, "my_items", session_id="s", message_data='{"role": "user", "content": "Hi"}')
    assert (1, 1) == (adopt(ledger, path).sessions, len(history(ledger, "s")))


def test_messages_of_langchain(path: Path, ledger: Ledger) -> None:
    answer = {
        "content": "Noon.", "tool_calls": [{"name": "f", "args": {}, "id": "c"}], "name": None,
        "usage_metadata": {"input_tokens": 5, "output_tokens": 2}, "response_metadata": {"model_name": "m"},
    }  # fmt: skip
    with made(path, LANGCHAIN) as connection:
        for kind, data in (
            ("human", {"content": "When?"}), ("ai", answer), ("tool", {"content": "12:00", "tool_call_id": "c"}),
            ("system", {"content": "Be brief."}), ("chat", {"content": "x", "role": "assistant"}),
        ):  # fmt: skip
            put(connection, "message_store", session_id="s", message=json.dumps({"type": kind, "data": data}))
    report = adopt(ledger, path)
    told = history(ledger, "s")
    assert [
        ("user", "When?"), ("assistant", "Noon."), ("tool", "12:00"), ("system", "Be brief."), ("assistant", "x")
    ] == [(m.role.value, m.content) for m in told]  # fmt: skip
    assert (5, 2, "m") == (told[1].input_tokens, told[1].output_tokens, told[1].model_id)
    assert [tool_call("f", {}, id="c")] == told[1].payload["tool_calls"]
    assert {"type": "ai", "data": {k: v for k, v in answer.items() if k != "content"}} == told[1].payload["message"]
    assert "c" == told[2].tool_call_id
    found = report.finding("no_time")
    assert found is not None
    assert 5 == found.count
    assert 0 == adopt(ledger, path).messages


def test_sessions_of_google_adk_with_one_name_for_two_users(path: Path, ledger: Ledger) -> None:
    event = {
        "author": "agent", "content": {"role": "model", "parts": [{"text": "Hi"}, {"function_call": {"name": "f"}}]},
        "usage_metadata": {"prompt_token_count": 4, "candidates_token_count": 6},
    }  # fmt: skip
    answer = {"author": "agent", "content": {"parts": [{"function_response": {"name": "f", "id": "c"}}]}}
    with made(path, ADK) as connection:
        for user in ("ada", "bob"):
            put(
                connection, "sessions", app_name="demo", user_id=user, id="s", state='{"step": 1}',
                create_time="2026-01-01 10:00:00.5",
            )  # fmt: skip
            for number, data in enumerate((event, answer)):
                put(
                    connection, "events", id=f"{user}{number}", app_name="demo", user_id=user, session_id="s",
                    invocation_id="i", timestamp=f"2026-01-01 10:00:0{number}", event_data=json.dumps(data),
                )  # fmt: skip
        put(connection, "user_states", app_name="demo", user_id="ada", state='{"lang": "ar"}')
        put(connection, "events", id="lost", app_name="demo", user_id="eve", session_id="gone", timestamp="1767261600",
            event_data='{"author": "user", "content": {"parts": [{"text": "Lost"}]}}')  # fmt: skip
    report = adopt(ledger, path)
    with ledger.read() as uow:
        chats = {chat.user_id: chat for chat in uow.sessions.list() if chat.project_id == "demo"}
    assert {"ada", "bob", "eve"} == chats.keys()
    assert ("s", {"step": 1}) == (chats["ada"].session_id, chats["ada"].context)
    assert chats["bob"].session_id.startswith("google-adk:")
    found = report.finding("id_taken")
    assert found is not None
    assert ("demo/bob/s",) == found.examples
    for chat in (chats["ada"], chats["bob"]):
        said, called = history(ledger, chat.session_id)
        assert ("assistant", "Hi", "agent", 4, 6) == (
            said.role, said.content, said.name, said.input_tokens, said.output_tokens
        )  # fmt: skip
        assert ("tool", "f", "c") == (called.role, called.name, called.tool_call_id)
        assert (event, [tool_call("f")]) == (said.payload["event"], said.payload["tool_calls"])
    assert (["Lost"], "paused") == ([m.content for m in history(ledger, "gone")], chats["eve"].status)
    assert 0 == adopt(ledger, path).messages


def test_pickled_columns_of_an_older_adk_are_kept_as_bytes(path: Path, ledger: Ledger) -> None:
    old = ADK.replace("event_data TEXT", "author TEXT, actions BLOB, content TEXT, turn_complete INTEGER")
    with made(path, old) as connection:
        put(
            connection,
            "sessions",
            app_name="demo",
            user_id="ada",
            id="s",
            state="{}",
            create_time="2026-01-01 10:00:00",
        )
        put(
            connection, "events", id="e", app_name="demo", user_id="ada", session_id="s", invocation_id="i",
            timestamp="2026-01-01 10:00:00", author="user", actions=b"\x80\x04pickle", turn_complete=1,
            content='{"role": "user", "parts": [{"text": "Hallo"}]}',
        )  # fmt: skip
    adopt(ledger, path)
    (message,) = history(ledger, "s")
    assert ("user", "Hallo", 1) == (message.role, message.content, message.payload["event"]["turn_complete"])
    assert {"base64": "gARwaWNrbGU="} == message.metadata["adopted"]["as_found"]["actions"]
