"""Layout A: what becomes of its columns."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.adoption import adopt
from tests.adoption.old import AI_ROUTER, fill_ai_router, made, put
from tests.support.raw import Raw


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


def test_a_session_with_all_that_hangs_on_it(path: Path, ledger: Ledger, url: str) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.execute("UPDATE sessions SET model_name = 'Phi-4', status = 'archived', total_tokens = 7")
        connection.execute(
            "UPDATE messages SET tokens_used = 7, duration_seconds = 1.5, metadata = ? WHERE role = 'assistant'",
            ('{"temperature": 0.7}',),
        )
        put(connection, "session_metadata", session_id="s", key="tags", value='["work"]')
        put(connection, "session_metadata", session_id="s", key="bookmark", value=None)
        put(
            connection, "session_timeouts", session_id="s", idle_timeout_seconds=3600, hard_timeout_seconds=86400,
            expires_at="2025-06-03 08:00:00",
        )  # fmt: skip
        put(connection, "session_snapshots", session_id="s", snapshot_type="checkpoint", context_json='{"n": 2}')
    adopt(ledger, path)
    with ledger.read() as uow:
        chat = uow.sessions.get("s")
        question, answer = uow.messages.history("s")
    assert ("Trip", "phi4", "archived", 7, 1500) == (
        chat.title, chat.model_id, chat.status, chat.total_tokens, chat.total_duration_ms
    )  # fmt: skip
    assert datetime(2025, 6, 2, 8, tzinfo=UTC) == chat.created_at
    assert datetime(2025, 6, 2, 8, 1, tzinfo=UTC) == chat.archived_at
    assert datetime(2025, 6, 2, 8, 0, 2, tzinfo=UTC) == chat.last_activity == answer.created_at
    assert ('["work"]', None, "Phi-4") == tuple(chat.metadata[name] for name in ("tags", "bookmark", "model_name"))
    assert [{"idle_timeout_seconds": 3600, "hard_timeout_seconds": 86400, "expires_at": "2025-06-03 08:00:00"}] == (
        chat.metadata["timeouts"]
    )
    assert [{"snapshot_id": 1, "snapshot_type": "checkpoint", "context_json": '{"n": 2}'}] == chat.metadata["snapshots"]
    assert ("ai-router", "s") == (chat.metadata["adopted"]["layout"], chat.metadata["adopted"]["source_id"])
    assert 2 == chat.metadata["adopted"]["as_found"]["message_count"]
    assert ("user", "Where?", "messages:1") == (question.role, question.content, question.key)
    assert (7, 1500, {"temperature": 0.7}) == (answer.tokens_used, answer.duration_ms, answer.metadata)
    assert [(3600, None)] == [
        tuple(row) for row in Raw(url)("SELECT idle_limit, hard_limit FROM chatledger_session_timeouts")
    ]


def test_numbers_close_up_and_those_of_the_source_are_kept(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection, texts=())
        for number, text in ((1, "a"), (2, "b"), (2, "c"), (5, "d")):
            put(connection, "messages", session_id="s", sequence_number=number, role="user", content=text)
    report = adopt(ledger, path)
    with ledger.read() as uow:
        told = [(m.sequence_number, m.content, m.metadata.get("adopted")) for m in uow.messages.history("s")]
    assert [
        (1, "a", None), (2, "b", None), (3, "c", {"as_found": {"sequence_number": 2}}),
        (4, "d", {"as_found": {"sequence_number": 5}}),
    ] == told  # fmt: skip
    doubled, gaps = report.finding("duplicate_sequence"), report.finding("sequence_gaps")
    assert doubled is not None
    assert gaps is not None
    assert ((["s", 2],), (["s", "3-4"],), 1) == (doubled.examples, gaps.examples, gaps.count)


def test_orphans_get_a_session_of_their_own(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        for session in ("gone", "gone too", "gone"):
            put(
                connection, "messages", session_id=session, sequence_number=1, role="user", content=f"of {session}",
                timestamp="2025-06-02 08:00:00",
            )  # fmt: skip
        put(connection, "session_metadata", session_id="gone", key="tags", value="x")
        put(connection, "session_metadata", session_id="nobody", key="tags", value="y")
    report = adopt(ledger, path)
    assert (2, 3, 1) == (report.sessions, report.messages, report.other_rows)
    with ledger.read() as uow:
        gone = uow.sessions.get("gone")
        assert (2, "paused", "x") == (gone.message_count, gone.status, gone.metadata["tags"])
        assert "messages of a session that is gone" == gone.metadata["adopted"]["recovered"]
        assert datetime(2025, 6, 2, 8, tzinfo=UTC) == gone.created_at
        (row,) = uow.messages.history("ai-router-rows")
        assert ("session_metadata", {"metadata_id": 2, "session_id": "nobody", "key": "tags", "value": "y"}) == (
            row.name, row.payload
        )  # fmt: skip


def test_dropped_orphans_are_named_by_their_rows(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        for number in range(3):
            put(connection, "messages", session_id="gone", sequence_number=number, role="user", content="lost")
        put(connection, "session_metadata", session_id="gone", key="tags", value="x")
    report = adopt(ledger, path, orphans="drop")
    tables = {table.table: table for table in report.tables}
    assert (1, 2) == (report.sessions, report.messages)
    assert ("3-5",) == tables["messages"].left_out_rows
    assert ("1",) == tables["session_metadata"].left_out_rows
    found = report.finding("orphan_messages")
    assert found is not None
    assert "left out, and named here" == found.action


def test_a_table_of_somebody_else_is_named_and_left(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.executescript(
            "CREATE TABLE invoices (id INTEGER PRIMARY KEY); INSERT INTO invoices VALUES (1), (2);"
        )
    found = adopt(ledger, path).finding("table_left_out")
    assert found is not None
    assert ("invoices", 2) == (found.table, found.count)


def test_a_large_snapshot_goes_beside_the_session(path: Path, ledger: Ledger) -> None:
    """Metadata is read with its session, in every list."""
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        put(connection, "session_snapshots", session_id="s", snapshot_type="pre_archive", context_json="x" * 100_000)
    adopt(ledger, path)
    with ledger.read() as uow:
        assert "snapshots" not in uow.sessions.get("s").metadata
        (row,) = uow.messages.history("ai-router-rows")
        assert ("session_snapshots", 100_000) == (row.name, len(row.payload["context_json"]))


def test_a_dry_run_says_the_same_and_writes_nothing(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        put(connection, "messages", session_id="gone", sequence_number=1, role="user", content="lost")
    would = adopt(ledger, path, dry_run=True)
    with ledger.read() as uow:
        assert [] == list(uow.sessions.list())
    did = adopt(ledger, path)
    assert (True, False) == (would.dry_run, did.dry_run)
    assert would == did.model_copy(update={"dry_run": True})


FTS = """
CREATE VIRTUAL TABLE sessions_fts USING fts5(session_id UNINDEXED, title, content);
INSERT INTO sessions_fts VALUES ('s', 'Trip', 'Lisbon.');
"""


def test_a_search_table_that_lags_behind(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.executescript(FTS)
    found = adopt(ledger, path).finding("stale_fts")
    assert found is not None
    assert ("s",) == found.examples


def test_a_search_table_that_is_broken(path: Path, ledger: Ledger) -> None:
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.executescript(f"{FTS} DROP TABLE sessions_fts_content; DROP TABLE sessions_fts_data;")
    report = adopt(ledger, path)
    assert 2 == report.messages
    assert report.finding("search_index_broken", "sessions_fts") is not None
