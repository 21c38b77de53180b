"""A message that is written while it is generated is never lost, and says how it ended."""

# What breaks in the middle of a block is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from chatledger import (
    AsyncLedger,
    InvalidInput,
    KeyReused,
    Ledger,
    Message,
    MessageChanged,
    MessageNotFound,
    Outcome,
    SessionClosed,
    SessionNotFound,
)
from tests.support.clock import StoppedClock
from tests.support.raw import Raw


@pytest.fixture
def talk(ledger: Ledger) -> Ledger:
    ledger.run(lambda uow: uow.sessions.create("s", user_id="ada", model_id="m"))
    return ledger


def history(ledger: Ledger, **bounds: Any) -> list[Message]:
    return ledger.view(lambda uow: uow.messages.history("s", **bounds))


def said(ledger: Ledger) -> list[tuple[str, str | None]]:
    return [(one.content, None if one.outcome is None else one.outcome.value) for one in history(ledger)]


def hits(ledger: Ledger, words: str) -> int:
    return len(ledger.view(lambda uow: uow.search.messages(words)).items)


def test_a_row_grows_and_is_found_at_its_end(talk: Ledger, raw: Raw) -> None:
    with talk.stream("s", "assistant", save_every=0, model_id="m", payload={"a": 1}) as reply:
        assert (None, None, []) == (reply.sequence_number, reply.message, history(talk))
        for piece, so_far in (("night ", "night "), ("", "night "), ("otter", "night otter")):
            reply.write(piece)
            assert [(so_far, "streaming")] == said(talk)
        assert 1 == reply.sequence_number
        assert 0 == hits(talk, "otter")
        assert talk.check().ok
        reply.set(output_tokens=7, payload={"b": 2}, cost="0.5")
    stored = reply.message
    assert [stored] == history(talk)
    assert stored is not None
    assert ("night otter", Outcome.COMPLETE, {"b": 2}, 7) == (
        stored.content, stored.outcome, stored.payload, stored.output_tokens,
    )  # fmt: skip
    assert stored.duration_ms is not None
    assert 1 == hits(talk, "otter")
    session = talk.view(lambda uow: uow.sessions.get("s"))
    assert (1, 7, "0.5") == (session.message_count, session.total_tokens, f"{session.total_cost.normalize():f}")
    assert [(None,)] == raw("SELECT streaming_until FROM chatledger_messages")
    assert () == talk.check().findings


def test_pieces_are_saved_once_in_a_while(talk: Ledger) -> None:
    with talk.stream("s", save_every=3600) as reply:
        for number in range(50):
            reply.write(f"{number} ")
        assert [("0 ", "streaming")] == said(talk)
        assert reply.text.endswith("49 ")
    assert [(reply.text, "complete")] == said(talk)


def test_an_exception_is_an_error_and_what_was_said_is_kept(talk: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), talk.stream("s", save_every=3600) as reply:
        reply.write("one ")
        reply.write("two")
        raise ZeroDivisionError
    assert [("one two", "error")] == said(talk)
    assert 1 == hits(talk, "two")


def test_a_generator_that_is_closed_is_interrupted(talk: Ledger) -> None:
    def answer() -> Iterator[str]:
        with talk.stream("s", save_every=3600) as reply:
            for piece in ("one ", "two ", "three"):
                reply.write(piece)
                yield piece

    pieces = answer()
    assert ["one ", "two "] == [next(pieces), next(pieces)]
    pieces.close()  # type: ignore[attr-defined]  # the client has left
    assert [("one two ", "interrupted")] == said(talk)


def test_a_stream_can_be_interrupted_and_ends_once(talk: Ledger) -> None:
    with talk.stream("s") as reply:
        reply.write("half")
        reply.interrupt()
        with pytest.raises(InvalidInput, match="after the end"):
            reply.write("more")
    assert [("half", "interrupted")] == said(talk)


def test_a_stream_without_a_piece(talk: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), talk.stream("s"):
        raise ZeroDivisionError
    assert [] == said(talk)
    with talk.stream("s") as reply:
        reply.set(payload={"tool_calls": []})
    assert [("", "complete")] == said(talk)
    assert {"tool_calls": []} == history(talk)[0].payload


def test_unfinished_messages_can_be_left_out(talk: Ledger) -> None:
    talk.run(lambda uow: uow.messages.append_many("s", [{"role": "user", "outcome": one} for one in (None, *Outcome)]))
    assert [None, Outcome.COMPLETE] == [message.outcome for message in history(talk, include_unfinished=False)]
    assert [Outcome.COMPLETE] == [message.outcome for message in history(talk, include_unfinished=False, last=1)]
    assert 5 == len(history(talk))


def test_what_the_session_refuses_is_raised(talk: Ledger) -> None:
    with pytest.raises(SessionNotFound), talk.for_user("lin").stream("s") as reply:
        reply.write("x")
    with pytest.raises(SessionClosed), talk.stream("s", save_every=0) as reply:
        reply.write("kept ")
        talk.run(lambda uow: uow.sessions.archive("s"))
        reply.write("lost")
    assert [("kept ", "streaming")] == said(talk)
    talk.run(lambda uow: uow.sessions.reopen("s"))
    with pytest.raises(MessageNotFound), talk.stream("s", save_every=0) as reply:
        reply.write("x")
        talk.run(lambda uow: uow.messages.pop("s"))
        reply.write("y")
    with pytest.raises(MessageChanged), talk.stream("s", save_every=0) as reply:
        reply.write("x")
        talk.run(lambda uow: uow.messages.update("s", 3, content="edited", outcome="complete"))
        reply.write("y")
    assert [("kept ", "streaming"), ("edited", "complete")] == said(talk)


