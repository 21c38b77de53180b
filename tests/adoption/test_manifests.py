"""The example databases: every defect that was put into them is found, by exactly its keys, and every row arrives."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger, Status
from chatledger.adoption import AdoptionReport, adopt
from tests.adoption.old import state_of
from tests.support.once import ONE_DATABASE

WITH_MANIFEST = ("ai-router-asfound", "ai-router-used", "chat-sessions-v1", "chat-sessions-v3", "llm-sessions")
_LARGE = ("ai-router-used", "chat-sessions-v1", "llm-sessions")
PEERS = {
    "llm-logs-0.26": ("llm", 8), "llm-logs-0.36": ("llm", 8), "openai-agents-sqlite": ("openai-agents", 6),
    "openai-agents-sqlalchemy": ("openai-agents", 4), "langchain-message-store": ("langchain", 13),
    "google-adk": ("google-adk", 2),
}  # fmt: skip
ON_BOTH = [
    pytest.param(
        name,
        backend,
        marks=pytest.mark.soak if backend == "postgresql" and name in _LARGE else (),
        id=f"{name}-{backend}",
    )
    for name in WITH_MANIFEST
    for backend in ("sqlite", "postgresql")
]
"""On PostgreSQL, the larger ones take part of a minute. Smaller databases have the same layouts in the other tests."""
TEXTS = {
    "ai-router": "SELECT session_id, content FROM messages",
    "chat-sessions": "SELECT session_id, content FROM chat_messages",
    "llm-sessions": "SELECT coalesce(s.session_uuid, 'recovered-session-' || m.session_id), m.content FROM messages AS m"
    " LEFT JOIN sessions AS s ON s.id = m.session_id",
}
"""The SQL that gives a session and a text for each message of a layout, orphans included."""


@pytest.fixture(params=WITH_MANIFEST)
def source(request: pytest.FixtureRequest, shared_data: Path) -> Path:
    return shared_data / "legacy" / f"{request.param}.db"


def manifest(source: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(source.with_suffix(".manifest.json").read_text("utf-8"))
    return found


def test_every_defect_is_found_by_its_keys(source: Path) -> None:
    with Ledger(":memory:") as ledger:
        report = adopt(ledger, source, dry_run=True)
    for kind, keys in manifest(source)["defects"].items():
        found = [sorted(map(str, finding.examples)) for finding in report.findings if finding.kind == kind]
        assert sorted(map(str, _as_named(source, keys))) in found, kind


def _as_named(source: Path, keys: list[Any]) -> list[Any]:
    """Keys as they stand in the database: the maker renamed three sessions after it had noted their other defects."""
    odd = manifest(source)["defects"].get("session_uuid_of_another_shape", [])
    renamed = {f"sess_{str(key)[:6]}": key for key in keys}
    back = {uuid: name for name, uuid in renamed.items() if name in odd}
    return [back.get(key, key) if isinstance(key, str) else key for key in keys]


@pytest.mark.parametrize(("source", "backend"), ON_BOTH, indirect=["source"])
def test_every_row_arrives_and_once(source: Path, ledger: Ledger) -> None:
    before = state_of(source.parent)
    report = adopt(ledger, source)
    expected = manifest(source)
    assert expected["rows"] == {
        table.table: table.rows for table in report.tables if table.rows or table.table in expected["rows"]
    }
    assert {0} == {table.rows - table.copied - table.kept for table in report.tables}
    assert expected["foreign_key_check"] == sum(f.count for f in report.findings if f.kind == "foreign_key_broken")
    arrived = _texts_of_ledger(ledger)
    assert arrived == _texts_of_source(source, report)
    again = adopt(ledger, source)
    assert (0, 0, report.sessions) == (again.sessions, again.messages, again.already_there)
    assert arrived == _texts_of_ledger(ledger)
    assert [] == [f.kind for f in again.findings if f.kind in ("changed_since", "closed_since", "id_taken")]
    assert {0} == {table.rows - table.already_there for table in again.tables}
    assert before == state_of(source.parent)


@ONE_DATABASE
def test_orphans_are_dropped_by_name(source: Path, ledger: Ledger) -> None:
    report = adopt(ledger, source, orphans="drop")
    orphans = manifest(source)["defects"]["orphan_messages"]
    table = next(table for table in report.tables if "messages" in table.table)
    assert (len(orphans), (f"{orphans[0]}-{orphans[-1]}",)) == (table.left_out, table.left_out_rows)
    assert table.rows == table.copied + table.left_out == report.messages + table.left_out


@pytest.mark.parametrize("name", PEERS)
def test_the_stores_of_others(name: str, shared_data: Path, ledger: Ledger) -> None:
    path = shared_data / "legacy" / f"{name}.db"
    before = state_of(path.parent)
    layout, sessions = PEERS[name]
    report = adopt(ledger, path)
    assert (layout, sessions) == (report.layout, _chats(ledger))
    assert {0} == {table.rows - table.copied - table.kept - table.derived for table in report.tables}
    again = adopt(ledger, path)
    assert (0, 0) == (again.sessions, again.messages)
    assert before == state_of(path.parent)


def test_the_old_and_the_new_log_of_llm_hold_the_same_conversations(shared_data: Path) -> None:
    told = []
    for name in ("llm-logs-0.26", "llm-logs-0.36"):
        with Ledger(":memory:") as ledger:
            adopt(ledger, shared_data / "legacy" / f"{name}.db")
            with ledger.read() as uow:
                chats = sorted((s for s in uow.sessions.list() if s.status == "active"), key=lambda s: s.session_id)
                told.append(
                    [[m.content for m in uow.messages.history(chat.session_id) if m.role == "user"] for chat in chats]
                )
    # The newer one writes down what the older one's answer showed: the fragment, a line break, the prompt.
    assert told[0] == told[1]


def _texts_of_source(source: Path, report: AdoptionReport) -> Counter[tuple[str, str]]:
    connection = sqlite3.connect(f"{source.as_uri()}?immutable=1", uri=True)
    try:
        return Counter(connection.execute(TEXTS[report.layout.value]).fetchall())
    finally:
        connection.close()


def _texts_of_ledger(ledger: Ledger) -> Counter[tuple[str, str]]:
    with ledger.read() as uow:
        found = uow.sessions.list(status=Status, limit=1000)
        return Counter(
            (chat.session_id, message.content)
            for chat in found
            if not chat.session_id.endswith("-rows")
            for message in uow.messages.iterate(chat.session_id)
        )


def _chats(ledger: Ledger) -> int:
    with ledger.read() as uow:
        return sum(not chat.session_id.endswith("-rows") for chat in uow.sessions.list(limit=1000))
