"""A real server in a process of its own: clients that leave, a kill, and a crowd."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatledger import Ledger, Message
from tests.docs.pages import ROOT
from tests.web.events import read_events


@contextmanager
def served(url: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server on a database: its URL and its process."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(256)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.web.serving", str(listening.fileno())],
            cwd=ROOT,
            env={**os.environ, "CHATLEDGER_URL": url},
            pass_fds=[listening.fileno()],
        )
        try:
            # Connections wait in the queue of the socket until the server is there.
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", process
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def sqlite_server(migrated_sqlite_url: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with served(migrated_sqlite_url) as found:
        yield found


@pytest.fixture
def server(url: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with served(url) as found:
        yield found


def browser(base: str) -> Any:
    import httpx2

    return httpx2.Client(base_url=base, timeout=60, headers={"x-user": "ada"}, trust_env=False)


def read_two_pieces(client: Any, session_id: str, leave: Callable[[], object]) -> None:
    """Ask what is never answered in full, and do something in the middle of the answer."""
    with client.stream("POST", f"/sessions/{session_id}/answer", json={"content": "hang"}) as response:
        events = read_events(response.iter_lines())
        names = [next(events)[0] for _ in range(3)]
        assert ["question", "delta", "delta"] == names
        leave()


def messages_of(ledger: Ledger, session_id: str) -> list[Message]:
    return ledger.view(lambda uow: uow.messages.history(session_id))


def last_message(ledger: Ledger, session_id: str) -> Message:
    return messages_of(ledger, session_id)[-1]


def test_a_client_that_leaves_interrupts_the_answer(sqlite_server: Any, migrated_sqlite_url: str) -> None:
    base, process = sqlite_server
    ledger = Ledger(migrated_sqlite_url)
    with browser(base) as client:
        client.post("/sessions", json={"session_id": "s"})
        read_two_pieces(client, "s", leave=lambda: None)
    give_up = time.monotonic() + 60
    while (last := last_message(ledger, "s")).outcome == "streaming":
        assert time.monotonic() < give_up, "the answer is still being written"
        time.sleep(0.02)
    assert ("Lisbon", "interrupted") == (last.content, last.outcome)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) in (0, -signal.SIGTERM)
    ledger.close()


def test_what_was_stored_of_an_answer_outlives_a_kill(server: Any, ledger: Ledger) -> None:
    base, process = server
    with browser(base) as client:
        client.post("/sessions", json={"session_id": "s"})

        def kill() -> None:
            process.kill()
            process.wait()

        read_two_pieces(client, "s", leave=kill)
    last = last_message(ledger, "s")
    assert ("streaming", True) == (last.outcome, last.content in ("Lis", "Lisbon"))
    ledger.sweep(now=datetime.now(UTC) + timedelta(minutes=5))
    last = last_message(ledger, "s")
    assert ("interrupted", True) == (last.outcome, last.content.startswith("Lis"))


def ask_together(base: str, count: int, question: str) -> list[str]:
    """The last event of as many answers, all of which are under way at the same time."""
    import httpx2

    async def ask(client: Any, number: int) -> str:
        created = await client.post("/sessions", json={"session_id": f"s{number}"})
        assert created.status_code in (201, 409)
        body = {"content": question, "key": question}
        response = await client.post(f"/sessions/s{number}/answer", json=body)
        *_, (name, _) = read_events(response.text.splitlines())
        return name

    async def together() -> list[str]:
        limits = httpx2.Limits(max_connections=count)
        options: dict[str, Any] = {"timeout": 300, "limits": limits, "headers": {"x-user": "ada"}, "trust_env": False}
        async with httpx2.AsyncClient(base_url=base, **options) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(count)))

    return asyncio.run(together())


def check_answers(ledger: Ledger, count: int, rounds: int) -> None:
    for number in range(count):
        found = messages_of(ledger, f"s{number}")
        answers = [(one.sequence_number, one.content, one.outcome) for one in found if one.role == "assistant"]
        assert [(2 * turn, "Lisbon", "complete") for turn in range(1, rounds + 1)] == answers
    assert not ledger.check().findings


def test_many_answers_stream_at_once(server: Any, ledger: Ledger) -> None:
    """More than the pool has connections: no transaction is open while a model thinks."""
    base, _ = server
    assert {"done"} == set(ask_together(base, 40, "crowd 40"))
    check_answers(ledger, 40, 1)


@pytest.mark.soak
def test_a_hundred_answers_stream_at_once_again_and_again(server: Any, ledger: Ledger) -> None:
    base, _ = server
    for turn in range(10):
        assert {"done"} == set(ask_together(base, 100, f"crowd 100 {turn}"))
    check_answers(ledger, 100, 10)


@pytest.mark.soak
def test_servers_are_killed_in_the_middle_of_a_hundred_answers(url: str, ledger: Ledger) -> None:
    import httpx2

    for turn in range(8):
        with served(url) as (base, process):

            async def ask(client: Any, number: int, killed: asyncio.Event, turn: int = turn) -> None:
                await client.post("/sessions", json={"session_id": f"s{number}"})
                try:
                    path = f"/sessions/s{number}/answer"
                    async with client.stream("POST", path, json={"content": "hang", "key": f"{turn}"}) as response:
                        async for line in response.aiter_lines():
                            if line == "event: delta":
                                killed.set()
                except httpx2.HTTPError:
                    pass

            async def crowd(base: str = base, process: Any = process) -> None:
                killed = asyncio.Event()
                async with httpx2.AsyncClient(base_url=base, timeout=60, headers={"x-user": "ada"}) as client:
                    asking = [asyncio.create_task(ask(client, number, killed)) for number in range(100)]
                    await killed.wait()
                    process.kill()
                    await asyncio.gather(*asking, return_exceptions=True)

            asyncio.run(crowd())
        ledger.sweep(now=datetime.now(UTC) + timedelta(minutes=5))
        assert not ledger.check().findings
    for number in range(100):
        for message in messages_of(ledger, f"s{number}"):
            if message.role == "assistant":
                assert ("interrupted", True) == (message.outcome, message.content.startswith("Lis"))
