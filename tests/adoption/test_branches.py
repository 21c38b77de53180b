"""Branches of one conversation become forks; a conversation in two layouts is adopted once."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.adoption import adopt
from tests.adoption.old import AGENTS, BRANCHES, LLM, THREADS, made, put

AT = "2026-01-01 10:00:00"
OLD = [("user", "Q1"), ("assistant", "A1")]
NEW = [("user", "Q2"), ("assistant", "A2")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


def texts(ledger: Ledger, session: str) -> list[str]:
    with ledger.read() as uow:
        return [message.content for message in uow.messages.history(session)]


def agents(path: Path, *, row_of_session: bool = True) -> None:
    with made(path, AGENTS + BRANCHES) as connection:
        if row_of_session:
            put(connection, "agent_sessions", session_id="s", created_at=AT)
        rows = {}
        for branch, content in (("main", "Q1"), ("main", "A1"), ("alt", "Q2b"), ("main", "Q2"), ("old/er", "Q1c")):
            item = json.dumps({"role": "user", "content": content})
            rows[content] = put(connection, "agent_messages", session_id="s", message_data=item, created_at=AT)
            if content == "Q2b":
                for place, shared in enumerate(("Q1", "A1")):
                    _belong(connection, branch, rows[shared], place)
            _belong(connection, branch, rows[content], len(rows) + 1)
        put(connection, "turn_usage", session_id="s", branch_id="alt", user_turn_number=2, input_tokens=7)
        put(connection, "turn_usage", session_id="s", user_turn_number=1, input_tokens=3)
        put(connection, "branch_reservations", session_id="s", branch_id="main")
        unknown = json.dumps({"role": "user", "content": "before"})
        put(connection, "agent_messages", session_id="s", message_data=unknown, created_at=AT)


def _belong(connection: sqlite3.Connection, branch: str, message: int, place: int) -> None:
    put(
        connection, "message_structure", session_id="s", message_id=message, branch_id=branch, message_type="user",
        sequence_number=place, created_at=AT,
    )  # fmt: skip


@pytest.mark.parametrize("row_of_session", [True, False])
def test_branches_of_openai_agents_are_forks(path: Path, ledger: Ledger, row_of_session: bool) -> None:
    agents(path, row_of_session=row_of_session)
    report = adopt(ledger, path)
    assert ["Q1", "A1", "Q2", "before"] == texts(ledger, "s")
    assert (["Q1", "A1", "Q2b"], ["Q1c"]) == (texts(ledger, "s/alt"), texts(ledger, "s/old/er"))
    with ledger.read() as uow:
        main, fork = uow.sessions.get("s"), uow.sessions.get("s/alt")
        copies = [(m.copied_from, m.copied_sequence) for m in uow.messages.history("s/alt")]
        assert 6 == uow.statistics.overview().messages
    assert (None, "s", 2) == (main.forked_from, fork.forked_from, fork.forked_at)
    assert [("s", 1), ("s", 2), (None, None)] == copies
    assert ([3], [7]) == tuple([use["input_tokens"] for use in chat.metadata["turn_usage"]] for chat in (main, fork))
    found = report.finding("branches")
    assert found is not None
    assert (["s", "alt"], ["s", "old/er"]) == found.examples
    assert (3, 8) == (report.sessions, report.messages)
    again = adopt(ledger, path)
    assert (0, 0, 3) == (again.sessions, again.messages, again.already_there)


def test_a_dry_run_counts_branches(path: Path, ledger: Ledger) -> None:
    agents(path)
    would = adopt(ledger, path, dry_run=True)
    assert would == adopt(ledger, path).model_copy(update={"dry_run": True})


def test_encrypted_messages_are_a_finding(path: Path, ledger: Ledger) -> None:
    envelope = {"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": "gAAAA"}
    with made(path, AGENTS) as connection:
        put(connection, "agent_sessions", session_id="s", created_at=AT)
        put(connection, "agent_messages", session_id="s", message_data=json.dumps(envelope), created_at=AT)
    found = adopt(ledger, path).finding("encrypted")
    assert found is not None
    assert (1,) == found.examples
    with ledger.read() as uow:
        (message,) = uow.messages.history("s")
    assert ("", envelope) == (message.content, message.payload["item"])


def older(path: Path, *, answer: str = "A1") -> None:
    """A conversation of `llm` before its upgrade."""
    with made(path, LLM) as connection:
        put(connection, "conversations", id="c", name="Rivers", model="m")
        put(
            connection, "responses", id="r1", prompt="Q1", system="Be brief.", response=answer, conversation_id="c",
            datetime_utc="2026-01-01T10:00:00+00:00",
        )  # fmt: skip


def newer(path: Path) -> None:
    """The same, continued after it: the thread begins with all that was said before."""
    with made(
        path, THREADS.replace("CREATE TABLE fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT);", "")
    ) as new:
        before = None
        for place, (role, text) in enumerate([("system", "Be brief."), *OLD, *NEW]):
            put(new, "messages", hash=f"h{place}", parent_hash=before, role=role)
            put(new, "parts", message_hash=f"h{place}", position=0, type="text", text=text)
            before = f"h{place}"
        put(new, "threads", id="c", name="Rivers", tip_message_hash="h4", datetime_utc="2026-02-01 10:00:00")
        put(
            new, "turns", id="t", thread_id="c", parent_message_hash="h3", tip_message_hash="h4", model="m",
            datetime_utc="2026-02-01T10:00:00+00:00", input_tokens=3,
        )  # fmt: skip


def test_a_conversation_that_spans_the_upgrade_is_adopted_once(path: Path, ledger: Ledger) -> None:
    older(path)
    newer(path)
    would = adopt(ledger, path, dry_run=True)
    report = adopt(ledger, path)
    assert ["Q1", "A1", "Q2", "A2"] == texts(ledger, "c")
    assert (1, 4, 1, 4) == (report.sessions, report.messages, would.sessions, would.messages)
    tables = {table.table: table for table in report.tables}
    assert (5, 2, 3) == (tables["messages"].rows, tables["messages"].copied, tables["messages"].derived)
    assert (0, 0, 1) == ((again := adopt(ledger, path)).sessions, again.messages, again.already_there)


def test_a_conversation_that_was_adopted_before_the_upgrade_goes_on(path: Path, ledger: Ledger) -> None:
    older(path)
    adopt(ledger, path)
    newer(path)
    report = adopt(ledger, path)
    assert ["Q1", "A1", "Q2", "A2"] == texts(ledger, "c")
    assert (0, 2, 1) == (report.sessions, report.messages, report.already_there)
    assert report.finding("changed_since") is None


def test_a_thread_that_tells_the_older_conversation_otherwise_is_kept_whole(path: Path, ledger: Ledger) -> None:
    older(path, answer="Another")
    newer(path)
    report = adopt(ledger, path)
    assert ["Q1", "Another", "Be brief.", "Q1", "A1", "Q2", "A2"] == texts(ledger, "c")
    found = report.finding("history_differs")
    assert found is not None
    assert ("c",) == found.examples


def test_forks_of_threads_are_forks(path: Path, ledger: Ledger) -> None:
    with made(path, THREADS) as connection:
        before = None
        for place, text in enumerate(("Q1", "A1", "Q2", "A2")):
            put(connection, "messages", hash=f"h{place}", parent_hash=before, role="assistant" if place % 2 else "user")
            put(connection, "parts", message_hash=f"h{place}", position=0, type="text", text=text)
            before = f"h{place}"
        put(connection, "threads", id="b", tip_message_hash="h3", forked_from="a", datetime_utc="2026-01-02 10:00:00")
        put(connection, "threads", id="a", tip_message_hash="h1", datetime_utc=AT)
        for turn, thread, parent, tip in (("t1", "a", "h0", "h1"), ("t2", "b", "h2", "h3")):
            put(
                connection, "turns", id=turn, thread_id=thread, parent_message_hash=parent, tip_message_hash=tip,
                datetime_utc=f"2026-01-0{turn[1]}T10:00:00+00:00", input_tokens=5,
            )  # fmt: skip
    adopt(ledger, path)
    with ledger.read() as uow:
        fork = uow.sessions.get("b")
        copies = [(m.content, m.copied_from, m.copied_sequence) for m in uow.messages.history("b")]
    assert [("Q1", "a", 1), ("A1", "a", 2), ("Q2", None, None), ("A2", None, None)] == copies
    assert ("a", 2) == (fork.forked_from, fork.forked_at)
