"""Any value that a column can hold is adopted or reported, and never stops the adoption."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.adoption import adopt
from tests.adoption.old import (
    ADK,
    AGENTS,
    AI_ROUTER,
    BRANCHES,
    CHAT_SESSIONS,
    LANGCHAIN,
    LLM,
    LLM_SESSIONS,
    THREADS,
    made,
    put,
)
from tests.support.once import ONE_DATABASE

LEAST, MOST = -(2**63), 2**63 - 1
VALUES: tuple[object, ...] = (LEAST, MOST, 10**15, 1e308, float("inf"), 5e-324, 0.5, b"\x00\xff", "a\x00b", "")

# Columns by which rows belong to one another, and what says what a row is.
_LINKS = (
    "session_uuid",
    "message_hash",
    "tip_message_hash",
    "thread_id",
    "entity_type",
    "workflow_definition",
    "app_name",
    "user_id",
    "batch_job_id",
    "workflow_id",
    "workflow_execution_id",
    "comparison_group_id",
    "conversation_id",
    "response_id",
)

Fill = Callable[[sqlite3.Connection, int], list[tuple[str, int]]]


def _ai_router(connection: sqlite3.Connection, n: int) -> list[tuple[str, int]]:
    name = f"s{n}"
    return [
        ("sessions", put(connection, "sessions", session_id=name, model_id="m")),
        ("messages", put(connection, "messages", session_id=name, sequence_number=1, role="user", content="x")),
        ("session_metadata", put(connection, "session_metadata", session_id=name, key="k")),
        ("session_timeouts", put(connection, "session_timeouts", session_id=name)),
        ("session_snapshots", put(connection, "session_snapshots", session_id=name)),
    ]


def _chat_sessions(connection: sqlite3.Connection, n: int) -> list[tuple[str, int]]:
    at = "2026-01-01T00:00:00"
    return [
        ("chat_sessions", put(connection, "chat_sessions", session_id=f"s{n}", created_at=at, updated_at=at)),
        (
            "chat_messages",
            put(connection, "chat_messages", session_id=f"s{n}", role="user", content="x", timestamp=at),
        ),
    ]


def _llm_sessions(connection: sqlite3.Connection, n: int) -> list[tuple[str, int]]:
    at = "2025-01-01 00:00:00"
    message = {"message_uuid": f"m{n}", "session_id": n, "sequence_number": 1, "role": "user", "content": "x"}
    return [
        ("projects", put(connection, "projects", id=n, name=f"p{n}")),
        ("models", put(connection, "models", id=n, provider="p", model_name=f"m{n}")),
        ("sessions", put(connection, "sessions", id=n, session_uuid=f"s{n}", project_id=n, model_id=n)),
        ("messages", put(connection, "messages", id=n, model_id=n, **message)),
        ("annotations", put(connection, "annotations", id=n, entity_type="message", entity_id=n, content="x")),
        (
            "performance_metrics",
            put(connection, "performance_metrics", metric_name="m", metric_value=n, recorded_at=at),
        ),
        ("comparison_groups", put(connection, "comparison_groups", id=n, group_uuid=f"g{n}", name="x", created_at=at)),
        ("comparison_sessions", put(connection, "comparison_sessions", session_id=n, comparison_group_id=n)),
        (
            "comparison_results",
            put(connection, "comparison_results", session_id=n, comparison_group_id=n, metric_name="m", metric_value=n),
        ),
        ("batch_jobs", put(connection, "batch_jobs", id=n, job_uuid=f"j{n}", created_at=at)),
        ("batch_items", put(connection, "batch_items", id=n, batch_job_id=n, session_id=n, item_index=n)),
        ("workflows", put(connection, "workflows", id=n, name=f"w{n}", workflow_definition='{"steps": ["a"]}')),
        (
            "workflow_executions",
            put(connection, "workflow_executions", id=n, execution_uuid=f"e{n}", workflow_id=n, started_at=at),
        ),
        ("workflow_steps", put(connection, "workflow_steps", id=n, workflow_execution_id=n, step_name="a")),
    ]


def _agents(connection: sqlite3.Connection, n: int) -> list[tuple[str, int]]:
    item = '{"role": "user", "content": "x"}'
    return [
        ("agent_sessions", put(connection, "agent_sessions", session_id=f"s{n}")),
        ("agent_messages", put(connection, "agent_messages", session_id=f"s{n}", message_data=item)),
    ]


def _branches(connection: sqlite3.Connection, n: int) -> list[tuple[str, int]]:
    session, message = _agents(connection, n)
    of = {"session_id": f"s{n}", "message_id": message[1], "message_type": "user", "sequence_number": 1}
    return [
        session,
        message,
        ("message_structure", put(connection, "message_structure", branch_id="main", **of)),
        ("message_structure", put(connection, "message_structure", branch_id="alt", **of)),
        ("turn_usage", put(connection, "turn_usage", session_id=f"s{n}", branch_id="alt", user_turn_number=1)),
    ]


def _langchain(connection: sqlite3.Connection, n: int) -> list[tuple[str, int]]:
    message = '{"type": "human", "data": {"content": "x"}}'
    return [("message_store", put(connection, "message_store", session_id=f"s{n}", message=message))]


def _adk(connection: sqlite3.Connection, n: int) -> list[tuple[str, int]]:
    named = {"app_name": "a", "user_id": "u"}
    event = {"invocation_id": "i", "event_data": '{"author": "user"}', "timestamp": "2026-01-01 00:00:00"}
    return [
        ("sessions", put(connection, "sessions", id=f"s{n}", **named)),
        ("events", put(connection, "events", id=f"e{n}", session_id=f"s{n}", **named, **event)),
    ]


def _llm(connection: sqlite3.Connection, n: int) -> list[tuple[str, int]]:
    return [
        ("conversations", put(connection, "conversations", id=f"c{n}")),
        ("responses", put(connection, "responses", id=f"r{n}", conversation_id=f"c{n}", prompt="x", response="y")),
        ("tool_calls", put(connection, "tool_calls", id=n, response_id=f"r{n}")),
        ("tool_results", put(connection, "tool_results", id=n, response_id=f"r{n}")),
    ]


def _threads(connection: sqlite3.Connection, n: int) -> list[tuple[str, int]]:
    return [
        ("threads", put(connection, "threads", id=f"t{n}", tip_message_hash=f"h{n}")),
        ("turns", put(connection, "turns", id=f"u{n}", thread_id=f"t{n}", tip_message_hash=f"h{n}")),
        ("messages", put(connection, "messages", hash=f"h{n}", role="user")),
        ("parts", put(connection, "parts", id=n, message_hash=f"h{n}", position=0, type="text", text="x")),
    ]


LAYOUTS: dict[str, tuple[str, Fill]] = {
    "ai-router": (AI_ROUTER, _ai_router), "chat-sessions": (CHAT_SESSIONS, _chat_sessions),
    "llm-sessions": (LLM_SESSIONS, _llm_sessions), "openai-agents": (AGENTS, _agents),
    "branches": (AGENTS + BRANCHES, _branches), "langchain": (LANGCHAIN, _langchain), "google-adk": (ADK, _adk), "llm": (LLM, _llm), "threads": (THREADS, _threads),
}  # fmt: skip


def fill_whole(path: Path, layout: str) -> None:
    """A database in which the rows of a session hold one value in all columns."""
    schema, fill_one = LAYOUTS[layout]
    with made(path, schema.replace(" NOT NULL", "")) as connection:
        for number, value in enumerate(VALUES):
            for table, row in fill_one(connection, number):
                columns = [column for column in _columns(connection, table) if column not in _LINKS]
                setting = ", ".join(f'"{column}" = :value' for column in columns)
                if setting:
                    connection.execute(f"UPDATE {table} SET {setting} WHERE rowid = :row", {"value": value, "row": row})


def fill_each(path: Path, layout: str) -> None:
    """A database in which each column of each table has held each value: in a session one column of each table."""
    schema, fill_one = LAYOUTS[layout]
    with made(path, schema.replace(" NOT NULL", "")) as connection:
        connection.execute("BEGIN")
        columns = {table: _columns(connection, table) for table, _ in fill_one(connection, 0)}
        for place in range(max(map(len, columns.values()))):
            for number, value in enumerate(VALUES, 1 + place * len(VALUES)):
                for table, row in fill_one(connection, number):
                    if columns[table]:
                        column = columns[table][place % len(columns[table])]
                        connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE rowid = ?', (value, row))
        connection.execute("COMMIT")


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """Columns that do not say which row it is, and to which other row it belongs."""
    found = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return [
        row[1]
        for row in found
        if not row[5] and not row[1].endswith(("session_id", "session_uuid", "message_uuid", "entity_id"))
    ]


def adopted_twice(ledger: Ledger, path: Path) -> None:
    first = adopt(ledger, path)
    again = adopt(ledger, path)
    assert (0, 0, first.sessions) == (again.sessions, again.messages, again.already_there)
    assert again.finding("changed_since") is None
    assert {0} == {table.rows - table.already_there - table.derived for table in again.tables}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sessions_full_of_one_value(layout: str, tmp_path: Path, ledger: Ledger) -> None:
    fill_whole(tmp_path / "old.db", layout)
    adopted_twice(ledger, tmp_path / "old.db")


@pytest.mark.soak
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_column_with_each_value(layout: str, tmp_path: Path, ledger: Ledger) -> None:
    fill_each(tmp_path / "old.db", layout)
    adopted_twice(ledger, tmp_path / "old.db")


@ONE_DATABASE
@pytest.mark.parametrize("numbers", [(MOST, 5), (LEAST, -5), (MOST, MOST), (float("inf"), MOST)])
def test_numbers_whose_sum_no_column_can_hold(tmp_path: Path, ledger: Ledger, numbers: tuple[float, ...]) -> None:
    with made(tmp_path / "router.db", AI_ROUTER) as connection:
        put(connection, "sessions", session_id="s", model_id="m", message_count=2, total_tokens=MOST)
        for place, value in enumerate(numbers, 1):
            put(
                connection, "messages", session_id="s", sequence_number=place, role="user", content="x",
                tokens_used=value, duration_seconds=value,
            )  # fmt: skip
    with made(tmp_path / "manager.db", LLM_SESSIONS) as connection:
        put(connection, "sessions", id=1, session_uuid="t", total_messages=2, total_input_tokens=MOST)
        for place, value in enumerate(numbers, 1):
            put(
                connection, "messages", session_id=1, message_uuid=f"m{place}", sequence_number=place, role="user",
                content="x", input_tokens=value, output_tokens=value, cost=value,
            )  # fmt: skip
    router, manager = adopt(ledger, tmp_path / "router.db"), adopt(ledger, tmp_path / "manager.db")
    assert [("s",), ("t",)] == [
        found.examples for found in (router.finding("total_tokens_off"), manager.finding("totals_off")) if found
    ]
    assert router.finding("out_of_range") is not None
    with ledger.read() as uow:
        first, _ = uow.messages.history("s")
    assert first.tokens_used is None
    assert {"tokens_used", "duration_seconds"} <= first.metadata["adopted"]["as_found"].keys()


@ONE_DATABASE
@pytest.mark.parametrize("number", [10**12, 10**12 + 1, 10**30, -1, 0.5, True, "7", None, [], {}])
def test_numbers_in_json(tmp_path: Path, ledger: Ledger, number: object) -> None:
    kinds = ("prompt", "candidates", "thoughts", "cached_content")
    gemini = {f"{kind}_token_count": number for kind in kinds}
    details = {"cache_read": number, "reasoning": number}
    usage = {
        "input_tokens": number, "output_tokens": number, "input_token_details": details, "output_token_details": details,
    }  # fmt: skip
    with made(tmp_path / "adk.db", ADK) as connection:
        put(connection, "sessions", app_name="a", user_id="u", id="s", create_time="2026-01-01 00:00:00")
        put(
            connection, "events", id="e", app_name="a", user_id="u", session_id="s", timestamp="2026-01-01 00:00:00",
            event_data=json.dumps({"usage_metadata": gemini}),
        )  # fmt: skip
    with made(tmp_path / "langchain.db", LANGCHAIN) as connection:
        data = {"content": "x", "usage_metadata": usage}
        put(connection, "message_store", session_id="l", message=json.dumps({"type": "ai", "data": data}))
    adopt(ledger, tmp_path / "adk.db")
    adopt(ledger, tmp_path / "langchain.db")
    with ledger.read() as uow:
        (event,), (message,) = uow.messages.history("s"), uow.messages.history("l")
    known = number if number == 10**12 else None
    assert (known, None, known, known) == (
        event.input_tokens, event.output_tokens, event.reasoning_tokens, event.cached_tokens
    )  # fmt: skip
    assert (known, known, known, known) == (
        message.input_tokens, message.output_tokens, message.reasoning_tokens, message.cached_tokens
    )  # fmt: skip


@ONE_DATABASE
def test_a_limit_of_no_time_is_not_set(tmp_path: Path, ledger: Ledger) -> None:
    with made(tmp_path / "router.db", AI_ROUTER) as connection:
        for name, limit in (("s", 5e-324), ("t", float("inf")), ("u", MOST), ("v", 60)):
            put(connection, "sessions", session_id=name, model_id="m")
            put(connection, "session_timeouts", session_id=name, idle_timeout_seconds=limit)
    found = adopt(ledger, tmp_path / "router.db").finding("timeout_out_of_range")
    assert found is not None
    assert ("s", "t", "u") == found.examples
