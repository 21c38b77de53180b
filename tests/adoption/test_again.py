"""Adopting twice: nothing comes twice, what came since is added, what changed is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.adoption import AdoptionReport, adopt
from tests.adoption.old import AGENTS, AI_ROUTER, fill_ai_router, made, put


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
    return path


def texts(ledger: Ledger, session: str = "s") -> list[str]:
    with ledger.read() as uow:
        return [m.content for m in uow.messages.history(session)]


def examples(report: AdoptionReport, kind: str) -> tuple[object, ...] | None:
    found = report.finding(kind)
    return None if found is None else found.examples


def grow(path: Path, *contents: str, first: int = 3) -> None:
    with made(path) as connection:
        for number, text in enumerate(contents, first):
            put(
                connection, "messages", session_id="s", sequence_number=number, role="user", content=text,
                timestamp="2025-06-02 09:00:00",
            )  # fmt: skip


def test_what_came_since_is_added(path: Path, ledger: Ledger) -> None:
    adopt(ledger, path)
    grow(path, "And then?")
    with made(path) as connection:
        fill_ai_router(connection, session="new")
        put(connection, "session_metadata", session_id="s", key="tags", value="x")
        connection.execute("UPDATE sessions SET message_count = 3 WHERE session_id = 's'")
    report = adopt(ledger, path)
    assert (1, 3, 1) == (report.sessions, report.messages, report.already_there)
    assert ["Where?", "Lisbon.", "And then?"] == texts(ledger)
    assert examples(report, "changed_since") is None
    table = {table.table: table for table in report.tables}["messages"]
    assert (5, 3, 2) == (table.rows, table.copied, table.already_there)
    with ledger.read() as uow:
        assert "x" == uow.sessions.get("s").metadata["tags"]


def test_what_was_said_in_the_ledger_meanwhile_stays(path: Path, ledger: Ledger) -> None:
    adopt(ledger, path)
    ledger.run(lambda uow: uow.messages.append("s", "user", "Said here"))
    ledger.run(lambda uow: uow.sessions.update("s", title="Renamed here"))
    grow(path, "Said there")
    adopt(ledger, path)
    assert ["Where?", "Lisbon.", "Said here", "Said there"] == texts(ledger)
    with ledger.read() as uow:
        assert "Renamed here" == uow.sessions.get("s").title


def test_what_changed_is_named_and_not_taken(path: Path, ledger: Ledger) -> None:
    adopt(ledger, path)
    with made(path) as connection:
        connection.execute("UPDATE messages SET content = 'Porto.' WHERE message_id = 2")
    report = adopt(ledger, path)
    assert (2,) == examples(report, "changed_since")
    assert ["Where?", "Lisbon."] == texts(ledger)


def test_other_zone_is_a_change(path: Path, ledger: Ledger) -> None:
    adopt(ledger, path)
    report = adopt(ledger, path, timezone="Europe/Vienna")
    assert (1, 2) == examples(report, "changed_since")
    assert 0 == report.messages


def test_a_closed_session_takes_no_more(path: Path, ledger: Ledger) -> None:
    adopt(ledger, path)
    ledger.run(lambda uow: uow.sessions.archive("s"))
    grow(path, "Too late")
    report = adopt(ledger, path)
    assert (3,) == examples(report, "closed_since")
    table = {table.table: table for table in report.tables}["messages"]
    assert (1, ("3",)) == (table.left_out, table.left_out_rows)
    assert ["Where?", "Lisbon."] == texts(ledger)


def test_an_id_that_is_taken(path: Path, ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s", title="Mine")
        uow.messages.append("s", "user", "Mine")
    report = adopt(ledger, path)
    assert ("s",) == examples(report, "id_taken")
    assert ["Mine"] == texts(ledger)
    with ledger.read() as uow:
        (other,) = [chat for chat in uow.sessions.list() if chat.session_id != "s"]
    assert other.session_id.startswith("ai-router:")
    assert ["Where?", "Lisbon."] == texts(ledger, other.session_id)
    assert (0, 1) == ((again := adopt(ledger, path)).messages, again.already_there)


def test_two_sources_with_one_name(path: Path, tmp_path: Path, ledger: Ledger) -> None:
    """Names that programs choose, such as `airline-0`, come again in another file."""
    for number in (1, 2):
        with made(tmp_path / f"agents{number}.db", AGENTS) as connection:
            put(connection, "agent_sessions", session_id="s", created_at=f"2026-01-0{number} 10:00:00")
            put(connection, "agent_messages", session_id="s", message_data=f'{{"role": "user", "content": "{number}"}}')
        adopt(ledger, tmp_path / f"agents{number}.db")
    with ledger.read() as uow:
        chats = sorted(chat.session_id for chat in uow.sessions.list())
    assert ["1", "2"] == sorted(text for chat in chats for text in texts(ledger, chat))
    assert "s" in chats


def test_a_moved_and_vacuumed_source_is_known_again(path: Path, tmp_path: Path, ledger: Ledger) -> None:
    adopt(ledger, path)
    with made(path) as connection:
        put(connection, "messages", session_id="gone", sequence_number=1, role="user", content="x")
        connection.execute("DELETE FROM messages WHERE session_id = 'gone'")
        connection.execute("VACUUM")
    moved = path.rename(tmp_path / "moved.db")
    assert (0, 0) == ((report := adopt(ledger, moved)).sessions, report.messages)


def test_what_was_deleted_in_the_source_stays_in_the_ledger(path: Path, ledger: Ledger) -> None:
    adopt(ledger, path)
    with made(path) as connection:
        connection.execute("DELETE FROM messages")
    assert 0 == adopt(ledger, path).messages
    assert ["Where?", "Lisbon."] == texts(ledger)


def test_lists_that_grew_are_replaced_and_others_are_named(path: Path, ledger: Ledger) -> None:
    with made(path) as connection:
        put(connection, "session_snapshots", session_id="s", snapshot_type="one")
    adopt(ledger, path)
    with made(path) as connection:
        put(connection, "session_snapshots", session_id="s", snapshot_type="two")
        connection.execute("UPDATE sessions SET model_name = 'Other'")
    adopt(ledger, path)
    ledger.run(lambda uow: uow.metadata.set("s", "model_name", "Mine"))
    report = adopt(ledger, path)
    with ledger.read() as uow:
        metadata = uow.sessions.get("s").metadata
    assert ["one", "two"] == [snapshot["snapshot_type"] for snapshot in metadata["snapshots"]]
    assert "Mine" == metadata["model_name"]
    assert ("s model_name",) == examples(report, "changed_since")
