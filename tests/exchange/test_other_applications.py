"""Exports of Open WebUI, LibreChat, Google AI Studio and OpenCode, in the shapes that they write."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.exchange import Format, ImportReport, import_file
from tests.exchange.exports import document
from tests.exchange.files import messages_of

_AT = 1_780_000_000


@pytest.fixture
def ledger(migrated_sqlite_url: str) -> Iterator[Ledger]:
    """What is read does not depend on the database."""
    with Ledger(migrated_sqlite_url) as opened:
        yield opened


def read(ledger: Ledger, folder: Path, record: Any) -> ImportReport:
    return import_file(ledger, document(folder / "export.json", record))


def web_chat(*messages: dict[str, Any], current: str) -> dict[str, Any]:
    listed = {
        one["id"]: {"childrenIds": [], "timestamp": _AT + number, "parentId": None, **one}
        for number, one in enumerate(messages)
    }
    return {
        "id": "w", "user_id": "u", "title": "Trains", "created_at": _AT, "updated_at": _AT + 9, "archived": False,
        "chat": {
            "title": "Trains", "models": ["llama3"], "params": {}, "messages": [],
            "history": {"messages": listed, "currentId": current}, "tags": ["travel"],
        },
    }  # fmt: skip


def test_a_chat_of_open_webui_with_two_answers(ledger: Ledger, tmp_path: Path) -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
    record = web_chat(
        {"id": "q", "role": "user", "content": "When?", "files": [{"name": "plan.pdf"}]},
        {"id": "a", "role": "assistant", "parentId": "q", "content": "At nine.", "model": "llama3", "usage": usage},
        {"id": "b", "role": "assistant", "parentId": "q", "content": "At ten.", "model": "qwen", "error": {"content": "x"}},
        current="a",
    )  # fmt: skip
    report = read(ledger, tmp_path, [record])
    assert (Format.OPEN_WEBUI, 1, 1) == (report.format, report.conversations, report.forks)
    question, answer = messages_of(ledger, "w")
    assert ("When?", [{"name": "plan.pdf"}]) == (question.content, question.payload["files"])
    assert ("At nine.", "llama3", 12, 5, datetime.fromtimestamp(_AT + 1, UTC)) == (
        answer.content, answer.model_id, answer.input_tokens, answer.output_tokens, answer.created_at,
    )  # fmt: skip
    with ledger.read() as uow:
        session, (fork,) = uow.sessions.get("w"), uow.sessions.list(forked_from="w")
    assert ("Trains", "llama3", ["travel"]) == (session.title, session.model_id, session.metadata["chat"]["tags"])
    other = messages_of(ledger, fork.session_id)[-1]
    assert ("At ten.", "qwen", "error") == (other.content, other.model_id, other.outcome)
    assert 1 == read(ledger, tmp_path, [record]).unchanged


def test_a_single_chat_of_open_webui(ledger: Ledger, tmp_path: Path) -> None:
    chat = web_chat({"id": "q", "role": "user", "content": "When?"}, current="gone")["chat"]
    assert (Format.OPEN_WEBUI, 1) == ((report := read(ledger, tmp_path, chat)).format, report.messages)


def libre(*messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "conversationId": "l", "endpoint": "openAI", "title": "Boats", "exportAt": "12:00:00", "branches": True,
        "recursive": False, "options": {"model": "gpt-x"}, "messages": list(messages),
    }  # fmt: skip


def _libre_message(name: str, parent: str | None, text: str, second: int, **fields: Any) -> dict[str, Any]:
    return {
        "messageId": name, "parentMessageId": parent, "conversationId": "l", "text": text, "isCreatedByUser": False,
        "sender": "GPT", "createdAt": f"2026-08-01T10:00:{second:02}.000Z", **fields,
    }  # fmt: skip


@pytest.mark.parametrize("nested", [False, True], ids=["listed", "nested"])
def test_a_conversation_of_librechat_with_a_tool_and_a_branch(ledger: Ledger, tmp_path: Path, nested: bool) -> None:
    root = "00000000-0000-0000-0000-000000000000"
    asked = _libre_message("q", root, "When?", 1, isCreatedByUser=True, sender="User")
    call = {"id": "c", "name": "clock", "args": '{"zone": "UTC"}', "output": "nine"}
    answer = _libre_message(
        "a", "q", "", 2, model="gpt-x", content=[
            {"type": "think", "think": "Look at the clock."}, {"type": "tool_call", "tool_call": call},
            {"type": "text", "text": "At nine."},
        ],
    )  # fmt: skip
    again = _libre_message("b", "q", "At ten.", 3, unfinished=True)
    thanks = _libre_message("t", "a", "Thanks", 4, isCreatedByUser=True)
    record = libre({**asked, "children": [{**answer, "children": [thanks]}, again]}) if nested else libre(
        asked, answer, again, thanks
    )  # fmt: skip
    report = read(ledger, tmp_path, record)
    assert (Format.LIBRECHAT, 1, 1) == (report.format, report.conversations, report.forks)
    first, second, tool, last = messages_of(ledger, "l")
    assert ("user", "When?", None) == (first.role, first.content, first.name)
    assert ("At nine.", "GPT", "Look at the clock.", "clock") == (
        second.content, second.name, second.reasoning[0].text, second.tool_calls[0].name,
    )  # fmt: skip
    assert ("tool", "nine", "c", "Thanks") == (tool.role, tool.content, tool.tool_call_id, last.content)
    with ledger.read() as uow:
        session, (fork,) = uow.sessions.get("l"), uow.sessions.list(forked_from="l")
    assert ("Boats", "gpt-x") == (session.title, session.model_id)
    assert ["When?", "At ten."] == [message.content for message in messages_of(ledger, fork.session_id)]
    assert "interrupted" == messages_of(ledger, fork.session_id)[-1].outcome
    assert 1 == read(ledger, tmp_path, record).unchanged


def test_a_prompt_of_ai_studio(ledger: Ledger, tmp_path: Path) -> None:
    record = {
        "runSettings": {"model": "models/gemini-x", "temperature": 1.0},
        "systemInstruction": {"parts": [{"text": "Be terse."}]},
        "chunkedPrompt": {"chunks": [
            {"text": "What is it?", "role": "user", "tokenCount": 4},
            {"driveImage": {"id": "1x"}, "role": "user", "tokenCount": 258},
            {"text": "A boat, it seems.", "role": "model", "isThought": True, "tokenCount": 9},
            {"parts": [{"text": "A "}, {"text": "boat."}], "role": "model", "finishReason": "STOP", "tokenCount": 3},
        ], "pendingInputs": [{"text": "", "role": "user"}]},
    }  # fmt: skip
    report = read(ledger, tmp_path, record)
    assert (Format.AI_STUDIO, 1, 3) == (report.format, report.conversations, report.messages)
    question, image, answer = messages_of(ledger, report.session_ids[0])
    assert ("What is it?", 4, {"id": "1x"}) == (question.content, question.tokens_used, image.payload["driveImage"])
    assert ("A boat.", "A boat, it seems.") == (answer.content, answer.reasoning[0].text)
    with ledger.read() as uow:
        session = uow.sessions.get(report.session_ids[0])
    assert ("Be terse.", "gemini-x") == (session.system_prompt, session.model_id)


def test_a_session_of_opencode(ledger: Ledger, tmp_path: Path) -> None:
    tokens = {"input": 10, "output": 5, "reasoning": 2, "cache": {"read": 100, "write": 20}}
    state = {
        "status": "completed", "input": {"command": "ls"}, "output": "a.py", "time": {"start": 1, "end": (_AT + 3) * 1000},
    }  # fmt: skip
    failing = {"status": "error", "input": {}, "error": "no such file"}
    record = {
        "info": {
            "id": "ses_1", "title": "Fix it", "directory": "/home/ada/blog", "version": "1.0", "projectID": "p",
            "time": {"created": _AT * 1000, "updated": _AT * 1000}, "parentID": "ses_0",
        },
        "messages": [
            {"info": {"id": "m1", "role": "user", "time": {"created": _AT * 1000}},
             "parts": [{"type": "text", "text": "Fix the build"}, {"type": "file", "mime": "text/plain", "url": "x"}]},
            {"info": {"id": "m2", "role": "assistant", "modelID": "claude-x", "providerID": "anthropic", "tokens": tokens,
                      "cost": 0.01, "time": {"created": (_AT + 1) * 1000, "completed": (_AT + 5) * 1000}},
             "parts": [{"type": "step-start"}, {"type": "reasoning", "text": "Look first."},
                       {"type": "tool", "tool": "bash", "callID": "c1", "state": state},
                       {"type": "tool", "tool": "read", "callID": "c2", "state": failing},
                       {"type": "text", "text": "Done."}, {"type": "step-finish", "cost": 0.01}]},
        ],
    }  # fmt: skip
    report = read(ledger, tmp_path, record)
    assert (Format.OPENCODE, 1, 4) == (report.format, report.conversations, report.messages)
    asked, answer, listing, failed = messages_of(ledger, "ses_1")
    assert ("Fix the build", "file") == (asked.content, asked.payload["parts"][0]["type"])
    assert ("Done.", "claude-x", 130, 7, 100, 20, 2, 4000) == (
        answer.content, answer.model_id, answer.input_tokens, answer.output_tokens, answer.cached_tokens,
        answer.cache_write_tokens, answer.reasoning_tokens, answer.duration_ms,
    )  # fmt: skip
    assert ["bash", "read"] == [call.name for call in answer.tool_calls]
    assert ("a.py", "c1", datetime.fromtimestamp(_AT + 3, UTC)) == (
        listing.content, listing.tool_call_id, listing.created_at,
    )  # fmt: skip
    assert ("no such file", True) == (failed.content, failed.payload["is_error"])
    with ledger.read() as uow:
        session = uow.sessions.get("ses_1")
    assert ("Fix it", "/home/ada/blog", "claude-x") == (session.title, session.project_id, session.model_id)
    assert 1 == read(ledger, tmp_path, record).unchanged


@pytest.mark.parametrize(
    "record",
    [
        web_chat({"id": "q", "role": "robot", "content": "x"}, current="q"),
        web_chat(
            {"id": "q", "role": "user", "parentId": "r"}, {"id": "r", "role": "user", "parentId": "q"}, current="q"
        ),
        {**web_chat(current="q"), "chat": {"history": {"messages": {"q": []}, "currentId": "q"}}},
        libre(_libre_message("q", None, "x", 1), _libre_message("q", None, "y", 2)),
        libre(_libre_message("q", "q", "x", 1)),
        libre({**_libre_message("q", None, "x", 1), "children": [7]}),
        {"chunkedPrompt": {"chunks": [{"text": "x", "role": "robot"}]}},
        {"chunkedPrompt": {"chunks": [7]}},
        {"info": {"id": "s"}, "messages": [{"info": {"role": "robot"}, "parts": []}]},
    ],
    ids=range(9),
)
def test_what_is_not_one_is_a_failure_with_its_place(ledger: Ledger, tmp_path: Path, record: Any) -> None:
    report = read(ledger, tmp_path, record)
    assert (0, 1) == (report.conversations, report.failed)
    with ledger.read() as uow:
        assert 0 == uow.sessions.count()
