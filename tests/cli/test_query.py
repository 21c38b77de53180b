"""query: the question is kept, whatever the responder does."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from chatledger.cli.signals import terminable
from tests.cli.conftest import Command

RESPONDERS = """
import asyncio
import signal
import sys

calls = []

def text(messages):
    calls.append(messages)
    print("noise")
    return f"{len(messages)} so far, last: {messages[-1].content}"

def prompted(messages):
    return " | ".join(f"{m.sequence_number} {m.role} {m.content}" for m in messages)

def full(messages):
    return {"content": "rich", "payload": {"plan": [1]}, "input_tokens": 8, "output_tokens": 3, "cost": "0.01",
            "duration_ms": 5, "model_id": "gpt-5"}

def pieces(messages):
    yield "one "
    yield "two"

async def waiting(messages):
    await asyncio.sleep(0)
    return "waited"

async def waiting_pieces(messages):
    yield "three "
    yield "four"

def breaks(messages):
    raise RuntimeError("no\\x1b[31m key")

def breaks_late(messages):
    yield "half"
    raise RuntimeError("gone")

def interrupted_late(messages):
    yield "so far"
    raise KeyboardInterrupt

def terminated_late(messages):
    yield "so "
    yield "far"
    signal.raise_signal(signal.SIGTERM)

def leaves(messages):
    sys.exit(3)

def interrupted(messages):
    raise KeyboardInterrupt

def nothing(messages):
    return None

def empty(messages):
    return ""

def misspelt(messages):
    return {"content": "x", "tokens": 3}
