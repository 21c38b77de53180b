"""add and history."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from chatledger import Ledger
from tests.cli.conftest import Command
from tests.support.once import ONE_DATABASE


@pytest.fixture
def chat(run: Command) -> str:
    return run.text("create", "--id", "s", "--title", "Trip", "--user-id", "ada")


def test_add_prints_the_number(run: Command, chat: str) -> None:
    assert ["1", "2"] == [run.text("add", chat, "user", text) for text in ("one", "two")]


def test_add_keeps_all_that_is_given(run: Command, chat: str) -> None:
    added = run.json(
        "add", chat, "tool", "ok", "--payload", '{"rows": [1.5, null]}', "--metadata", "n=1", "--key", "k",
        "--name", "sql", "--tool-call-id", "call_1", "--model", "gpt-5", "--input-tokens", "3", "--output-tokens", "4",
        "--cached-tokens", "1", "--duration-ms", "1200", "--cost", "0.000000001",
    )  # fmt: skip
    expected: dict[str, Any] = {
        "role": "tool", "content": "ok", "payload": {"rows": [1.5, None]}, "metadata": {"n": 1}, "key": "k",
        "name": "sql", "tool_call_id": "call_1", "model_id": "gpt-5", "input_tokens": 3, "output_tokens": 4,
        "cached_tokens": 1, "duration_ms": 1200, "cost": "0.000000001",
    }  # fmt: skip
    assert expected == {name: added[name] for name in expected}


@pytest.mark.parametrize(("given", "expected"), [("a\nb\n", "a\nb"), ("é\r\n", "é"), ("\n\n", "\n"), ("", "")])
def test_standard_input_loses_one_break_at_its_end(run: Command, chat: str, given: str, expected: str) -> None:
    assert expected == run.json("add", chat, "user", "-", given=given)["content"]


def test_standard_input_must_be_utf8(run: Command, chat: str) -> None:
    result = run("add", chat, "user", "-", given=b"\xff\xfe")
    assert (1, "chatledger: content: standard input is not UTF-8\n") == (result.exit_code, result.stderr)


def test_the_same_key_adds_once(run: Command, chat: str) -> None:
    assert ["1", "1"] == [run.text("add", chat, "user", "Hello", "--key", "k") for _ in range(2)]
    assert "use a new key" in run.error("add", chat, "user", "Other", "--key", "k")


def test_nothing_to_add_is_misuse(run: Command, chat: str) -> None:
    assert 2 == run("add", chat, "user").exit_code
    assert "1" == run.text("add", chat, "assistant", "--payload", '{"tool_calls": []}')


@pytest.mark.parametrize("wrong", [("robot", "x"), ("user", "--payload", "{"), ("user", "x", "--tokens", "-1")])
@ONE_DATABASE
def test_misuse_has_code_two(run: Command, chat: str, wrong: tuple[str, ...]) -> None:
    assert 2 == run("add", chat, *wrong).exit_code


def test_text_that_begins_with_a_dash(run: Command, chat: str) -> None:
    run.text("add", chat, "user", "--", "--json is an option")
    assert "--json is an option" == json.loads(run.text("history", chat, "--json"))["content"]


def test_history_in_json_lines_is_what_was_stored(run: Command, chat: str, ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.messages.append(chat, "user", "Wo im Mai? \u2028", payload={"a": [1, "é"]})
        uow.messages.append(chat, "assistant", "Lissabon", cost=Decimal("0.25"))
    output = run.text("history", chat, "--json")
    assert output.isascii()
    first, second = map(json.loads, output.splitlines())
    assert ("Wo im Mai? \u2028", {"a": [1, "é"]}) == (first["content"], first["payload"])
    assert ("0.25", "+00:00") == (second["cost"], second["created_at"][-6:])


def test_history_of_a_part(run: Command, chat: str) -> None:
    for number in range(1, 6):
        run.text("add", chat, "user", f"m{number}")
    assert [4, 5] == numbers(run, chat, "--last", "2")
    assert [3, 4, 5] == numbers(run, chat, "--after", "2")
    assert [1, 2] == numbers(run, chat, "--before", "3")
    assert [3] == numbers(run, chat, "--before", "4", "--last", "1")


def test_history_of_a_long_session(run: Command, chat: str, ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.messages.append_many(chat, [{"role": "user", "content": str(number)} for number in range(1, 1202)])
    assert list(range(1, 1202)) == numbers(run, chat)


def test_history_for_people(run: Command, chat: str) -> None:
    run.text("add", chat, "user", "Where to?")
    run.text(
        "add", chat, "assistant", "Lisbon.\nBy train.", "--tokens", "11", "--cost", "0.002", "--duration-ms", "1240",
        "--payload", '{"x": 1}', "--model", "gpt-5",
    )  # fmt: skip
    lines = run.text("history", chat).splitlines()
    assert ["Trip", "s · ada · active · 2 messages", ""] == lines[:3]
    assert lines[3].startswith("#1 user · 20")
    assert "Where to?" == lines[4]
    assert lines[6].endswith("Z · gpt-5 · 11 tokens · $0.002 · 1.2 s")
    assert ["Lisbon.", "By train.", 'payload: {"x": 1}'] == lines[7:]


def test_tool_calls_read_like_calls(run: Command, chat: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lisbon"}'}}
    for payload in ({"content": None, "tool_calls": [call]}, {"tool_calls": [call], "x": 1}, {"tool_calls": ["odd"]}):
        run.text("add", chat, "assistant", "--payload", json.dumps(payload))
    lines = run.text("history", chat).splitlines()
    assert '→ weather({"city": "Lisbon"})' == lines[4]
    assert [True, True] == [lines[at].startswith('payload: {"tool_calls": [') for at in (7, 10)]


def test_an_unknown_session_is_one_line(run: Command) -> None:
    assert "chatledger: no session 'nope'" == run.error("history", "nope")
    assert "chatledger: no session 'nope'" == run.error("add", "nope", "user", "Hello")


NASTY = "a\x1b[31mb\x07\x9b\u202e\u2066\u200f\u061c\x7f[bold]x[/bold]\r:smile:"


@pytest.mark.parametrize(
    "command", [("list",), ("history", "s\x1b]0;x\x07"), ("search", "zebra"), ("metadata", "list", "s\x1b]0;x\x07")]
)
def test_nothing_stored_acts_on_a_screen(
    run: Command, ledger: Ledger, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ledger.begin() as uow:
        session = uow.sessions.create(
            "s\x1b]0;x\x07", user_id=NASTY, model_id=NASTY, title=f"{NASTY}\nnext", system_prompt=NASTY,
            metadata={NASTY: NASTY},
        )  # fmt: skip
        uow.messages.append(
            session.session_id, "tool", f"zebra {NASTY}\n\tend", name=NASTY, tool_call_id=NASTY, payload={"x": NASTY}
        )
    plain = run.text(*command)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "400")
    coloured = run.text(*command)
    for output in (plain, coloured.replace("\x1b[1m", "").replace("\x1b[0m", "")):
        assert "\\x1b" in output
        assert [] == [
            c for c in output if c in "\x07\x9b\u202e\u2066\u200f\u061c\x7f\r" or (c == "\x1b" and output is plain)
        ]
        assert "\x1b[31mb" not in output
        assert "\x1b]0" not in output
    assert "[bold]x[/bold]" in plain
    assert "[bold]x[/bold]" in coloured


def test_errors_are_harmless_too(run: Command) -> None:
    assert "chatledger: no session 's\\x1b[31m\\n'" == run.error("history", "s\x1b[31m\n")


def numbers(run: Command, session_id: str, *options: str) -> list[int]:
    lines = run.text("history", session_id, "--json", *options).splitlines()
    return [json.loads(line)["sequence_number"] for line in lines]
