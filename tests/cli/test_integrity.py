"""db check and db repair."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from chatledger.migrate import HEAD
from tests.cli.conftest import Command
from tests.integrity.damage import DAMAGES, dump, fill, unguarded
from tests.support.raw import Raw


@pytest.fixture
def damaged(url: str) -> str:
    fill(url)
    with unguarded(url) as connection:
        connection.execute(text("DELETE FROM chatledger_sessions WHERE session_id = 'home'"))
        connection.execute(text("UPDATE chatledger_sessions SET message_count = 7 WHERE session_id = 'work'"))
    return url


def test_check_names_what_it_finds_with_its_remedy(damaged: str) -> None:
    for arguments in ((), ("--quick",)):
        result = Command(damaged)("db", "check", *arguments)
        assert (1, "") == (result.exit_code, result.stderr)
        lines = result.stdout.splitlines()
        assert {
            "orphans: 6 defects",
            "  chatledger_messages: 4 of missing session 'home'",
            "counters: 1 defect",
            "  'work': message_count is 7 and should be 5",
            "  run `chatledger db repair`",
        } <= set(lines)
        assert not [line for line in lines if line.startswith("ok")]


def test_a_note_is_no_failure(url: str) -> None:
    fill(url)
    DAMAGES["a fork without a root"].do(url)
    lines = Command(url).text("db", "check").splitlines()
    assert ("forks: 1 note", "  'branch'", f"ok (revision {HEAD})") == (lines[0], lines[1], lines[-1])
    document = Command(url).json("db", "check")
    assert (True, "forks", "note") == (
        document["ok"], document["findings"][0]["kind"], document["findings"][0]["severity"]
    )  # fmt: skip


def test_a_repair_wants_to_hear_yes(damaged: str) -> None:
    before = dump(damaged)
    assert "(--dry-run shows how): add --yes to do it" in Command(damaged).error("db", "repair")
    assert before == dump(damaged)


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(damaged: str) -> None:
    before = dump(damaged)
    assert [
        "orphans: 6 would be moved into sessions of their own",
        "  'home' into 'recovered-home'",
        "counters: 1 would be recounted",
        "  'work'",
        f"ok (revision {HEAD})",
    ] == Command(damaged).text("db", "repair", "--dry-run").splitlines()
    assert before == dump(damaged)


def test_repair(damaged: str, tmp_path: Path) -> None:
    run = Command(damaged)
    first, *rest = run.text("db", "repair", "--yes").splitlines()
    copies = list(tmp_path.glob("chat.before-repair-*.db"))
    if damaged.startswith("sqlite"):
        assert f"copied to {str(copies[0])!r}" == first
    else:
        assert ("no copy was made: pg_dump is the backup of a server", []) == (first, copies)
    assert "orphans: 6 moved into sessions of their own" == rest[0]
    assert f"ok (revision {HEAD})" == run.text("db", "check")
    assert ["nothing to mend", f"ok (revision {HEAD})"] == run.text("db", "repair", "--yes").splitlines()
    assert copies == list(tmp_path.glob("chat.before-repair-*.db"))


def test_repair_for_programs(damaged: str) -> None:
    run = Command(damaged)
    document = run.json("db", "repair", "--yes", "--no-backup", "--orphans", "drop")
    assert (True, False, None) == (document["ok"], document["dry_run"], document["backup"])
    assert ["orphans", "counters"] == [act["kind"] for act in document["actions"]]
    assert {"ok": True, "revision": HEAD, "findings": [], "full": True} == document["left"]
    assert 12 == Raw(damaged).count("chatledger_messages")


def test_what_is_left_is_a_failure(url: str) -> None:
    fill(url)
    DAMAGES["a changed text"].do(url)
    run = Command(url)
    result = run("db", "repair", "--yes", "--no-backup")
    # Search finds what the message says now; the message itself is left.
    indexed = ["full text: 1 texts reindexed", "  'trip' #3 search_text"]
    assert (1, [*indexed, "digest: 1 defect", "  'trip' #3"]) == (result.exit_code, result.stdout.splitlines()[:4])
    assert ["digest: 1 accepted as it is", "  'trip' #3", f"ok (revision {HEAD})"] == run.text(
        "db", "repair", "--yes", "--no-backup", "--accept-changed"
    ).splitlines()


def test_a_backup_and_none_is_misuse(run: Command, tmp_path: Path) -> None:
    given = ("db", "repair", "--dry-run", "--no-backup", "--backup", str(tmp_path / "x.db"))
    assert 2 == run(*given).exit_code


@pytest.mark.parametrize("command", [("db", "check"), ("db", "repair", "--dry-run")])
def test_what_is_no_ledger_is_one_line(here: Path, command: tuple[str, ...]) -> None:
    (here / "notes.db").write_text("my notes\n" * 50)
    assert "is not a SQLite database" in Command("notes.db").error(*command)
    run = Command("old.db")
    run.text("init")
    run.text("db", "downgrade", "0003")
    assert "run `chatledger db upgrade`" in run.error(*command)
