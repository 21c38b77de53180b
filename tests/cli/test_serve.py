"""`chatledger serve`: who may reach the pages, and who writes. The pages themselves are tested in tests/web."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from chatledger import Ledger
from tests.cli.conftest import Command

Visit = Callable[[Any], None]


@pytest.fixture
def serve(run: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`serve(visit, …)` runs the command, calls `visit` with a client while it listens, and returns what it reports."""
    for name in ("fastapi", "httpx2", "nh3", "uvicorn"):
        pytest.importorskip(name)
    import uvicorn  # noqa: PLC0415 - an extra
    from fastapi.testclient import TestClient  # noqa: PLC0415 - an extra

    def called(visit: Visit, *arguments: str) -> str:
        visited = []

        def run_(server: Any, sockets: Any) -> None:
            (socket,) = sockets
            visit(TestClient(server.config.app, base_url=f"http://127.0.0.1:{socket.getsockname()[1]}"))
            visited.append(server)
            socket.close()

        monkeypatch.setattr(uvicorn.Server, "run", run_)
        result = run("serve", "--port", "0", *arguments)
        assert (0, 1) == (result.exit_code, len(visited)), result.output
        return result.stderr

    return called


@pytest.fixture(autouse=True)
def trip(url: str) -> Iterator[Ledger]:
    """The ledger that is served, with a conversation of Ada."""
    with closing(Ledger(url)) as ledger:
        ledger.create(session_id="trip", title="Trip", user_id="ada")
        yield ledger


def title_of(ledger: Ledger) -> str | None:
    return ledger.view(lambda uow: uow.sessions.get("trip")).title


def rename(client: Any) -> Any:
    """Fill in the form of the page, and send it."""
    text = client.get("/session/trip").text
    found = re.search(r'name="form_token" value="([^"]+)"', text)
    fields = {"action": "rename", "title": "After", "form_token": found[1] if found else ""}
    return client.post("/session/trip", data=fields)


def test_pages_on_this_machine_change_nothing_and_need_no_token(serve: Callable[..., str], trip: Ledger) -> None:
    def visit(client: Any) -> None:
        assert 200 == client.get("/session/trip").status_code
        assert 405 == rename(client).status_code
        assert 400 == client.get("/", headers={"host": "evil.example"}).status_code

    assert re.fullmatch(r"chatledger: showing http://127\.0\.0\.1:\d+/, until Ctrl-C\n", serve(visit))
    assert "Trip" == title_of(trip)


@pytest.mark.parametrize("user", [(), ("--user-id", "ada")], ids=["everybody", "ada"])
def test_forms_write_in_the_name_of_the_actor(serve: Callable[..., str], trip: Ledger, user: tuple[str, ...]) -> None:
    def visit(client: Any) -> None:
        assert 200 == rename(client).status_code
        text = client.get("/session/trip").text
        found = re.search(r'name="form_token" value="([^"]+)"', text)
        assert found
        fields = {"action": "hold", "reason": "court", "form_token": found[1]}
        assert 200 == client.post("/session/trip", data=fields).status_code

    serve(visit, "--write", "--actor", "eve", *user)
    assert "After" == title_of(trip)
    entries = trip.view(lambda uow: uow.audit.list(session_id="trip").items)
    assert ["eve"] == [one.actor for one in entries if one.reason == "court"]


def test_another_users_conversation_cannot_be_reached(serve: Callable[..., str], trip: Ledger) -> None:
    def visit(client: Any) -> None:
        assert 404 == client.get("/session/trip").status_code
        assert 403 == rename(client).status_code

    serve(visit, "--write", "--actor", "eve", "--user-id", "bob")
    assert "Trip" == title_of(trip)


@pytest.mark.parametrize(
    ("host", "given"),
    [("0.0.0.0", None), ("0.0.0.0", "a-secret-of-one's-own&"), ("127.0.0.1", "a-secret-of-one's-own&")],
)
def test_another_address_needs_a_token_and_this_machine_if_one_is_set(
    serve: Callable[..., str], host: str, given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given:
        monkeypatch.setenv("CHATLEDGER_WEB_TOKEN", given)
    pages: list[Any] = []

    def visit(client: Any) -> None:
        assert [401, 401] == [client.get(page).status_code for page in ("/", "/session/trip?token=x")]
        assert 401 == client.post("/session/trip", data={"action": "delete", "confirm": "delete"}).status_code
        pages.append(client)

    reported = serve(visit, "--host", host, "--write")
    found = re.fullmatch(rf"chatledger: showing http://{re.escape(host)}:\d+(/\?token=(\S+)), until Ctrl-C\n", reported)
    assert found
    assert len(found[2]) >= 20
    (client,) = pages
    # The ledger is closed by now; what asks for the token is in front of it.
    assert 303 == client.get(found[1], follow_redirects=False).status_code
