"""db backup, restore, copy, maintain, health; and the sizes that db info shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.migrate import HEAD
from tests.cli.conftest import Command


@pytest.fixture
def filled(run: Command) -> Command:
    run.text("create", "--id", "trip", "--user-id", "ada")
    run.text("add", "trip", "user", "Where to in May?")
    return run


def test_backup_and_restore(filled: Command, here: Path) -> None:
    line = filled.text("db", "backup", "b.db")
    assert line.startswith("b.db  ")
    assert line.endswith(f", 1 session with 1 message, revision {HEAD}")
    restored = Command("restored.db")
    assert f"{here / 'restored.db'} is restored: 1 session with 1 message" == restored.text("db", "restore", "b.db")
    assert ["trip"] == [session["session_id"] for session in restored.json("list")["items"]]
    error = restored.error("db", "restore", "b.db")
    assert error.endswith("exists: add --overwrite to replace it")
    assert restored.json("db", "restore", "b.db", "--overwrite")["by_manifest"] is True


def test_backup_makes_a_name_and_rotates(filled: Command, here: Path) -> None:
    made = [filled.json("db", "backup", "--keep", "2") for _ in range(3)]
    assert [[], [], [made[0]["path"]]] == [report["removed"] for report in made]
    assert 4 == len(list(here.glob("chatledger-*")))
    assert f"deleted {made[1]['path']}" in filled.text("db", "backup", "--keep", "2").splitlines()
    assert "keep" in filled.error("db", "backup", "b.db", "--keep", "2")
    assert 2 == filled("db", "backup", "--keep", "0").exit_code


def test_backup_overwrites_when_asked(filled: Command, here: Path) -> None:
    filled.text("db", "backup", "b.db")
    assert "exists: add --overwrite to replace it" in filled.error("db", "backup", "b.db")
    filled.text("db", "backup", "b.db", "--overwrite")


def test_an_erased_user_who_is_back_is_told_with_the_remedy(filled: Command, url: str, here: Path) -> None:
    filled.text("db", "backup", "b.db")
    with Ledger(url) as ledger:
        ledger.erase_user("ada")
    result = filled("db", "restore", "b.db", "--overwrite")
    assert 0 == result.exit_code, result.output
    assert "chatledger: 'ada' had been erased and is back: run `chatledger erase-user ada` again\n" == result.stderr
    assert "1 erasure of the replaced ledger" in result.stdout
    assert ["ada"] == json.loads(filled("db", "restore", "b.db", "--overwrite", "--json").stdout)[
        "erased_users_returning"
    ]


def test_an_older_backup_says_that_it_was_upgraded(here: Path) -> None:
    run = Command("chat.db")
    run.text("init")
    run.text("db", "downgrade", "0003")
    run.text("db", "backup", "b.db")
    lines = Command("new.db").text("db", "restore", "b.db").splitlines()
    assert f"upgraded from revision 0003 to {HEAD}" == lines[-1]


def test_what_is_no_backup_is_one_line(run: Command, here: Path) -> None:
    (here / "notes.txt").write_text("my notes")
    assert "is not a SQLite database" in Command("new.db").error("db", "restore", "notes.txt")
    assert "no file 'tpyo.db'" in Command("new.db").error("db", "restore", "tpyo.db")
    assert not (here / "new.db").exists()


def test_copy(filled: Command, url: str, here: Path) -> None:
    run = Command(None)
    assert "copied and compared 1 session with 1 message to sqlite:///copy.db" == run.text("db", "copy", url, "copy.db")
    assert "holds rows already" in run.error("db", "copy", url, "copy.db")
    assert 1 == run.json("db", "copy", url, "other.db")["rows"]["chatledger_messages"]
    assert "no ledger at" in run.error("db", "copy", "tpyo.db", "third.db")
    assert not (here / "third.db").exists()


def test_maintain(run: Command) -> None:
    assert ["full text", "vacuum", "analyze", "checkpoint"] == [
        line.partition("  ")[0] for line in run.text("db", "maintain").splitlines()[:4]
    ]
    named = run.json("db", "maintain", "--vacuum", "--analyze")["steps"]
    assert [("vacuum", True), ("analyze", True)] == [(step["name"], step["done"]) for step in named]


def test_health(run: Command, url: str) -> None:
    assert f"ok (revision {HEAD})" == run.text("db", "health").splitlines()[0]
    assert {"ok": True, "reachable": True, "problems": []}.items() <= run.json("db", "health").items()
    with Ledger(url) as ledger:
        ledger.downgrade("0003")
    result = run("db", "health")
    assert (1, True) == (result.exit_code, result.stdout.startswith("schema  the database is at revision 0003"))
    document = run("db", "health", "--json")
    assert (1, False, "schema") == (
        document.exit_code,
        (found := json.loads(document.stdout))["ok"],
        found["problems"][0]["kind"],
    )


def test_health_of_a_server_that_is_not_there() -> None:
    run = Command("postgresql://ada:secret-word@127.0.0.1:1/chats")
    result = run("db", "health", "--timeout", "1")
    assert (1, True) == (result.exit_code, result.stdout.startswith("unreachable  "))
    assert "secret-word" not in result.output


def test_info_shows_sizes(run: Command) -> None:
    facts = run.json("db", "info")
    assert facts["tables"]["chatledger_messages"] > 0
    assert facts["indexes"]["ix_chatledger_sessions_activity"] > 0
    lines = run.text("db", "info").splitlines()
    assert any(line.startswith("  chatledger_messages ") and line.endswith(("iB", "bytes")) for line in lines)


@pytest.mark.parametrize("command", ["backup", "maintain", "health"])
def test_a_slip_in_the_path_makes_no_file(here: Path, command: str) -> None:
    assert "no ledger at 'tpyo.db'" in Command("tpyo.db").error("db", command)
    assert [] == list(here.iterdir())