"""


@pytest.fixture(autouse=True)
def _responders(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "answers.py").write_text(RESPONDERS)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "answers", raising=False)


@pytest.fixture
def run(migrated_sqlite_url: str) -> Command:
    """On one backend: what the database does here is tested elsewhere."""
    return Command(migrated_sqlite_url)


@pytest.fixture
def chat(run: Command) -> str:
    return run.text("create", "--id", "s", "--model", "gpt-4o")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("text", "1 so far, last: Why?"),
        ("full", "rich"),
        ("pieces", "one two"),
        ("waiting", "waited"),
        ("waiting_pieces", "three four"),
    ],
)
def test_a_function_answers(run: Command, chat: str, function: str, expected: str) -> None:
    assert expected == run.text("query", "Why?", "--session-id", chat, "--responder", f"answers:{function}")
    assert [("user", "Why?"), ("assistant", expected)] == conversation(run, chat)


def test_what_a_function_knows_is_recorded(run: Command, chat: str) -> None:
    answered = run.json("query", "Why?", "--session-id", chat, "--responder", "answers:full")
    expected = {
        "payload": {"plan": [1]}, "input_tokens": 8, "output_tokens": 3, "cost": "0.01", "duration_ms": 5,
        "model_id": "gpt-5",
    }  # fmt: skip
    assert expected == {name: answered["answer"][name] for name in expected}
    assert ("s", "Why?") == (answered["session_id"], answered["question"]["content"])


def test_time_and_model_are_recorded_by_themselves(run: Command, chat: str) -> None:
    answer = run.json("query", "Why?", "--session-id", chat, "--responder", "answers:text")["answer"]
    assert "gpt-4o" == answer["model_id"]
    assert 0 <= answer["duration_ms"] < 60_000


def test_the_responder_sees_the_conversation_behind_its_prompt(run: Command) -> None:
    run.text("create", "--id", "s", "--system-prompt", "Be brief.")
    for text in ("one", "two"):
        run.text("add", "s", "user", text)
    ask = ("query", "three", "--session-id", "s", "--responder", "answers:prompted")
    assert "0 system Be brief. | 1 user one | 2 user two | 3 user three" == run.text(*ask)
    assert "0 system Be brief. | 5 user three" == run.text(*ask, "--last", "1")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("breaks", "RuntimeError: no\\x1b[31m key"),
        ("leaves", "SystemExit: 3"),
        ("nothing", "not NoneType"),
        ("empty", "the answer is empty"),
        ("misspelt", "tokens: is not a known name"),
        ("missing", "no attribute 'missing'"),
    ],
)
def test_the_question_is_kept_when_the_responder_fails(run: Command, chat: str, function: str, reason: str) -> None:
    error = run.error("query", "Why?", "--session-id", chat, "--responder", f"answers:{function}")
    assert error.startswith("chatledger: the responder failed: ")
    assert reason in error
    assert "the question is kept as message 1 of session 's'" in error
    assert [("user", "Why?")] == conversation(run, chat)


def test_half_an_answer_is_kept_with_its_outcome(run: Command, chat: str) -> None:
    result = run("query", "Why?", "--session-id", chat, "--responder", "answers:breaks_late")
    assert (1, "half\n") == (result.exit_code, result.stdout)
    assert "RuntimeError: gone; the question is kept as message 1 of session 's', and what came of" in result.stderr
    assert "the answer as message 2: leave out the text to try again" in result.stderr
    assert ("half", "error", "gpt-4o") == kept(run, chat)


def test_half_an_answer_is_kept_whatever_is_printed(run: Command, chat: str) -> None:
    assert 1 == run("query", "Why?", "--session-id", chat, "--responder", "answers:breaks_late", "--json").exit_code
    assert ("half", "error", "gpt-4o") == kept(run, chat)


def test_an_interrupted_responder_leaves_the_question(run: Command, chat: str) -> None:
    error = run.error("query", "Why?", "--session-id", chat, "--responder", "answers:interrupted", code=130)
    assert "chatledger: interrupted; the question is kept as message 1 of session 's'" == error
    assert [("user", "Why?")] == conversation(run, chat)


@pytest.mark.parametrize(
    ("function", "code", "word"), [("interrupted_late", 130, "interrupted"), ("terminated_late", 143, "terminated")]
)
def test_what_came_before_a_signal_is_kept(run: Command, chat: str, function: str, code: int, word: str) -> None:
    with terminable():
        result = run("query", "Why?", "--session-id", chat, "--responder", f"answers:{function}")
    assert (code, "so far\n") == (result.exit_code, result.stdout)
    assert result.stderr.startswith(f"chatledger: {word}; the question is kept as message 1")
    assert ("so far", "interrupted", "gpt-4o") == kept(run, chat)


def test_an_answer_ends_before_what_cannot_be_stored(run: Command, chat: str) -> None:
    result = run("query", "Why?", "--session-id", chat, "--exec", "printf 'a\\000b'")
    assert (1, "a\\x00b\n") == (result.exit_code, result.stdout)
    assert "holds a NUL character" in result.stderr
    assert ("a", "error", "gpt-4o") == kept(run, chat)


def test_a_broken_answer_is_tried_again_without_the_text(run: Command, chat: str) -> None:
    for function in ("breaks_late", "interrupted_late"):
        run("query", "Why?", "--session-id", chat, "--responder", f"answers:{function}", "--key", "k")
    again = ("query", "--session-id", chat, "--responder", "answers:text")
    assert "1 so far, last: Why?" == run.text(*again)
    assert ["Why?", "half", "so far", "1 so far, last: Why?"] == [text for _, text in conversation(run, chat)]
    assert "nothing waits for an answer" in run.error(*again)
    # The next responder sees the answer that was given in the end.
    prompted = run.text("query", "And?", "--session-id", chat, "--responder", "answers:prompted")
    assert "1 user Why? | 4 assistant 1 so far, last: Why? | 5 user And?" == prompted


def test_an_answer_whose_reader_has_left_is_recorded(run: Command, chat: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("chatledger.cli.output.screen.Screen.flush", leave)
    run("query", "Why?", "--session-id", chat, "--responder", "answers:pieces")
    assert ("one two", "complete", "gpt-4o") == kept(run, chat)


def test_without_a_text_the_waiting_question_is_answered(run: Command, chat: str) -> None:
    run.error("query", "Why?", "--session-id", chat, "--responder", "answers:breaks")
    again = ("query", "--session-id", chat, "--responder", "answers:text")
    assert "1 so far, last: Why?" == run.text(*again)
    assert [("user", "Why?"), ("assistant", "1 so far, last: Why?")] == conversation(run, chat)
    assert "nothing waits for an answer" in run.error(*again)


def test_a_key_asks_once(run: Command, chat: str) -> None:
    ask = ("query", "Why?", "--session-id", chat, "--key", "k", "--responder")
    run.error(*ask, "answers:breaks")
    assert ["1 so far, last: Why?"] * 2 == [run.text(*ask, "answers:text") for _ in range(2)]
    assert [("user", "Why?"), ("assistant", "1 so far, last: Why?")] == conversation(run, chat)
    assert 1 == len(sys.modules["answers"].calls)
    assert "use a new key" in run.error("query", "How?", *ask[2:], "answers:text")


def test_without_a_session_one_is_begun(run: Command) -> None:
    result = run("query", "Why?", "--responder", "answers:text", "--user-id", "ada")
    (session,) = run.json("list", "--user-id", "ada")["items"]
    assert (0, f"chatledger: session {session['session_id']}\n") == (
        result.exit_code,
        result.stderr.replace("noise\n", ""),
    )
    assert 2 == session["message_count"]


def test_a_new_session_may_have_an_id(run: Command) -> None:
    run.text("query", "Why?", "--new", "--session-id", "mine", "--responder", "answers:text")
    assert 2 == len(conversation(run, "mine"))
    assert "exists already" in run.error(
        "query", "Why?", "--new", "--session-id", "mine", "--responder", "answers:text"
    )


def test_a_command_answers(run: Command, chat: str) -> None:
    script = "import json, sys; print([m['content'] for m in json.load(sys.stdin)])"
    command = shlex.join([sys.executable, "-c", script])
    run.text("add", chat, "assistant", "Ask me.", "--payload", "{}")
    assert "['Ask me.', 'Wärum?']" == run.text("query", "Wärum?", "--session-id", chat, "--exec", command)


def test_a_command_is_told_of_all_there_is(run: Command, chat: str) -> None:
    run.text(
        "add", chat, "tool", "21", "--payload", "[21]", "--name", "sum", "--tool-call-id", "c", "--metadata", "a=1"
    )
    told = json.loads(run.text("query", "Why?", "--session-id", chat, "--exec", "cat"))
    assert [(1, "tool"), (2, "user")] == [(turn["sequence_number"], turn["role"]) for turn in told]
    assert ([21], "sum", "c", {"a": 1}) == tuple(
        told[0][name] for name in ("payload", "name", "tool_call_id", "metadata")
    )


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("false", "'false' exited with 1"),
        ("no-such-command-here", "cannot be run: No such file or directory"),
        ("true", "'true' answered nothing"),
        ("printf '\\377'", "not UTF-8"),
        ("sh -c 'kill -9 $$'", "was ended by signal 9"),
    ],
)
def test_the_question_is_kept_when_a_command_fails(run: Command, chat: str, command: str, reason: str) -> None:
    assert reason in run.error("query", "Why?", "--session-id", chat, "--exec", command)
    assert [("user", "Why?")] == conversation(run, chat)


def test_a_command_is_stopped_in_time(run: Command, chat: str) -> None:
    error = run.error("query", "Why?", "--session-id", chat, "--exec", "sleep 30", "--timeout", "0.2")
    assert "'sleep' did not answer within 0.2 seconds" in error
    result = run("query", "--session-id", chat, "--exec", "sh -c 'echo Begun; sleep 30'", "--timeout", "0.2")
    assert (1, "Begun\n") == (result.exit_code, result.stdout)
    assert ("Begun", "interrupted", "gpt-4o") == kept(run, chat)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--session-id", "s"),
        ("--session-id", "s", "--exec", "cat", "--responder", "answers:text"),
        ("--session-id", "s", "--responder", "answers"),
        ("--session-id", "s", "--responder", "answers:text", "--timeout", "1"),
        ("--session-id", "s", "--exec", "'"),
        ("--key", "k", "--exec", "cat"),
    ],
)
def test_misuse_records_nothing(run: Command, chat: str, wrong: tuple[str, ...]) -> None:
    assert 2 == run("query", "Why?", *wrong).exit_code
    assert [] == conversation(run, chat)


def test_an_unknown_session_is_one_line(run: Command) -> None:
    error = run.error("query", "Why?", "--session-id", "nope", "--responder", "answers:text")
    assert "chatledger: no session 'nope'" == error


def kept(run: Command, session_id: str) -> tuple[str, str | None, str | None]:
    """The text, the outcome and the model of the last message."""
    message = json.loads(run.text("history", session_id, "--last", "1", "--json"))
    return message["content"], message["outcome"], message["model_id"]


def conversation(run: Command, session_id: str) -> list[tuple[str, str]]:
    lines = run.text("history", session_id, "--json").splitlines()
    return [(message["role"], message["content"]) for message in map(json.loads, lines)]
