"""init and db."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from chatledger import Ledger
from chatledger.migrate import HEAD
from tests.cli.conftest import Command


def test_init_makes_a_ledger_once(here: Path) -> None:
    run = Command(None)
    assert f"{here / 'chatledger.db'} is ready (revision {HEAD})" == run.text("init")
    assert {"place": str(here / "chatledger.db"), "revision": HEAD, "new": False}.items() <= run.json("init").items()
    assert 0o600 == stat.S_IMODE((here / "chatledger.db").stat().st_mode)


def test_init_brings_an_empty_or_old_database_up_to_date(empty_url: str) -> None:
    run = Command(empty_url)
    assert HEAD == run.json("init")["revision"]
    run.text("db", "downgrade", "0002")
    assert "run `chatledger db upgrade`" in run.error("list")
    assert HEAD == run.json("init")["revision"]


def test_up_and_down(run: Command) -> None:
    run.text("create", "--id", "s")
    assert f"{HEAD} → 0002" == run.text("db", "downgrade", "0002")
    assert {"revision": "0002", "head": HEAD} == run.json("db", "current")
    assert f"0002 (this release needs {HEAD})" == run.text("db", "current")
    assert f"0002 → {HEAD}" == run.text("db", "upgrade")
    assert f"already at {HEAD}" == run.text("db", "upgrade")
    assert ["s"] == [session["session_id"] for session in run.json("list")["items"]]


def test_base_wants_to_hear_that_content_may_be_dropped(run: Command) -> None:
    run.text("create", "--id", "s")
    assert "--drop-content" in run.error("db", "downgrade", "base")
    assert f"{HEAD} → none" == run.text("db", "downgrade", "base", "--drop-content")
    assert {"revision": None, "head": HEAD} == run.json("db", "current")


def test_an_unknown_revision_is_one_line(run: Command) -> None:
    assert run.error("db", "upgrade", "9999").startswith("chatledger: revision: is not one of 0001")


def test_check(run: Command, ledger: Ledger) -> None:
    assert f"ok (revision {HEAD})" == run.text("db", "check")
    assert {"ok": True, "revision": HEAD, "findings": [], "full": True} == run.json("db", "check")
    assert f"ok (revision {HEAD}, quick)" == run.text("db", "check", "--quick")
    with ledger.begin() as uow:
        uow.session.execute(text("DROP INDEX ix_chatledger_sessions_activity"))
    result = run("db", "check")
    assert 1 == result.exit_code
    assert "schema: 1 defect" in result.stdout
    assert "missing: index ix_chatledger_sessions_activity" in result.stdout
    assert (1, False) == ((failed := run("db", "check", "--json")).exit_code, '"ok": true' in failed.stdout)


def test_info(run: Command) -> None:
    facts = run.json("db", "info")
    assert HEAD == facts["revision"]
    assert {"database", "version", "bytes", "pool", "url", "head"} <= facts.keys()
    lines = run.text("db", "info").splitlines()
    assert lines[0].startswith("database")
    assert any(line.endswith("iB") for line in lines)


@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("history", "s"),
        ("add", "s", "user", "x"),
        ("search", "x"),
        ("export",),
        ("db", "info"),
        ("db", "check"),
    ],
)
def test_a_slip_in_the_path_makes_no_file(here: Path, command: tuple[str, ...]) -> None:
    error = Command("tpyo.db").error(*command)
    assert (
        "chatledger: no ledger at 'tpyo.db': run `chatledger init`, or name another with --db or CHATLEDGER_URL"
        == error
    )
    assert [] == list(here.iterdir())


def test_a_file_of_something_else_is_left_alone(here: Path) -> None:
    (here / "notes.db").write_text("my notes\n" * 50)
    for command in (("init",), ("list",), ("create",), ("db", "upgrade"), ("demo", "notes.db")):
        assert Command("notes.db").error(*command).startswith("chatledger: ")
    assert "my notes\n" * 50 == (here / "notes.db").read_text()


@pytest.mark.parametrize("url", ["oracle://host/x", "http://", "nowhere/chat.db"])
def test_a_database_that_cannot_be_is_one_line(here: Path, url: str) -> None:
    assert Command(url).error("create").startswith("chatledger: ")


def test_an_empty_name_is_misuse(here: Path) -> None:
    assert 2 == Command(None)("list", "--db", "").exit_code
    assert [] == list(here.iterdir())


def test_where_the_database_is(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Command(None)
    monkeypatch.setenv("CHATLEDGER_URL", "environment.db")
    run.text("create", "--id", "of the environment")
    run.text("create", "--id", "behind", "--db", "behind.db")
    run.text("--db", "before.db", "create", "--id", "before")
    run.text("--db", "before.db", "create", "--id", "both", "--db", "both.db")
    assert {"environment.db", "behind.db", "before.db", "both.db"} == {path.name for path in here.glob("*.db")}
    assert ["before"] == [session["session_id"] for session in run.json("--db", "before.db", "list")["items"]]
