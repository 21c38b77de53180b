"""Gemini CLI's chats: the results of tools are messages behind the one that called them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.exchange import Format, import_file
from tests.exchange.exports import document
from tests.exchange.files import messages_of


@pytest.fixture
def ledger(migrated_sqlite_url: str) -> Iterator[Ledger]:
    """What is read does not depend on the database."""
    with Ledger(migrated_sqlite_url) as opened:
        yield opened


def chat(*messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "sessionId": "g", "projectHash": "h", "startTime": "2026-08-01T10:00:00.000Z", "summary": "Trip",
        "messages": [{"id": str(n), "timestamp": "2026-08-01T10:00:01Z", **one} for n, one in enumerate(messages)],
    }  # fmt: skip


def test_a_chat_with_tools_thoughts_and_tokens(ledger: Ledger, tmp_path: Path) -> None:
    call = {
        "id": "t", "name": "read_file", "args": {"path": "a"}, "status": "success",
        "result": [{"functionResponse": {"id": "t", "name": "read_file", "response": {"output": "text of a"}}}],
    }  # fmt: skip
    tokens = {"input": 10, "output": 4, "cached": 6, "thoughts": 3, "tool": 0, "total": 17}
    thought = {"subject": "Plan", "description": "Look first"}
    record = chat(
        {"type": "user", "content": [{"text": "Why?"}]}, {"type": "info", "content": "Update available"},
        {"type": "gemini", "content": "Because.", "model": "g-x", "thoughts": [thought], "tokens": tokens, "toolCalls": [call]},
    )  # fmt: skip
    report = import_file(ledger, document(tmp_path / "chat.json", record))
    assert (Format.GEMINI_CLI, 1, 4) == (report.format, report.conversations, report.messages)
    asked, note, answer, tool = messages_of(ledger, "g")
    assert ("Why?", True, "Because.", "text of a") == (asked.content, note.hidden, answer.content, tool.content)
    assert ("Plan: Look first", "read_file", "read_file") == (
        answer.reasoning[0].text, answer.tool_calls[0].name, tool.name,
    )  # fmt: skip
    assert (10, 7, 6, 3) == (
        answer.input_tokens, answer.output_tokens, answer.cached_tokens, answer.reasoning_tokens,
    )  # fmt: skip
    with ledger.read() as uow:
        session = uow.sessions.get("g")
    assert ("Trip", "g-x", {"agent": "gemini_cli", "projectHash": "h"}) == (
        session.title, session.model_id, session.metadata,
    )  # fmt: skip
    assert 1 == import_file(ledger, tmp_path / "chat.json").unchanged


def test_a_message_that_is_none_fails_its_conversation(ledger: Ledger, tmp_path: Path) -> None:
    record = {**chat({"type": "user", "content": "u"}), "messages": [{"type": "gemini", "content": "a"}, 7]}
    report = import_file(ledger, document(tmp_path / "chat.json", record))
    assert (0, 1) == (report.conversations, report.failed)
    assert "messages[1]" in report.failures[0].reason


def test_a_real_chat(ledger: Ledger, shared_data: Path) -> None:
    report = import_file(ledger, shared_data / "coding_agents" / "gemini_cli" / "session.json")
    assert (1, 2) == (report.conversations, report.messages)
