"""timeouts set, clear, show, due, sweep, report."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatledger import Ledger, Status
from tests.cli.conftest import Command
from tests.support.once import ONE_DATABASE

HOUR = 3600


def test_without_a_limit_the_usual_ones_are_switched_on(run: Command) -> None:
    run.text("create", "--id", "s")
    found = run.json("timeouts", "set", "s")
    assert (HOUR, None, 24 * HOUR, 300) == lengths(found)
    assert found == run.json("timeouts", "show", "s")


def test_what_is_not_named_stays(run: Command) -> None:
    run.text("create", "--id", "s")
    run.text("timeouts", "set", "s", "--idle", "30m", "--hard", "none", "--archive-after", "7d", "--warn-before", "1m")
    assert (1800, 7 * 24 * HOUR, None, 60) == lengths(run.json("timeouts", "show", "s"))
    run.text("timeouts", "set", "s", "--hard", "1h30m")
    assert (1800, 7 * 24 * HOUR, 5400, 60) == lengths(run.json("timeouts", "show", "s"))
    assert (None, None, None, None) == lengths(run.json("timeouts", "clear", "s"))


def test_create_takes_limits(run: Command) -> None:
    run.text("create", "--id", "s", "--idle", "5m", "--archive-after", "2d", "--hard", "7d")
    assert (300, 2 * 24 * HOUR, 7 * 24 * HOUR, 300) == lengths(run.json("timeouts", "show", "s"))
    assert "must be longer than nothing" in run.misuse("create", "--idle", "0s")
    assert "is not a duration" in run.misuse("create", "--hard", "none")


def test_people_see_where_a_limit_comes_from(run: Command) -> None:
    run.text("create", "--id", "s", "--user-id", "ada", "--idle", "5m")
    run.text("timeouts", "set", "--default", "--for-user", "ada", "--idle", "1h", "--hard", "2d")
    head, header, idle, archive, hard, warn = run.text("timeouts", "show", "s").splitlines()
    assert ("s · active", ["Limit", "Length", "Set", "by", "Reached"]) == (head, header.split())
    assert (["idle", "5m", "session"], ["archive", "none", "-", "-"]) == (idle.split()[:3], archive.split())
    assert (["hard", "2d", "user"], ["warn", "before", "5m"]) == (hard.split()[:3], warn.split()[:3])
    run.text("hold", "s")
    assert "s · active, held: no limit is enforced" == run.text("timeouts", "show", "s").splitlines()[0]


def test_defaults_for_all_for_a_user_and_for_a_project(run: Command) -> None:
    assert (0, "", "no defaults\n") == outcome(run, "timeouts", "show")
    run.text("timeouts", "set", "--default")
    run.text("timeouts", "set", "--default", "--for-user", "ada", "--idle", "5m", "--hard", "none")
    run.text("timeouts", "set", "--default", "--for-project", "p", "--archive-after", "1d")
    found = [(one["scope"], one["scope_id"], *lengths(one)) for one in run.json("timeouts", "show")["items"]]
    assert {
        ("ledger", None, HOUR, None, 24 * HOUR, None),
        ("user", "ada", 300, None, None, None),
        ("project", "p", None, 24 * HOUR, None, None),
    } == set(found)
    assert "user     ada    5m    -        -     -" in run.text("timeouts", "show")
    assert "cleared" == run.text("timeouts", "clear", "--default", "--for-user", "ada")
    assert "chatledger: there is no such default" == run.error("timeouts", "clear", "--default", "--for-user", "ada")
    assert {"ledger", "project"} == {one["scope"] for one in run.json("timeouts", "show")["items"]}
    # It is in the log, with the name of whoever did it.
    acts = [(entry["action"], entry["actor"]) for entry in run.json("audit")["items"]]
    assert [("timeouts.cleared", "nina"), *[("timeouts.configured", "nina")] * 3] == acts


def test_whoever_is_limited_to_a_user_sets_that_users_defaults(run: Command) -> None:
    run.text("timeouts", "set", "--default", "--user-id", "ada")
    assert [("user", "ada")] == [(one["scope"], one["scope_id"]) for one in run.json("timeouts", "show")["items"]]
    assert "user_id: is not the user" in run.error(
        "timeouts", "set", "--default", "--for-user", "bob", "--user-id", "ada"
    )
    assert [] == run.json("timeouts", "show", "--user-id", "bob")["items"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["set", "s", "--idle", "5x"], "is not a duration: write 90s, 5m, 1h30m or 2d"),
        (["set", "s", "--idle", "-5m"], "is not a duration"),
        (["set", "s", "--hard", "0s"], "or none for no limit"),
        (["set", "s", "--warn-before", "soon"], "is not a duration"),
        (["set"], "give one of them"),
        (["set", "s", "--default"], "give one of them"),
        (["set", "s", "--for-user", "ada"], "needs --default"),
        (["clear", "--default", "--for-user", "ada", "--for-project", "p"], "give one of them"),
        (["due", "--within", "none"], "is not a duration"),
        (["due", "--limit", "0"], "Invalid value for '--limit'"),
        (["sweep", "--notify-exec", ""], "is empty"),
        (["sweep", "--notify-exec", "'"], "cannot be read"),
        (["watch", "--every", "0s"], "must be longer than nothing"),
        (["watch", "--every", "often"], "is not a duration"),
    ],
)
@ONE_DATABASE
def test_misuse_is_told(run: Command, arguments: list[str], told: str) -> None:
    assert told in run.misuse("timeouts", *arguments)


def test_due_looks_ahead(run: Command, ledger: Ledger) -> None:
    assert (0, "", "no session is due\n") == outcome(run, "timeouts", "due")
    make(ledger, "late", idle=HOUR, minutes_ago=61)
    make(ledger, "soon", idle=HOUR, minutes_ago=58)
    make(ledger, "young", idle=HOUR, minutes_ago=0)
    assert [("late", "mark idle", "idle"), ("soon", "warn", "idle")] == due(run)
    assert [("late", "mark idle", "idle")] == due(run, "--limit", "1")
    assert {("late", "mark idle", "idle"), ("soon", "warn", "idle"), ("young", "mark idle", "idle")} == set(
        due(run, "--within", "2h")
    )
    header, first, _ = run.text("timeouts", "due").splitlines()
    assert "ID    Title  User  Status  Action     Limit  Reached" == header[:52].rstrip()
    assert first.startswith("late  -      ada   active  mark idle  idle   2")
    assert [] == due(run, "--user-id", "bob")


def test_a_rehearsed_sweep_changes_nothing(run: Command, ledger: Ledger) -> None:
    make(ledger, "s", hard=HOUR, minutes_ago=61)
    assert "would archive 1" == run.text("timeouts", "sweep", "--dry-run").splitlines()[-1]
    assert (True, 1) == picked(run.json("timeouts", "sweep", "--dry-run"), "dry_run", "archived")
    assert ("active", []) == (status(run, "s"), run.json("snapshot", "list", "s")["items"])


def test_a_sweep_acts_and_says_what_it_did(run: Command, ledger: Ledger) -> None:
    make(ledger, "warned", idle=HOUR, minutes_ago=58)
    make(ledger, "idle", idle=HOUR, minutes_ago=61)
    make(ledger, "old", hard=HOUR, minutes_ago=61)
    *table, last = run.text("timeouts", "sweep", "--actor", "nightly").splitlines()
    assert (4, "warned 1, marked idle 1, archived 1") == (len(table), last)
    assert ("active", "idle", "archived") == (status(run, "warned"), status(run, "idle"), status(run, "old"))
    assert ["old:1"] == [found["snapshot_id"] for found in run.json("snapshot", "list", "old")["items"]]
    assert [("nightly", "hard limit reached")] == [
        (entry["actor"], entry["reason"]) for entry in run.json("audit", "old")["items"]
    ]
    assert "no session is due" == run.text("timeouts", "sweep")


def test_a_sweep_says_how_many_it_does_not_name(run: Command, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatledger.services.timeouts.sweep.NAMED", 1)
    for number in range(3):
        make(ledger, f"s{number}", idle=HOUR, minutes_ago=61)
    assert ["and 2 more", "marked idle 3"] == run.text("timeouts", "sweep").splitlines()[2:]


def test_a_command_is_told_of_each_warning(run: Command, ledger: Ledger, here: Path) -> None:
    make(ledger, "s", idle=HOUR, minutes_ago=58)
    take = "import pathlib, sys; pathlib.Path('told').write_bytes(sys.stdin.buffer.read())"
    done = run.json("timeouts", "sweep", "--notify-exec", shlex.join([sys.executable, "-c", take]))
    assert (1, 0) == picked(done, "warned", "failed")
    told = json.loads((here / "told").read_text())
    assert ("s", "ada", "warn", "idle") == picked(told, "session_id", "user_id", "action", "limit")
    assert told == done["sessions"][0]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("false", "'false' exited with 1"),
        ("/nowhere/mail", "'/nowhere/mail' cannot be run: No such file or directory"),
        ("sh -c 'kill -9 $$'", "'sh' was ended by signal 9"),
    ],
)
def test_a_warning_that_was_not_taken_is_sent_again(run: Command, ledger: Ledger, command: str, told: str) -> None:
    make(ledger, "s", idle=HOUR, minutes_ago=58)
    failed = run("timeouts", "sweep", "--notify-exec", command)
    assert (1, "1 failed\n") == (failed.exit_code, failed.stdout)
    assert f"chatledger: session 's': the warning could not be sent: {told}\n" == failed.stderr
    assert 1 == run.json("timeouts", "sweep", "--notify-exec", "true")["warned"]
    assert 0 == run.json("timeouts", "sweep", "--notify-exec", "false")["warned"]


def test_the_report_counts(run: Command, ledger: Ledger) -> None:
    make(ledger, "late", idle=HOUR, minutes_ago=61)
    make(ledger, "held", idle=HOUR, minutes_ago=61)
    run.text("hold", "held")
    found = run.json("timeouts", "report")
    assert (1, 1, 2) == (found["held"], found["at_idle_limit"], found["by_status"]["active"])
    lines = dict(line.rsplit(maxsplit=1) for line in run.text("timeouts", "report").splitlines()[:-1])
    assert ("2", "1", "1") == (lines["active"], lines["held"], lines["at the idle limit"])
    assert 0 == run.json("timeouts", "report", "--user-id", "bob")["by_status"]["active"]


def make(ledger: Ledger, name: str, *, minutes_ago: int, idle: int | None = None, hard: int | None = None) -> None:
    with ledger.begin() as uow:
        began = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        uow.sessions.create(name, user_id="ada", idle_timeout=idle, hard_timeout=hard, created_at=began)


def due(run: Command, *options: str) -> list[tuple[object, ...]]:
    return [picked(found, "session_id", "action", "limit") for found in run.json("timeouts", "due", *options)["items"]]


def lengths(document: dict[str, object]) -> tuple[object, ...]:
    return picked(document, "idle_timeout", "archive_timeout", "hard_timeout", "warn_before")


def picked(document: dict[str, object], *names: str) -> tuple[object, ...]:
    return tuple(document[name] for name in names)


def status(run: Command, session_id: str) -> str:
    every = run.json("list", *(part for status in Status for part in ("--status", status.value)))["items"]
    return next(str(session["status"]) for session in every if session["session_id"] == session_id)


def outcome(run: Command, *arguments: str) -> tuple[int, str, str]:
    result = run(*arguments)
    return result.exit_code, result.stdout, result.stderr
