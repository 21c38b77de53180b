"""state: set, get, list, delete."""

from __future__ import annotations

from tests.cli.conftest import Command


def test_state_is_set_read_and_deleted(run: Command) -> None:
    run.text("create", "--id", "s", "--user-id", "ada")
    assert "1" == run.text("state", "set", "likes", '["tea"]', "--user-id", "ada")
    assert "2" == run.text("state", "set", "likes", "plain words", "--user-id", "ada", "--expected-version", "1")
    assert "plain words" == run.text("state", "get", "likes", "--user-id", "ada")
    assert "1" == run.text("state", "set", "step", "3", "--session-id", "s")
    assert ("session", "s", 3, 1) == tuple(
        run.json("state", "get", "step", "--session-id", "s")[name]
        for name in ("scope", "scope_id", "value", "version")
    )
    assert "1" == run.text("state", "set", "mode", "fast", "--project", "p")
    assert 'mode = "fast"' == run.text("state", "list", "--project", "p")
    assert [("likes", 2)] == [
        (one["key"], one["version"]) for one in run.json("state", "list", "--user-id", "ada")["items"]
    ]
    assert "" == run.text("state", "delete", "likes", "--user-id", "ada")
    for command in ("get", "delete"):
        assert "chatledger: no state 'likes' of user 'ada'" == run.error("state", command, "likes", "--user-id", "ada")


def test_whose_state_it_is_must_be_said(run: Command) -> None:
    run.text("create", "--id", "s")
    for owner in ([], ["--user-id", "ada", "--project", "p"]):
        assert 2 == run("state", "list", *owner).exit_code
    run.text("state", "set", "k", "1", "--user-id", "ada")
    assert "has version 1 and not 0" in run.error(
        "state", "set", "k", "2", "--user-id", "ada", "--expected-version", "0"
    )
