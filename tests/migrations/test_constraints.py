"""What the database itself refuses, whoever writes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from chatledger import Ledger
from chatledger.models import Base
from tests.support.raw import Raw


@pytest.fixture
def raw(ledger: Ledger, url: str) -> Raw:
    """Plain SQL on a ledger with a session `s` that holds message 1."""
    with ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada")
        uow.messages.append("s", "user", "hello", key="k")
    return Raw(url)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (
            "INSERT INTO messages (session_id, sequence_number, role, content) VALUES ('nobody', 1, 'user', 'x')",
            "fk_messages_session_id",
        ),
        ("INSERT INTO session_metadata (session_id, key, value) VALUES ('nobody', 'k', '1')", "fk_session_metadata"),
        ("INSERT INTO session_timeouts (session_id) VALUES ('nobody')", "fk_session_timeouts_session_id"),
        ("INSERT INTO sessions (session_id, project_id) VALUES ('t', 'nowhere')", "fk_sessions_project_id"),
        ("INSERT INTO sessions (session_id, model_id) VALUES ('t', 'nothing')", "fk_sessions_model_id"),
        ("INSERT INTO sessions (session_id) VALUES ('s')", "pk_sessions"),
        ("INSERT INTO sessions (session_id) VALUES (NULL)", "not.null"),
        ("INSERT INTO sessions (session_id, status) VALUES ('t', 'asleep')", "ck_sessions_status"),
        ("UPDATE sessions SET status = 'Active'", "ck_sessions_status"),
        (
            "INSERT INTO messages (session_id, sequence_number, role, content) VALUES ('s', 1, 'user', 'x')",
            "messages_session_id_sequence_number|pk_messages|messages.session_id, messages.sequence_number",
        ),
        (
            "INSERT INTO messages (session_id, sequence_number, role, content) VALUES ('s', 0, 'user', 'x')",
            "ck_messages_sequence_number",
        ),
        (
            "INSERT INTO messages (session_id, sequence_number, role, content) VALUES ('s', 2, 'robot', 'x')",
            "ck_messages_role",
        ),
        (
            "INSERT INTO messages (session_id, sequence_number, role, content) VALUES ('s', 2, 'user', NULL)",
            "not.null",
        ),
        (
            "INSERT INTO messages (session_id, sequence_number, role, content, key) VALUES ('s', 2, 'user', 'x', 'k')",
            "uq_messages_session_id_key|messages.session_id, messages.key",
        ),
        (
            (
                "INSERT INTO session_snapshots (session_id, snapshot_number, kind, encoding, body, size, digest)"
                " VALUES ('s', 1, 'selfie', 'json', {blob}, 1, {blob})"
            ),
            "ck_session_snapshots_kind",
        ),
    ],
)
def test_raw_sql_is_refused_by_a_constraint_with_a_name(raw: Raw, url: str, statement: str, constraint: str) -> None:
    blob = "x'00'" if url.startswith("sqlite") else r"'\x00'"
    before = {table: raw.count(table) for table in Base.metadata.tables}
    with pytest.raises(DBAPIError, match=f"(?i){constraint}|FOREIGN KEY constraint failed|UNIQUE constraint failed"):
        raw(statement.format(blob=blob))
    assert before == {table: raw.count(table) for table in Base.metadata.tables}


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("messages", "input_tokens", "many"),
        ("messages", "duration_ms", 1.5),
        ("messages", "cost", "0.1"),
        ("sessions", "message_count", "one"),
        ("session_timeouts", "idle_limit", "soon"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(raw: Raw, url: str, table: str, column: str, value: Any) -> None:
    if isinstance(value, float) and url.startswith("postgresql"):
        pytest.skip("rounded there by assignment, and so never stored")
    raw("INSERT INTO session_timeouts (session_id) VALUES ('s')")
    with pytest.raises(DBAPIError):
        raw(f"UPDATE {table} SET {column} = :value", value=value)


def test_every_table_on_sqlite_is_strict(migrated_sqlite_url: str) -> None:
    raw = Raw(migrated_sqlite_url)
    listed = {row.name: row.strict for row in raw("PRAGMA table_list") if row.name in Base.metadata.tables}
    assert dict.fromkeys(Base.metadata.tables, 1) == listed


def test_deleting_a_session_takes_its_rows_and_no_others(raw: Raw, url: str) -> None:
    raw("INSERT INTO sessions (session_id) VALUES ('other')")
    raw("INSERT INTO messages (session_id, sequence_number, role, content) VALUES ('other', 1, 'user', 'stays')")
    raw("INSERT INTO session_timeouts (session_id) VALUES ('s')")
    raw("INSERT INTO session_metadata (session_id, key, value) VALUES ('s', 'k', '1')")
    raw("DELETE FROM sessions WHERE session_id = 's'")
    assert [("other",)] == [tuple(row) for row in raw("SELECT session_id FROM messages")]
    assert 0 == raw.count("session_timeouts") + raw.count("session_metadata")
    assert [("session.deleted", "s", "ada")] == [
        tuple(row) for row in raw("SELECT action, session_id, user_id FROM audit_log")
    ]


def test_a_project_that_sessions_use_is_not_deleted(ledger: Ledger, url: str) -> None:
    ledger.run(lambda uow: uow.sessions.create("s", project_id="p", model_id="m"))
    raw = Raw(url)
    for table in ("projects", "models"):
        with pytest.raises(DBAPIError, match=r"(?i)foreign key"):
            raw(f"DELETE FROM {table}")
