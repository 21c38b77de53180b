"""adopt."""

from __future__ import annotations

import io
import json
import stat
import sys
from pathlib import Path

import pytest

from chatledger.cli.files import adopt
from tests.adoption.old import AI_ROUTER, fill_ai_router, made, put
from tests.cli.conftest import Command


@pytest.fixture
def source(here: Path) -> Path:
    """One conversation, and a message of one that is gone."""
    path = here / "old.db"
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        put(connection, "messages", session_id="gone", sequence_number=1, role="user", content="lost \x1b[31m")
    return path


def test_findings_and_totals(run: Command, source: Path) -> None:
    lines = run.text("adopt", "old.db").splitlines()
    assert "'old.db': ai-router, times without a zone read as UTC" == lines[0]
    assert any(line.split()[:4] == ["orphan_messages", "messages", "1", "3"] for line in lines)
    assert ["messages", "3", "3", "-", "-", "-", "-", "-"] in [line.split() for line in lines]
    assert "adopted 2 sessions with 3 messages; every row of the source is accounted for" == lines[-1]
    assert "0 sessions with 0 messages, 2 sessions there already" in run.text("adopt", "old.db").splitlines()[-1]
    assert ["Where?", "Lisbon."] == [
        json.loads(line)["content"] for line in run.text("history", "s", "--json").splitlines()
    ]


def test_a_dry_run_writes_nothing(run: Command, source: Path) -> None:
    assert "would adopt 2 sessions" in run.text("adopt", "old.db", "--dry-run")
    assert [] == run.json("list")["items"]


def test_a_dry_run_makes_no_ledger(here: Path, source: Path) -> None:
    run = Command("new.db")
    assert "would adopt" in run.text("adopt", "old.db", "--dry-run")
    assert ["old.db"] == [path.name for path in here.iterdir()]


def test_json_for_programs(run: Command, source: Path) -> None:
    report = run.json("adopt", "old.db", "--orphans", "drop", "--timezone", "Europe/Vienna")
    assert ("ai-router", "drop", "Europe/Vienna", 1) == tuple(
        report[name] for name in ("layout", "orphans", "timezone", "sessions")
    )
    assert [3] == next(f["examples"] for f in report["findings"] if f["kind"] == "orphan_messages")
    assert ["3"] == next(t["left_out_rows"] for t in report["tables"] if t["table"] == "messages")


def test_the_report_is_a_new_file_of_its_owner(run: Command, here: Path, source: Path) -> None:
    run.text("adopt", "old.db", "--report", "report.json")
    path = here / "report.json"
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert 3 == json.loads(path.read_text())["messages"]
    assert "exists: add --overwrite to replace it" in run.error("adopt", "old.db", "--report", "report.json")
    assert "No such file" in run.error("adopt", "old.db", "--report", "nowhere/report.json")


def test_what_cannot_be_adopted_is_one_line(run: Command, here: Path, source: Path) -> None:
    (here / "notes.txt").write_text("my notes")
    assert "is not a SQLite database" in run.error("adopt", "notes.txt", "--report", "report.json")
    assert not (here / "report.json").exists()
    assert "is not chat-sessions" in run.error("adopt", "old.db", "--layout", "chat-sessions")
    assert "is no time zone" in run.error("adopt", "old.db", "--timezone", "Nowhere")
    assert 2 == run("adopt", "old.db", "--layout", "guess").exit_code
    assert 2 == run("adopt", "old.db", "--orphans", "burn").exit_code


def test_nothing_stored_acts_upon_a_terminal(run: Command, here: Path) -> None:
    with made(here / "old.db", AI_ROUTER) as connection:
        fill_ai_router(connection, session="\x1b[31mred", texts=())
    assert "\\x1b[31mred" in run.text("adopt", "old.db")


def test_a_terminal_sees_progress(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("chatledger.adoption.session_copy._PAUSE", 0.0)
    adopt.adopt(source, db=":memory:")
    assert "copying, 4 of 4 rows" in shown.getvalue()
