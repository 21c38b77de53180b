"""search."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def _conversations(run: Command) -> None:
    for session_id, user, texts in (
        ("a", "ada", ["Lisbon in May?", "Lisbon is warm in May."]),
        ("b", "bob", ["Nothing but Lisbon", "晚饭做什么"]),
    ):
        run.text("create", "--id", session_id, "--user-id", user, "--title", f"of {user}", "--project", user)
        for text, role in zip(texts, ("user", "assistant"), strict=True):
            run.text("add", session_id, role, text)


def test_search_finds_messages(run: Command) -> None:
    assert {("a", 1), ("a", 2), ("b", 1)} == found(run, "lisbon")
    assert {("a", 1), ("a", 2)} == found(run, "lisbon", "may")
    assert {("b", 2)} == found(run, "晚饭")


def test_search_filters(run: Command) -> None:
    assert {("a", 1), ("a", 2)} == found(run, "lisbon", "--user-id", "ada")
    assert {("b", 1)} == found(run, "lisbon", "--session-id", "b")
    assert {("b", 1)} == found(run, "lisbon", "--project", "bob")
    assert {("a", 2)} == found(run, "lisbon", "--role", "assistant")
    assert set() == found(run, "lisbon", "--until", "2020-01-01")
    assert 2 == len(run.json("search", "lisbon", "--sessions")["items"])


def test_search_goes_on_at_the_cursor(run: Command) -> None:
    first = run.json("search", "lisbon", "--limit", "2")
    rest = run.json("search", "lisbon", "--limit", "2", "--cursor", first["next_cursor"])
    assert (2, 1, None) == (len(first["items"]), len(rest["items"]), rest["next_cursor"])


def test_the_words_found_are_marked_where_that_helps(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        "**Lisbon** is warm in **May**."
        == run.json("search", "lisbon may", "--role", "assistant")["items"][0]["snippet"]
    )
    assert run.text("search", "lisbon may", "--role", "assistant").endswith("\n  Lisbon is warm in May.")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[1;33mLisbon\x1b[0m is warm" in run.text("search", "lisbon may", "--role", "assistant")


def test_nothing_found_is_no_error(run: Command) -> None:
    for query in ("zebra", "-lisbon", '"', "*"):
        result = run("search", "--", query)
        assert (0, "", "nothing found\n") == (result.exit_code, result.stdout, result.stderr)


def test_a_wrong_cursor_is_one_line(run: Command) -> None:
    assert "chatledger: cursor: is not a cursor of this list" in run.error("search", "x", "--cursor", "nonsense")


def found(run: Command, *arguments: str) -> set[tuple[str, int]]:
    return {(hit["session_id"], hit["sequence_number"]) for hit in run.json("search", *arguments)["items"]}
