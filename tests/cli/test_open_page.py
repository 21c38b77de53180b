"""open: the address of a conversation, in the browser."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Iterator

import pytest

from chatledger import Ledger
from chatledger.cli.serving.serve import TOKEN
from tests.cli.conftest import Command
from tests.support.once import ONE_DATABASE


@pytest.fixture(autouse=True)
def _without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the browser was asked for."""
    found: list[str] = []

    def note(address: str) -> bool:
        found.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", note)
    return found


@pytest.fixture
def session_id(ledger: Ledger) -> str:
    with ledger.begin() as uow:
        uow.sessions.create("a/b?c", user_id="bob")
        uow.messages.append("a/b?c", "user", "Hi")
    return "a/b?c"


@pytest.fixture
def port() -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield str(listening.getsockname()[1])


def test_a_conversation_or_a_message_is_opened(run: Command, session_id: str, port: str, opened: list[str]) -> None:
    for arguments in ([session_id], [session_id, "1"]):
        assert run.text("open", *arguments, "--port", port) == opened[-1]
    page = f"http://127.0.0.1:{port}/session/a%2Fb%3Fc"
    assert [page, f"{page}?around=1#m1"] == opened


@ONE_DATABASE
def test_it_may_only_be_printed(run: Command, session_id: str, opened: list[str]) -> None:
    assert "http://127.0.0.1:8765/session/a%2Fb%3Fc" == run.text("open", session_id, "--print")
    assert [] == opened


@ONE_DATABASE
def test_a_server_that_is_not_there_is_said(run: Command, session_id: str, opened: list[str]) -> None:
    with socket.socket() as closed:  # bound, and not listening
        closed.bind(("127.0.0.1", 0))
        port = str(closed.getsockname()[1])
        assert f"nothing is served at port {port}: run `chatledger serve`" in run.error(
            "open", session_id, "--port", port
        )
    assert [] == opened


@ONE_DATABASE
def test_without_a_browser_the_address_is_there_all_the_same(
    run: Command, session_id: str, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda address: not address)
    result = run("open", session_id, "--port", port)
    assert (0, f"http://127.0.0.1:{port}/session/a%2Fb%3Fc\n") == (result.exit_code, result.stdout)
    assert "no browser was found" in result.stderr


def test_what_is_not_there_is_refused(run: Command, session_id: str) -> None:
    assert "no session 'x'" in run.error("open", "x", "--print")
    assert "no session 'a/b?c'" in run.error("open", session_id, "--print", "--user-id", "ada")
    assert "message 2" in run.error("open", session_id, "2", "--print")
