"""A deleted session is gone with all that hung on it; the audit log keeps that it was."""

# A block that does its work and then fails is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

import json

import pytest

from chatledger import Ledger, SessionNotFound
from tests.support.raw import Raw

TABLES = ("chatledger_sessions", "chatledger_messages", "chatledger_session_metadata", "chatledger_session_timeouts")


@pytest.fixture
def doomed(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        for name in ("doomed", "kept"):
            uow.sessions.create(name, user_id="ada", metadata={"k": 1}, idle_timeout=60)
            uow.messages.append(name, "user", f"the {name} word: lighthouse")
            uow.messages.append(name, "assistant", "indeed")
    return any_ledger


def test_a_deletion_takes_messages_metadata_and_search_along(doomed: Ledger, raw: Raw) -> None:
    with doomed.begin() as uow:
        uow.sessions.delete("doomed")
    assert ["kept"] == [row[0] for row in raw("SELECT session_id FROM chatledger_sessions")]
    assert {"kept"} == {row[0] for table in TABLES for row in raw(f"SELECT session_id FROM {table}")}
    with doomed.read() as uow:
        assert uow.sessions.find("doomed", include_expired=True) is None
        assert ["kept"] == [hit.session_id for hit in uow.search.messages("lighthouse")]
        for read in (uow.messages.history, uow.metadata.all):
            with pytest.raises(SessionNotFound):
                read("doomed")


def test_a_deletion_leaves_a_row_in_the_audit_log_without_content(doomed: Ledger, raw: Raw) -> None:
    with doomed.begin() as uow:
        uow.sessions.delete("doomed")
    (row,) = raw(
        "SELECT action, session_id, user_id, count, CAST(details AS TEXT) AS details FROM chatledger_audit_log"
    )
    assert ("session.deleted", "doomed", "ada", 1) == (row.action, row.session_id, row.user_id, row.count)
    assert {"messages": 2} == json.loads(row.details)


def test_raw_sql_leaves_the_same_row(doomed: Ledger, raw: Raw) -> None:
    raw("DELETE FROM chatledger_sessions WHERE session_id = 'doomed'")
    assert [("session.deleted", "doomed")] == [
        tuple(row) for row in raw("SELECT action, session_id FROM chatledger_audit_log")
    ]
    assert 2 == raw.count("chatledger_messages")


def test_a_deletion_that_is_rolled_back_leaves_nothing(doomed: Ledger, raw: Raw) -> None:
    with pytest.raises(ZeroDivisionError), doomed.begin() as uow:
        uow.sessions.delete("doomed")
        raise ZeroDivisionError
    assert (0, 4) == (raw.count("chatledger_audit_log"), raw.count("chatledger_messages"))


def test_what_is_not_there_cannot_be_deleted(doomed: Ledger) -> None:
    with doomed.begin() as uow:
        uow.sessions.delete("doomed")
        with pytest.raises(SessionNotFound):
            uow.sessions.delete("doomed")


def test_an_id_can_be_used_again_and_starts_from_one(doomed: Ledger) -> None:
    with doomed.begin() as uow:
        uow.sessions.delete("doomed")
        uow.sessions.create("doomed")
        assert 1 == uow.messages.append("doomed", "user", "again").sequence_number


def test_a_closed_session_can_be_deleted(doomed: Ledger) -> None:
    with doomed.begin() as uow:
        uow.sessions.archive("doomed")
        uow.sessions.delete("doomed")
        uow.sessions.expire("kept")
        uow.sessions.delete("kept")
    with doomed.read() as uow:
        assert [] == list(uow.sessions.list(status=["active", "archived", "expired"]))
