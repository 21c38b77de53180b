"""Layout B: owners, context, query plans, and an order that only times tell."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.adoption import adopt
from tests.adoption.old import CHAT_SESSIONS, made, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


def session(connection: Any, **values: Any) -> None:
    times = {"created_at": "2026-01-13T08:00:00", "updated_at": "2026-01-13T09:00:00.250000"}
    put(connection, "chat_sessions", **{"session_id": "s", **times, **values})


def message(connection: Any, text: str, at: str, **values: Any) -> None:
    put(connection, "chat_messages", **{"session_id": "s", "role": "user", "content": text, "timestamp": at, **values})


def test_what_becomes_of_a_session(path: Path, ledger: Ledger) -> None:
    with made(path, CHAT_SESSIONS) as connection:
        session(
            connection, user_id="ada", context='{"last": "Oxford"}', metadata='{"client": "cli", "tags": ["m6"]}',
            preferences='{"theme": "dark"}', expired_at="2026-01-14T10:00:00",
        )  # fmt: skip
        message(connection, "Books?", "2026-01-13T08:00:01.500000", query_plan='{"filters": [{"op": "EQUALS"}]}')
        message(
            connection, "Two.", "2026-01-13T08:00:02", role="assistant", candidate_set='{"total_count": 2}', rating=5
        )  # fmt: skip
    adopt(ledger, path)
    with ledger.read() as uow:
        chat = uow.sessions.get("s", include_expired=True)
        question, answer = uow.messages.history("s")
    assert ("ada", "expired", {"last": "Oxford"}) == (chat.user_id, chat.status, chat.context)
    assert datetime(2026, 1, 14, 10, tzinfo=UTC) == chat.expired_at
    assert ("cli", ["m6"], {"theme": "dark"}) == tuple(chat.metadata[k] for k in ("client", "tags", "preferences"))
    assert {"updated_at": "2026-01-13T09:00:00.250000"} == chat.metadata["adopted"]["as_found"]
    assert {"query_plan": {"filters": [{"op": "EQUALS"}]}} == question.payload
    assert ({"candidate_set": {"total_count": 2}}, {"rating": 5}) == (answer.payload, answer.metadata)
    assert datetime(2026, 1, 13, 8, 0, 1, 500_000, tzinfo=UTC) == question.created_at


def test_time_orders_messages_whatever_its_shape(path: Path, ledger: Ledger) -> None:
    with made(path, CHAT_SESSIONS) as connection:
        session(connection)
        message(connection, "fourth", "2026-01-13T10:00:00.5")
        message(connection, "first", "2026-01-13 08:30:00")
        message(connection, "third", "2026-01-13T12:00:00+02:00")
        message(connection, "second", "2026-01-13T09:00Z")
        message(connection, "fifth, at the same time", "2026-01-13T10:00:00.500000")
        message(connection, "last, at no time", "soon")
    report = adopt(ledger, path)
    with ledger.read() as uow:
        told = uow.messages.history("s")
    assert ["first", "second", "third", "fourth", "fifth, at the same time", "last, at no time"] == [
        m.content for m in told
    ]
    assert told[4].created_at == told[5].created_at
    assert {"as_found": {"timestamp": "soon"}} == told[5].metadata["adopted"]
    found = report.finding("unreadable_time")
    assert found is not None
    assert (6,) == found.examples


@pytest.mark.parametrize(
    "text", ["{'a': 1}", '{"a": 1', "", "null", "[1]", '{"a": NaN}', '{"a": 1}{"b": 2}', '{"a":1,"a":2}']
)
def test_what_is_no_object_is_kept_as_text(path: Path, ledger: Ledger, text: str) -> None:
    with made(path, CHAT_SESSIONS) as connection:
        session(connection, context=text, metadata=text)
    report = adopt(ledger, path)
    with ledger.read() as uow:
        chat = uow.sessions.get("s")
    assert {} == chat.context
    found = chat.metadata["adopted"]["as_found"]
    assert (text, text) == (found["context"], found["metadata"])
    finding = report.finding("context_or_metadata_not_a_json_object")
    assert finding is not None
    assert {"s"} == set(finding.examples)


def test_metadata_with_names_that_are_taken_or_impossible(path: Path, ledger: Ledger) -> None:
    long = "k" * 300
    with made(path, CHAT_SESSIONS) as connection:
        session(connection, metadata=f'{{"adopted": "mine", "": 1, "{long}": 2, "fine": 3}}')
    adopt(ledger, path)
    with ledger.read() as uow:
        metadata = uow.sessions.get("s").metadata
    assert 3 == metadata["fine"]
    found = metadata["adopted"]["as_found"]
    assert ("mine", 1, 2) == (found["metadata.adopted"], found["metadata."], found[f"metadata.{long}"])
