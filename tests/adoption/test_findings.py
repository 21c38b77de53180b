"""What is stored otherwise than the source has it is a finding, and kept as found."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.adoption import AdoptionReport, adopt
from tests.adoption.old import AGENTS, AI_ROUTER, CHAT_SESSIONS, LLM, LLM_SESSIONS, THREADS, fill_ai_router, made, put
from tests.support.once import ONE_DATABASE

pytestmark = ONE_DATABASE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


def found(report: AdoptionReport, kind: str) -> dict[str, tuple[object, ...]]:
    return {finding.table: finding.examples for finding in report.findings if finding.kind == kind}


@pytest.mark.parametrize(
    ("word", "role", "kind"),
    [
        ("user", "user", None), ("User", "user", "other_role_word"), ("ASSISTANT", "assistant", "other_role_word"),
        ("human", "user", "other_role_word"), ("Human", "user", "other_role_word"), ("bot", "assistant", "other_role_word"),
        ("critic", "user", "unknown_role"), ("", "user", "unknown_role"), (7, "user", "unknown_role"),
    ],
)  # fmt: skip
def test_other_words_for_roles(path: Path, ledger: Ledger, word: object, role: str, kind: str | None) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.execute("UPDATE messages SET role = ? WHERE message_id = 1", (word,))
    report = adopt(ledger, path)
    with ledger.read() as uow:
        message = uow.messages.get("s", 1)
    assert role == message.role
    if kind is None:
        assert not found(report, "other_role_word") | found(report, "unknown_role")
        assert "adopted" not in message.metadata
    else:
        assert {"messages": (["s", 1],)} == found(report, kind)
        assert (str(word) if isinstance(word, int) else word) == message.metadata["adopted"]["as_found"]["role"]


def test_times_that_are_missing(tmp_path: Path, ledger: Ledger) -> None:
    missing: dict[str, tuple[object, ...]] = {}
    with made(tmp_path / "router", AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.execute("UPDATE sessions SET created_at = NULL, last_activity = NULL, status = 'archived'")
        connection.execute("UPDATE messages SET timestamp = NULL WHERE message_id = 2")
    missing["sessions.created_at"] = missing["sessions.last_activity"] = ("s",)
    missing["messages.timestamp"] = (["s", 2],)
    assert missing == found(adopt(ledger, tmp_path / "router"), "missing_time")
    with made(tmp_path / "chats", CHAT_SESSIONS.replace(" NOT NULL", "")) as connection:
        put(connection, "chat_sessions", session_id="c")
        put(connection, "chat_messages", session_id="c", role="user", content="x")
    missing = {"chat_sessions.created_at": ("c",), "chat_messages.timestamp": (1,)}
    assert missing == found(adopt(ledger, tmp_path / "chats"), "missing_time")
    with made(tmp_path / "manager", LLM_SESSIONS) as connection:
        put(connection, "sessions", id=1, session_uuid="m", status="completed")
        put(
            connection, "messages", session_id=1, message_uuid="mm", sequence_number=1, role="user", content="x",
        )  # fmt: skip
    missing = {"sessions.started_at": ("m",), "sessions.completed_at": ("m",), "messages.timestamp": ("mm",)}
    assert missing == found(adopt(ledger, tmp_path / "manager"), "missing_time")
    with made(tmp_path / "agents", AGENTS) as connection:
        put(connection, "agent_sessions", session_id="a", created_at=None)
        put(
            connection,
            "agent_messages",
            session_id="a",
            message_data='{"role": "user", "content": "x"}',
            created_at=None,
        )
    missing = {"agent_sessions.created_at": ("a",), "agent_messages.created_at": (1,)}
    assert missing == found(adopt(ledger, tmp_path / "agents"), "missing_time")
    with made(tmp_path / "llm", LLM) as connection:
        put(connection, "conversations", id="l")
        put(connection, "responses", id="r", conversation_id="l", prompt="x", response="y")
    assert {"responses.datetime_utc": ("r",)} == found(adopt(ledger, tmp_path / "llm"), "missing_time")
    with made(tmp_path / "threads", THREADS) as connection:
        put(connection, "threads", id="t", tip_message_hash="h")
        put(connection, "messages", hash="h", role="user")
        put(connection, "turns", id="u", thread_id="t", tip_message_hash="h")
    missing = {"threads.datetime_utc": ("t",), "turns.datetime_utc": ("u",)}
    assert missing == found(adopt(ledger, tmp_path / "threads"), "missing_time")


def test_a_gap_counts_once_however_long_it_is(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.execute("UPDATE messages SET sequence_number = 9223372036854775807 WHERE message_id = 2")
        fill_ai_router(connection, session="negative")
        connection.execute("UPDATE messages SET sequence_number = -5 WHERE message_id = 3")
    gaps = adopt(ledger, path).finding("sequence_gaps")
    assert gaps is not None
    assert (2, (["negative", 1], ["s", "2-9223372036854775806"])) == (gaps.count, gaps.examples)
