"""Any number that a column can hold is adopted or reported, and never stops the adoption."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.adoption import adopt
from tests.adoption.old import (
    ADK,
    AGENTS,
    AI_ROUTER,
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
NUMBERS = (LEAST, MOST, -1, 10**15, 1e308, float("inf"), 5e-324, 0.5)

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
    message = {"message_uuid": f"m{n}", "session_id": n, "sequence_number": 1, "role": "user", "content": "x"}
    return [
        ("projects", put(connection, "projects", id=n, name=f"p{n}")),
        ("models", put(connection, "models", id=n, provider="p", model_name=f"m{n}")),
        ("sessions", put(connection, "sessions", id=n, session_uuid=f"s{n}", project_id=n, model_id=n)),
        ("messages", put(connection, "messages", id=n, model_id=n, **message)),
        ("comparison_results", put(connection, "comparison_results", id=n, session_id=n)),
        ("batch_items", put(connection, "batch_items", id=n, session_id=n)),
        ("annotations", put(connection, "annotations", id=n, entity_type="message", entity_id=n)),
    ]


def _agents(connection: sqlite3.Connection, n: int) -> list[tuple[str, int]]:
    item = '{"role": "user", "content": "x"}'
    return [
        ("agent_sessions", put(connection, "agent_sessions", session_id=f"s{n}")),
        ("agent_messages", put(connection, "agent_messages", session_id=f"s{n}", message_data=item)),
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
    "langchain": (LANGCHAIN, _langchain), "google-adk": (ADK, _adk), "llm": (LLM, _llm), "threads": (THREADS, _threads),
}  # fmt: skip


def fill(path: Path, layout: str, *, each: bool) -> int:
    """A database in which each column of each table has held each number: alone, or together with its whole row."""
    schema, fill_one = LAYOUTS[layout]
    with made(path, schema.replace(" NOT NULL", "")) as connection:
        connection.execute("BEGIN")
        number = 0
        for place, (table, _) in enumerate(fill_one(connection, number)):
            for columns in _columns(connection, table, each=each):
                for value in NUMBERS:
                    number += 1
                    row = fill_one(connection, number)[place][1]
                    setting = ", ".join(f'"{column}" = :value' for column in columns)
                    connection.execute(f"UPDATE {table} SET {setting} WHERE rowid = :row", {"value": value, "row": row})
        connection.execute("COMMIT")
    return number


def _columns(connection: sqlite3.Connection, table: str, *, each: bool) -> Iterator[list[str]]:
    """Columns that do not say which row it is, and to which other row it belongs."""
    found = connection.execute(f"PRAGMA table_info({table})").fetchall()
    names = [row[1] for row in found if not row[5] and not row[1].endswith(("session_id", "_uuid", "entity_id"))]
    yield from [[name] for name in names] if each else [names]


def adopted_twice(ledger: Ledger, path: Path) -> None:
    first = adopt(ledger, path)
    again = adopt(ledger, path)
    assert (0, 0, first.sessions) == (again.sessions, again.messages, again.already_there)
    assert again.finding("changed_since") is None
    assert {0} == {table.rows - table.already_there - table.derived for table in again.tables}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_full_of_numbers(layout: str, tmp_path: Path, ledger: Ledger) -> None:
    assert fill(tmp_path / "old.db", layout, each=False) >= len(NUMBERS)
    adopted_twice(ledger, tmp_path / "old.db")


@pytest.mark.soak
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_column_with_each_number(layout: str, tmp_path: Path, ledger: Ledger) -> None:
    fill(tmp_path / "old.db", layout, each=True)
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
