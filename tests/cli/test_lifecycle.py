"""archive, expire, pause, resume, fail, reopen, hold, release; who did it and why."""

from __future__ import annotations

import getpass

import pytest

from tests.cli.conftest import Command

LIFE = (
    ("pause", "paused s", "paused"),
    ("resume", "resumed s", "active"),
    ("hold", "held s", "active, held"),
    ("release", "released s", "active"),
    ("fail", "marked as failed: s", "failed"),
    ("reopen", "reopened s", "active"),
    ("archive", "archived s", "archived"),
    ("expire", "expired s", "expired"),
)
"""Each command, what it prints, and the status after it, one after another."""


def test_each_says_what_it_did(run: Command) -> None:
    run.text("create", "--id", "s")
    for command, said, status in LIFE:
        assert said == run.text(command, "s")
        # The header of the conversation says where it stands.
        assert f"s · {status} · 0 messages" == run.text("history", "s")


def test_each_gives_the_session_to_programs(run: Command) -> None:
    run.text("create", "--id", "s")
    for command, _, status in LIFE:
        assert ("s", status.removesuffix(", held")) == named(run.json(command, "s"), "session_id", "status")


def test_a_change_that_makes_no_sense_is_refused_by_name(run: Command) -> None:
    run.text("create", "--id", "s")
    run.text("archive", "s")
    refused = run.error("pause", "s")
    assert "chatledger: session 's' is archived and cannot become paused (possible: expire, reopen)" == refused
    assert "chatledger: no session 'missing'" == run.error("hold", "missing")


def test_another_users_session_is_not_found(run: Command) -> None:
    run.text("create", "--id", "s", "--user-id", "ada")
    for command, _, _ in LIFE:
        assert "chatledger: no session 's'" == run.error(command, "s", "--user-id", "bob")


def test_archiving_keeps_a_snapshot_unless_told_otherwise(run: Command) -> None:
    for name, options in (("a", []), ("b", ["--no-snapshot"])):
        run.text("create", "--id", name)
        run.text("archive", name, *options)
    assert ["pre_archive"] == [found["kind"] for found in run.json("snapshot", "list", "a")["items"]]
    assert [] == run.json("snapshot", "list", "b")["items"]


def test_a_held_session_is_marked_and_not_deleted(run: Command) -> None:
    run.text("create", "--id", "s")
    run.text("hold", "s")
    assert "active, held" in run.text("list")
    assert "chatledger: session 's' is held and not deleted: release first" == run.error("delete", "s", "--yes")
    run.text("release", "s")
    assert "held" not in run.text("list")
    run.text("delete", "s", "--yes")


def test_the_audit_log_says_who_and_why(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run.text("create", "--id", "s")
    run.text("archive", "s", "--actor", "ada", "--reason", "done")
    monkeypatch.setenv("CHATLEDGER_ACTOR", "cron")
    run.text("reopen", "s")
    monkeypatch.setenv("CHATLEDGER_ACTOR", "")
    run.text("delete", "s", "--yes", "--reason", "asked to")
    expected = [
        ("session.deleted", "nina", "asked to"),
        ("session.reopened", "cron", None),
        ("session.archived", "ada", "done"),
    ]
    assert expected == [named(entry, "action", "actor", "reason") for entry in run.json("audit", "s")["items"]]


@pytest.mark.parametrize("failure", [OSError, KeyError, ImportError])
def test_who_has_no_login_name_is_nobody(
    run: Command, monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    def nobody() -> str:
        raise failure

    monkeypatch.setattr(getpass, "getuser", nobody)
    run.text("create", "--id", "s")
    run.text("archive", "s")
    assert [None] == [entry["actor"] for entry in run.json("audit")["items"]]


def test_a_name_or_reason_that_cannot_be_stored_is_refused(run: Command) -> None:
    run.text("create", "--id", "s")
    assert "chatledger: actor: must have 1 to 255 characters" == run.error("archive", "s", "--actor", "x" * 256)
    assert "chatledger: reason: must have at most 1000 characters" == run.error("archive", "s", "--reason", "x" * 1001)
    assert "active" == run.json("list")["items"][0]["status"]


def named(document: dict[str, object], *names: str) -> tuple[object, ...]:
    return tuple(document[name] for name in names)