def test_a_stream_that_is_not_valid_is_refused_at_once(talk: Ledger) -> None:
    refused: list[tuple[str, dict[str, Any]]] = [
        ("role", {"role": "wizard"}), ("content", {"content": "x"}), ("nonsense", {"nonsense": 1}),
        ("outcome", {"outcome": "error"}), ("save_every", {"save_every": "often"}), ("lease", {"lease": 0}),
        ("input_tokens", {"input_tokens": -1}), ("session_id", {"session_id": 5}),
    ]  # fmt: skip
    for field, arguments in refused:
        with pytest.raises(InvalidInput) as caught:
            talk.stream(**{"session_id": "s", **arguments})
        assert field == caught.value.field
    with talk.stream("s") as reply:
        for field, fields in (("key", {"key": "k"}), ("nonsense", {"nonsense": 1}), ("cost", {"cost": "dear"})):
            with pytest.raises(InvalidInput) as caught:
                reply.set(**fields)
            assert field == caught.value.field
        for piece in (5, "\x00", "\ud800"):
            with pytest.raises(InvalidInput):
                reply.write(piece)  # type: ignore[arg-type]  # wrong on purpose
        reply.write("fine")
    assert [("fine", "complete")] == said(talk)


def test_a_second_try_under_the_same_key_writes_the_same_message(talk: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), talk.stream("s", key="answer", payload={"try": 1}) as reply:
        reply.write("first")
        raise ZeroDivisionError
    with talk.stream("s", key="answer") as reply:
        reply.write("second")
    assert (1, [("second", "complete")]) == (reply.sequence_number, said(talk))
    with pytest.raises(KeyReused), talk.stream("s", key="answer") as reply:
        reply.write("third")
    assert [("second", "complete")] == said(talk)
    assert () == talk.check().findings


def test_writing_is_activity_and_an_abandoned_stream_is_swept(url: str, raw: Raw, clock: StoppedClock) -> None:
    with Ledger(url, clock=clock) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s", user_id="ada", idle_timeout=3 * 3600))
        reply = ledger.stream("s", save_every=0, lease=60)
        reply.write("one ")
        clock.advance(hours=2)
        reply.write("two ")
        clock.advance(hours=2)
        assert (0, 1) == ((report := ledger.sweep(dry_run=True)).idled, report.interrupted)
        assert [("one two ", "streaming")] == said(ledger)
        assert 0 == ledger.for_user("lin").sweep().interrupted
        assert (0, 1) == ((report := ledger.sweep()).idled, report.interrupted)
        assert [("one two ", "interrupted")] == said(ledger)
        assert 0 == ledger.sweep().interrupted
        assert 1 == hits(ledger, "two")
        # The writer was only slow.
        reply.write("three")
        assert [("one two three", "streaming")] == said(ledger)
        clock.advance(seconds=59)
        assert 0 == ledger.sweep().interrupted
        with ledger.begin() as uow:
            uow.sessions.fork("s", new_session_id="fork")
            clock.advance(seconds=2)
            assert 2 == uow.timeouts.sweep().interrupted
        assert () == ledger.check().findings


_KILLED = """
import os, signal, sys
from chatledger import Ledger
ledger = Ledger(sys.argv[1])
with ledger.stream("s", save_every=0) as reply:
    reply.write("one ")
    reply.write("two")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_saved_outlives_a_killed_process(talk: Ledger, url: str) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, url], check=False, timeout=60)
    assert -9 == killed.returncode
    assert [("one two", "streaming")] == said(talk)
    later = talk.clock() + timedelta(seconds=61)
    assert 1 == talk.sweep(now=later).interrupted
    assert [("one two", "interrupted")] == said(talk)


def test_streams_are_awaited(talk: Ledger, url: str) -> None:
    async def answer(ledger: AsyncLedger) -> AsyncIterator[str]:
        async with ledger.stream("s", save_every=0) as reply:
            for piece in ("one ", "two ", "three"):
                await reply.write(piece)
                yield piece
            reply.set(output_tokens=3)

    async def cut_off(ledger: AsyncLedger, started: asyncio.Event) -> None:
        async with ledger.stream("s", save_every=3600) as reply:
            await reply.write("begun ")
            await reply.write("and cut off")
            started.set()
            await asyncio.sleep(3600)

    async def main() -> None:
        async with AsyncLedger(url) as ledger:
            assert ["one ", "two ", "three"] == [piece async for piece in answer(ledger)]
            task = asyncio.create_task(cut_off(ledger, started := asyncio.Event()))
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            closed = answer(ledger)
            await anext(closed)
            await closed.aclose()  # type: ignore[attr-defined]
            with pytest.raises(ZeroDivisionError):
                async with ledger.stream("s") as reply:
                    await reply.write("failed")
                    raise ZeroDivisionError
            async with ledger.stream("s") as reply:
                await reply.write("stopped")
                await reply.interrupt()
            assert (reply.text, reply.sequence_number) == ("stopped", 5)
            assert reply.message is not None

    asyncio.run(main())
    assert [
        ("one two three", "complete"), ("begun and cut off", "interrupted"), ("one ", "interrupted"), ("failed", "error"),
        ("stopped", "interrupted"),
    ] == said(talk)  # fmt: skip
