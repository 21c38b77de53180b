"""The examples run, on both databases, and a second time on what the first has left."""

from __future__ import annotations

import io
import runpy
import sys
from pathlib import Path

import pytest

from chatledger import Ledger
from tests.docs.pages import ROOT
from tests.support import model_server

EXAMPLES = ROOT / "examples"

SAYS = {
    "chat_loop.py": ["You have said 2 thing(s); the last was 'And then?'.", ": 4 messages"],
    "agent_with_tools.py": ["2 call get_weather({'city': 'Lisbon'})", "4 messages, 214 tokens, $0.0002875"],
    "web_app.py": [
        "said by two users at once: 40",
        "again: 200",
        "ada reads hers: 200 20",
        "lin reads ada's: 404",
        ": 422",
    ],
    "retention.py": [
        "warned: 'Trip' reaches its idle limit at 09:30",
        "warned 2, idle 0, archived 0",
        "warned 0, idle 2, archived 0",
        "03 May 09:32 warned 0, idle 0, archived 1\nthe guest: reopened, message 3",
        "rehearsed: 1\npurged 1 session with 3 messages\nnot erased: 1 session is held",
        "left of the guest: 0",
    ],
    "own_tables.py": ["declined: neither", "1 booking and 1 message"],
}
"""What each prints, in part."""


CLIENTS = {
    "openai_client.py": ("openai", ["user", "assistant", "tool", "assistant"]),
    "anthropic_client.py": ("anthropic", ["user", "assistant", "tool", "assistant"]),
    "litellm_client.py": ("litellm", ["user", "assistant"]),
}
"""Clients of models, which are run against a server of ours where they are installed, and the roles of what is stored."""


class Runner:
    """Runs an example as its own program would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, name: str, *arguments: str) -> str:
        self._monkeypatch.setattr(sys, "argv", [name, *arguments])
        self._monkeypatch.setattr(sys, "stdin", io.StringIO("Hello\nAnd then?\n"))
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return self._capsys.readouterr().out


@pytest.fixture
def runner(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(monkeypatch, capsys)


def test_every_example_is_run_and_named() -> None:
    files = {path.name for path in EXAMPLES.glob("*.py")}
    assert {*SAYS, *CLIENTS, "move.py"} == files
    assert [] == [name for name in sorted(files) if f"({name})" not in (EXAMPLES / "README.md").read_text("utf-8")]


@pytest.mark.parametrize("name", sorted(SAYS))
def test_an_example_does_what_it_says(runner: Runner, empty_url: str, name: str) -> None:
    for _ in range(2):
        said = runner.run(name, empty_url)
        assert [] == [part for part in SAYS[name] if part not in said]


@pytest.mark.filterwarnings("ignore")  # what the clients say of each other
@pytest.mark.parametrize("name", sorted(CLIENTS))
def test_a_client_of_models_is_stored_and_sent_what_was_said(
    runner: Runner, empty_url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, roles = CLIENTS[name]
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    pytest.importorskip(client)
    with model_server.running() as server:
        for provider, path in (("OPENAI", "/v1"), ("ANTHROPIC", "")):
            monkeypatch.setenv(f"{provider}_API_KEY", "none")
            monkeypatch.setenv(f"{provider}_BASE_URL", server.url + path)
        said = runner.run(name, empty_url)
    assert said.endswith(f"{''.join(model_server.PIECES)} (complete, 18 tokens)\n{roles}\n")
    # The last request repeats what was stored before it, the tool's result included.
    messages = server.asked[-1]["messages"]
    assert "What should I pack for Lisbon?" in str(messages[0])
    if "tool" in roles:
        assert "get_weather" in str(messages[1])
        assert "21 °C and dry in Lisbon" in str(messages[2])
    with Ledger(empty_url) as ledger, ledger.read() as uow:
        (chat,) = uow.sessions.list()
        assert len(roles) == chat.message_count
        assert 89 * (len(roles) // 2) == chat.total_tokens


def test_an_example_needs_no_argument(runner: Runner, folder: Path) -> None:
    runner.run("chat_loop.py")
    assert (folder / "example.db").is_file()


def test_conversations_move_to_another_database(runner: Runner, empty_url: str) -> None:
    runner.run("agent_with_tools.py", "example.db")
    assert "1 sessions: 1 moved, 0 there already\nthe same in both: True" in runner.run(
        "move.py", "example.db", empty_url
    )
    assert "1 sessions: 0 moved, 1 there already\nthe same in both: True" in runner.run(
        "move.py", "example.db", empty_url
    )
