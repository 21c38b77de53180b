"""session and message: what was recorded is changed."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def chat(run: Command) -> str:
    run.text("create", "--id", "s", "--user-id", "ada", "--title", "Old", "--system-prompt", "Be brief.")
    for text in ("one", "two", "three", "four"):
        run.text("add", "s", "user", text)
    return "s"


def contents(run: Command, session_id: str) -> list[tuple[int, str]]:
    lines = run.text("history", session_id, "--json").splitlines()
    return [(message["sequence_number"], message["content"]) for message in map(json.loads, lines)]


def test_a_session_is_renamed(run: Command, chat: str) -> None:
    assert "New title" in run.text("session", "rename", chat, "New title")
    assert "New title" == run.json("session", "show", chat)["title"]
    assert "chatledger: no session 'nope'" == run.error("session", "rename", "nope", "New")


def test_a_session_is_updated_and_the_rest_stays(run: Command, chat: str) -> None:
    changed = run.json(
        "session", "update", chat, "--owner", "bob", "--project", "p", "--context", "step=2", "--clear", "system-prompt"
    )
    assert ("bob", "p", None, "Old", {"step": 2}) == tuple(
        changed[name] for name in ("user_id", "project_id", "system_prompt", "title", "context")
    )
    assert {"step": 2, "n": [1]} == run.json("session", "update", chat, "--context", "n=[1]")["context"]
    assert {"a": 1} == run.json("session", "update", chat, "--replace-context", '{"a": 1}')["context"]
    shown = run.text("session", "show", chat).splitlines()
    assert ["s", "  title          Old", "  user           bob"] == shown[:3]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (["session", "update", "s"], "give what to change"),
        (["session", "update", "s", "--clear", "status"], "is not one of"),
        (["session", "update", "s", "--title", "T", "--clear", "title"], "is given a value, too"),
        (["session", "update", "s", "--context", "a=1", "--replace-context", "{}"], "that is replaced"),
        (["message", "update", "s", "1"], "give what to change"),
        (["message", "update", "s", "1", "--clear", "content"], "is not one of"),
        (["message", "delete", "s"], "Missing argument"),
        (["message", "truncate", "s"], "Missing option '--after'"),
    ],
)
def test_what_changes_nothing_or_contradicts_itself_is_misuse(run: Command, wrong: list[str], reason: str) -> None:
    assert reason in run.misuse(*wrong)


def test_a_message_is_shown_and_changed(run: Command, chat: str) -> None:
    assert "two" == run.text("message", "show", chat, "2").splitlines()[-1]
    changed = run.json("message", "update", chat, "2", "--content", "second", "--name", "Ada", "--cost", "0.5")
    assert ("second", "Ada", "0.5") == tuple(changed[name] for name in ("content", "name", "cost"))
    assert None is run.json("message", "update", chat, "2", "--clear", "name")["name"]
    assert "22" in run.error("message", "show", chat, "22")
    assert (2, "second") in contents(run, chat)


def test_a_message_is_redacted(run: Command, chat: str) -> None:
    refused = run.error("message", "redact", chat, "2")
    assert refused.endswith("the text of message 2 of session 's' would be removed for good: add --yes to do it")
    assert (2, "two") in contents(run, chat)
    run.text("message", "redact", chat, "2", "--yes", "--replacement", "[gone]")
    assert [(1, "one"), (2, "[gone]"), (3, "three"), (4, "four")] == contents(run, chat)
    assert [] == run.json("search", "two")["items"]


def test_messages_are_deleted(run: Command, chat: str) -> None:
    assert "deleted 2 messages of s" == run.text("message", "delete", chat, "1", "3", "--yes", "--snapshot")
    assert [(2, "two"), (4, "four")] == contents(run, chat)
    assert 1 == len(run.json("snapshot", "list", chat)["items"])
    assert "four" == run.json("message", "pop", chat, "--yes")["content"]
    run.text("add", chat, "user", "five")
    assert "deleted 1 message of s" == run.text("message", "truncate", chat, "--after", "2", "--yes")
    assert {"session_id": "s", "deleted": 1} == run.json("message", "clear", chat, "--yes")
    assert [] == contents(run, chat)
    assert "6" == run.text("add", chat, "user", "six")


def test_tool_calls_that_lose_their_results_are_named(run: Command, chat: str) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    run.text("add", chat, "assistant", "--payload", json.dumps({"tool_calls": [call]}))
    run.text("add", chat, "tool", "17 °C", "--tool-call-id", "c1")
    warning = "1 tool call without a result: c1\n"
    assert "" == run("fork", chat, "--id", "whole").stderr
    cut = run("fork", chat, "--id", "cut", "--at", "5")
    assert ("cut\n", warning) == (cut.stdout, cut.stderr)
    assert ["c1"] == [one["id"] for one in run.json("fork", chat, "--at", "5")["open_calls"]]
    assert warning == run("message", "truncate", chat, "--after", "5", "--yes").stderr
    assert "" == run("message", "truncate", chat, "--after", "4", "--yes").stderr


def test_another_users_messages_are_not_touched(run: Command, chat: str) -> None:
    for call in (
        ["session", "update", chat, "--title", "T"], ["message", "redact", chat, "1", "--yes"],
        ["message", "clear", chat, "--yes"],
    ):  # fmt: skip
        assert "chatledger: no session 's'" == run.error(*call, "--user-id", "bob")
    assert 4 == len(contents(run, chat))


def test_commands_complete_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_CHATLEDGER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "chatledger message re")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert "redact" == Command(None)().stdout.strip()
