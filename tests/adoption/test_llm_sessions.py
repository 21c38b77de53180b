"""Layout C: integers within, names outside, money exact, and tables that we have not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger, tool_call
from chatledger.adoption import adopt
from tests.adoption.old import LLM_SESSIONS, made, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


def fill(connection: Any) -> None:
    put(connection, "projects", id=1, name="Reviews", created_at="2025-01-01 00:00:00")
    put(connection, "models", id=3, provider="anthropic", model_name="claude-3-opus", model_version="20240229")
    put(
        connection, "sessions", id=10, session_uuid="0190a0b0-0000-4000-8000-000000000001", project_id=1, model_id=3,
        title="T", system_prompt="Be brief.", temperature=0.7, status="completed", started_at="2025-01-08 09:00:00",
        completed_at="2025-01-08 09:30:00", tags='["a"]', metadata='{"k": 1}', total_messages=2,
    )  # fmt: skip
    put(
        connection, "messages", id=100, message_uuid="m-100", session_id=10, sequence_number=0, role="user",
        content="Hello", timestamp="2025-01-08 09:00:01",
    )  # fmt: skip
    put(
        connection, "messages", id=101, message_uuid="m-101", session_id=10, sequence_number=1, role="assistant",
        content="", model_id=3, timestamp="2025-01-08 09:00:02", input_tokens=12, output_tokens=30, cost=0.1 + 0.2,
        latency_ms=850, finish_reason="tool_calls", tool_calls='[{"id": "c1", "name": "f", "args": {"x": 1}}]', parent_message_id=100,
    )  # fmt: skip


SESSION = "0190a0b0-0000-4000-8000-000000000001"


def test_a_session_by_its_uuid_and_its_names(path: Path, ledger: Ledger) -> None:
    with made(path, LLM_SESSIONS) as connection:
        fill(connection)
    adopt(ledger, path)
    with ledger.read() as uow:
        chat = uow.sessions.get(SESSION)
        question, answer = uow.messages.history(SESSION)
    assert ("Reviews", "anthropic/claude-3-opus@20240229", "Be brief.", "archived") == (
        chat.project_id, chat.model_id, chat.system_prompt, chat.status
    )  # fmt: skip
    assert "2025-01-08T09:30:00+00:00" == (chat.archived_at.isoformat() if chat.archived_at else None)
    assert (["a"], 1) == (chat.metadata["tags"], chat.metadata["k"])
    assert ("completed", 0.7) == tuple(chat.metadata["adopted"]["as_found"][name] for name in ("status", "temperature"))
    assert (1, 0) == (question.sequence_number, question.metadata["adopted"]["as_found"]["sequence_number"])
    assert (Decimal("0.300000000"), 850, 12, 30) == (
        answer.cost, answer.duration_ms, answer.input_tokens, answer.output_tokens
    )  # fmt: skip
    assert {"tool_calls": [tool_call("f", {"x": 1}, id="c1")]} == answer.payload
    assert ("m-101", "tool_calls") == (answer.metadata["message_uuid"], answer.metadata["finish_reason"])
    assert "cost" not in answer.metadata["adopted"]["as_found"]
    assert Decimal("0.300000000") == chat.total_cost


def test_numbers_that_are_none(path: Path, ledger: Ledger) -> None:
    with made(path, LLM_SESSIONS) as connection:
        fill(connection)
        connection.execute(
            "UPDATE messages SET latency_ms = 'n/a', input_tokens = 12.5, output_tokens = -3, cost = 1e-10 WHERE id = 101"
        )
        connection.execute(
            "UPDATE messages SET latency_ms = 1.5, input_tokens = 10000000000000000, cost = 9e999 WHERE id = 100"
        )
    report = adopt(ledger, path)
    with ledger.read() as uow:
        first, second = uow.messages.history(SESSION)
    assert (None, None, None, Decimal("0E-9")) == (
        second.duration_ms, second.input_tokens, second.output_tokens, second.cost
    )  # fmt: skip
    found = second.metadata["adopted"]["as_found"]
    assert ("n/a", 12.5, -3, 1e-10) == tuple(
        found[name] for name in ("latency_ms", "input_tokens", "output_tokens", "cost")
    )
    assert (2, None, None) == (first.duration_ms, first.input_tokens, first.cost)
    found = first.metadata["adopted"]["as_found"]
    assert (1.5, 10**16, {"number": "inf"}) == (found["latency_ms"], found["input_tokens"], found["cost"])
    kinds = {(finding.kind, finding.count) for finding in report.findings}
    assert {("latency_is_text", 1), ("tokens_are_real", 1), ("finer_than_stored", 2), ("out_of_range", 3)} <= kinds


def test_dangling_rows_are_dropped_with_the_orphans(path: Path, ledger: Ledger) -> None:
    with made(path, LLM_SESSIONS) as connection:
        fill(connection)
        put(connection, "annotations", id=3, entity_type="message", entity_id=999, content="nowhere")
        put(connection, "batch_items", id=3, batch_job_id=1, session_id=77, status="failed")
    report = adopt(ledger, path, orphans="drop")
    left_out = {table.table: table.left_out_rows for table in report.tables if table.left_out}
    assert {"annotations": ("3",), "batch_items": ("3",)} == left_out


def test_other_words_for_roles_and_statuses(path: Path, ledger: Ledger) -> None:
    with made(path, LLM_SESSIONS) as connection:
        fill(connection)
        connection.execute("UPDATE sessions SET status = 'failed'")
        connection.execute("UPDATE messages SET role = 'critic' WHERE id = 100")
        connection.execute("UPDATE messages SET role = 'function' WHERE id = 101")
        put(connection, "sessions", id=11, session_uuid="other", status="mislaid", parent_session_id=10)
    report = adopt(ledger, path)
    with ledger.read() as uow:
        assert "failed" == uow.sessions.get(SESSION).status
        other = uow.sessions.get("other")
        told = [(m.role, m.metadata["adopted"]["as_found"]["role"]) for m in uow.messages.history(SESSION)]
    assert ("active", "mislaid") == (other.status, other.metadata["adopted"]["as_found"]["status"])
    assert SESSION == other.metadata["parent_session"]
    assert [("user", "critic"), ("tool", "function")] == told
    assert {"unknown_status", "unknown_role"} <= {finding.kind for finding in report.findings}
