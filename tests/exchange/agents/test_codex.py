"""Codex's transcripts: what the model says between two answers of its tools is one message."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.exchange import Format, ImportReport, import_file, import_files
from chatledger.exchange.readers.agents.transcript import UNFINISHED
from tests.exchange.files import messages_of, write


@pytest.fixture
def ledger(migrated_sqlite_url: str) -> Iterator[Ledger]:
    """What is read does not depend on the database."""
    with Ledger(migrated_sqlite_url) as opened:
        yield opened


def line(kind: str, second: int = 5, **payload: Any) -> dict[str, Any]:
    return {"timestamp": f"2026-01-02T03:04:{second:02}.000Z", "type": kind, "payload": payload}


def item(kind: str, second: int = 5, **payload: Any) -> dict[str, Any]:
    return line("response_item", second, **{"type": kind, **payload})


def event(kind: str, second: int = 5, **payload: Any) -> dict[str, Any]:
    return line("event_msg", second, **{"type": kind, **payload})


def says(text: str, role: str = "assistant") -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return item("message", role=role, content=[{"type": kind, "text": text}])


META = line("session_meta", id="c", cwd="/home/ada/x", cli_version="1", git={"branch": "main", "commit_hash": "f00"})


def read(ledger: Ledger, tmp_path: Path, *lines: Any, growing: bool = False) -> ImportReport:
    path = write(tmp_path / "rollout.jsonl", *lines)
    if not growing:
        os.utime(path, (1, 1))
    return import_file(ledger, path)


def test_events_that_repeat_items_are_left_out_and_others_are_messages(ledger: Ledger, tmp_path: Path) -> None:
    report = read(
        ledger, tmp_path, META, line("turn_context", model="gpt-x"),
        event("user_message", message="Why?"), says("Why?", "user"),
        event("agent_reasoning", text="Hm"),
        item("reasoning", summary=[{"type": "summary_text", "text": "Hm"}], encrypted_content="SECRET"),
        event("agent_message", message="Because."), says("Because."),
        event("user_message", message="Only an event"), event("agent_message", message="Yes"),
    )  # fmt: skip
    assert (Format.CODEX, 1, 4) == (report.format, report.conversations, report.messages)
    found = messages_of(ledger, "c")
    assert [("user", "Why?"), ("assistant", "Because."), ("user", "Only an event"), ("assistant", "Yes")] == [
        (message.role.value, message.content) for message in found
    ]
    assert ("Hm", "gpt-x") == (found[1].reasoning[0].text, found[1].model_id)
    assert "SECRET" not in str(found)
    with ledger.read() as uow:
        session = uow.sessions.get("c")
    assert ("Why?", "/home/ada/x", "gpt-x") == (session.title, session.project_id, session.model_id)
    assert {
        "agent": "codex", "cwd": "/home/ada/x", "git_branch": "main", "git_commit": "f00", "agent_version": "1",
    } == session.metadata  # fmt: skip


def test_calls_and_their_results(ledger: Ledger, tmp_path: Path) -> None:
    read(
        ledger, tmp_path, META, says("u", "user"), says("Let me look."),
        item("function_call", name="exec", arguments='{"cmd":"ls"}', call_id="1"),
        item("custom_tool_call", name="patch", input="+x", call_id="2"),
        item("function_call_output", call_id="1", output="a.txt"),
        item("custom_tool_call_output", call_id="2", output={"content": "no", "success": False}),
        item("web_search_call", action={"query": "q"}), says("Done."),
    )  # fmt: skip
    _, asked, first, second, last = messages_of(ledger, "c")
    assert "Let me look." == asked.content
    assert [("exec", {"cmd": "ls"}), ("patch", "+x")] == [(call.name, call.arguments) for call in asked.tool_calls]
    assert [("exec", "a.txt", None), ("patch", "no", {"is_error": True})] == [
        (message.name, message.content, message.payload) for message in (first, second)
    ]
    assert (["web_search"], "Done.") == ([call.name for call in last.tool_calls], last.content)


def count(total: int, last: int | None = None) -> dict[str, Any]:
    def usage(number: int) -> dict[str, int]:
        return {
            "input_tokens": number, "cached_input_tokens": number // 2, "output_tokens": 4,
            "reasoning_output_tokens": 1, "total_tokens": number + 4,
        }  # fmt: skip

    info = {"total_token_usage": usage(total), **({} if last is None else {"last_token_usage": usage(last)})}
    return event("token_count", info=info)


def test_a_usage_that_is_reported_again_counts_once(ledger: Ledger, tmp_path: Path) -> None:
    read(
        ledger, tmp_path, META, event("token_count", info=None), says("u", "user"), says("a"), count(10, 10),
        count(10, 10), says("v", "user"), says("b"), count(30, 20),
    )  # fmt: skip
    found = messages_of(ledger, "c")
    assert [None, 10, None, 20] == [message.input_tokens for message in found]
    assert [None, 5, None, 10] == [message.cached_tokens for message in found]
    assert (4, 1) == (found[1].output_tokens, found[1].reasoning_tokens)


def test_what_codex_says_in_the_name_of_a_person_is_hidden(ledger: Ledger, tmp_path: Path) -> None:
    read(
        ledger, tmp_path, META, says("Be brief.", "developer"), says("<environment_context>x", "user"),
        says("Why?", "user"), line("compacted", message="So far"), says("a"),
    )  # fmt: skip
    found = messages_of(ledger, "c")
    assert [True, True, False, True, False] == [message.hidden for message in found]
    with ledger.read() as uow:
        assert "Why?" == uow.sessions.get("c").title


def test_the_beginning_that_a_sub_agent_has_of_its_parent_is_left_out(ledger: Ledger, tmp_path: Path) -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "p"}}}
    read(
        ledger, tmp_path, line("session_meta", 9, id="c", source=spawned), event("user_message", 3, message="of p"),
        event("user_message", 10, message="Look"), event("agent_message", 11, message="Nothing"),
    )  # fmt: skip
    assert ["Look", "Nothing"] == [message.content for message in messages_of(ledger, "c")]
    with ledger.read() as uow:
        session = uow.sessions.get("c")
    assert (None, "p") == (session.parent_id, session.metadata["parent_session_id"])  # which was not imported


def test_old_transcripts_have_the_items_themselves(ledger: Ledger, tmp_path: Path) -> None:
    report = read(
        ledger, tmp_path, {"id": "c", "timestamp": "2025-05-01T09:00:00Z", "instructions": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "u"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
    )  # fmt: skip
    assert Format.CODEX == report.format
    assert ["u", "a"] == [message.content for message in messages_of(ledger, "c")]
    with ledger.read() as uow:
        assert "Be brief." == uow.sessions.get("c").system_prompt


def test_what_the_model_is_saying_is_left_for_the_next_import(ledger: Ledger, tmp_path: Path) -> None:
    lines = [META, says("u", "user"), says("Let me look.")]
    assert (1, UNFINISHED) == (
        (report := read(ledger, tmp_path, *lines, growing=True)).messages,
        report.warnings[0].reason,
    )
    lines += [item("function_call", name="exec", arguments="{}", call_id="1")]
    report = read(ledger, tmp_path, *lines)
    assert (1, 1, 0) == (report.extended, report.messages, report.warned)
    assert 1 == len(messages_of(ledger, "c")[1].tool_calls)


def test_real_transcripts(ledger: Ledger, shared_data: Path) -> None:
    report = import_files(ledger, [shared_data / "coding_agents" / "codex"])
    assert (3, 13, 0, 0) == (report.conversations, report.messages, report.failed, report.warned)
    assert 3 == import_files(ledger, [shared_data / "coding_agents" / "codex"]).files_unchanged
    assert 3 == import_files(ledger, [shared_data / "coding_agents" / "codex"], reread=True).unchanged
