"""The server as an agent meets it, with the client of the SDK."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import chatledger
from chatledger import InvalidInput, Ledger

pytest.importorskip("mcp", reason="needs the extra mcp")

from mcp import Client, StdioServerParameters, stdio_client

from chatledger.mcp.server import server_of, with_token

READING = ["search_conversations", "read_conversation", "read_message", "list_conversations", "usage"]


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    with ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada", title="Trip")
        uow.messages.append("s", "user", "night train")
    return ledger


def asked(server: Any, *calls: tuple[str, dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """The tools, and the answers to calls."""

    async def ask() -> tuple[list[Any], list[Any]]:
        async with Client(server) as client:
            tools = (await client.list_tools()).tools
            return tools, [await client.call_tool(name, arguments) for name, arguments in calls]

    return asyncio.run(ask())


def test_tools_are_described_and_only_notes_write(filled: Ledger) -> None:
    tools, _ = asked(server_of(filled))
    assert READING == [tool.name for tool in tools]
    assert all(tool.description and tool.annotations.read_only_hint for tool in tools)
    assert {"query", "session_id", "project_id", "since", "until", "limit", "page"} == set(
        tools[0].input_schema["properties"]
    )
    tools, _ = asked(server_of(filled, write=True))
    assert [*READING, "append_note"] == [tool.name for tool in tools]
    assert not tools[-1].annotations.read_only_hint


def test_calls_are_answered_with_json_and_errors_in_words(filled: Ledger) -> None:
    _, (found, wrong, gone, refused) = asked(
        server_of(filled),
        ("search_conversations", {"query": "night"}),
        ("search_conversations", {"query": "night", "since": "soon"}),
        ("read_conversation", {"session_id": "nobody"}),
        ("append_note", {"text": "x"}),
    )
    assert "night train" == json.loads(found.content[0].text)["hits"][0]["snippet"].replace("*", "")
    assert [True, True, True] == [answer.is_error for answer in (wrong, gone, refused)]
    assert "since: is not a time" in wrong.content[0].text
    assert "nobody" in gone.content[0].text


def test_a_user_sees_their_own(filled: Ledger) -> None:
    _, (answer,) = asked(server_of(filled.for_user("bob")), ("list_conversations", {}))
    assert [] == json.loads(answer.content[0].text)["conversations"]


def test_the_command_speaks_over_standard_input(url: str, filled: Ledger, tmp_path: Path) -> None:
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "chatledger", "--db", url, "mcp", "--user-id", "ada", "--write"],
        env={**os.environ, "PYTHONPATH": str(Path(chatledger.__file__).parents[1])}, cwd=tmp_path,
    )  # fmt: skip
    tools, (answer,) = asked(stdio_client(command), ("append_note", {"text": "window seats"}))
    assert 6 == len(tools)
    assert {"session_id": "agent-notes:ada", "number": 1} == json.loads(answer.content[0].text)
    with filled.read() as uow:
        assert 1 == uow.sessions.get("agent-notes:ada").message_count


@pytest.mark.parametrize(
    ("header", "status"), [(None, 401), ("Bearer wrong", 401), ("Bearer long-enough-for-a-token", 200)]
)
def test_a_token_is_needed(header: str | None, status: int) -> None:
    sent: list[dict[str, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    headers = [] if header is None else [(b"authorization", header.encode())]
    guarded = with_token(application, "long-enough-for-a-token")  # type: ignore[arg-type]  # any ASGI application
    asyncio.run(guarded({"type": "http", "headers": headers}, None, send))
    assert status == sent[0]["status"]


def test_a_short_token_is_refused() -> None:
    with pytest.raises(InvalidInput, match="16 characters"):
        with_token(None, "short")  # type: ignore[arg-type]  # not looked at
