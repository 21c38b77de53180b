"""Readers see one moment, are not delayed by writers, and a poller misses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from chatledger import Ledger
from tests.engine.test_threads import at_once


def test_a_reader_is_not_delayed_by_a_writer_and_sees_the_moment_before(ledger: Ledger) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))
    with ledger.begin() as writer:
        writer.messages.append("s", "user", "not yet")
        began = time.monotonic()
        with ledger.read() as reader:
            assert [] == reader.messages.history("s")
            assert 0 == reader.sessions.get("s").message_count
            assert not list(reader.search.messages("yet"))
        assert time.monotonic() - began < 5
    with ledger.read() as reader:
        assert 1 == len(reader.messages.history("s"))


def test_a_reading_block_sees_the_moment_at_which_it_was_entered(ledger: Ledger) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))
    with ledger.read() as reader:
        ledger.run(lambda uow: uow.messages.append("s", "user", "later"))
        if ledger.engine.dialect.name == "sqlite":
            assert [] == reader.messages.history("s")
        first = len(reader.messages.history("s"))
        ledger.run(lambda uow: uow.messages.append("s", "user", "later still"))
        assert first == len(reader.messages.history("s"))
        assert first == reader.sessions.get("s").message_count


@pytest.mark.parametrize("seconds", [1.0, pytest.param(20.0, marks=pytest.mark.soak)])
def test_a_poller_sees_every_message_always_a_prefix(
    url: str, seconds: float, record_property: Callable[[str, object], None]
) -> None:
    stop = threading.Event()
    seen: list[int] = []
    polls = 0
    written = [0] * 4
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))

        def work(thread: int) -> None:
            nonlocal polls
            if thread == 4:
                while not stop.is_set():
                    with ledger.read() as uow:
                        fresh = uow.messages.history("s", after=seen[-1] if seen else 0)
                        assert (seen[-1] if seen else 0) + len(fresh) == uow.sessions.get("s").message_count
                    seen.extend(message.sequence_number for message in fresh)
                    polls += 1
                return
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                with ledger.begin() as uow:
                    if written[thread] % 5 == 4:
                        uow.messages.append_many("s", [{"role": "user", "content": "b"}] * 3)
                        written[thread] += 3
                    else:
                        uow.messages.append("s", "user", "a")
                        written[thread] += 1
            if thread == 0:
                stop.set()

        at_once(5, work)
        with ledger.read() as uow:
            seen += [message.sequence_number for message in uow.messages.history("s", after=seen[-1] if seen else 0)]
    assert list(range(1, sum(written) + 1)) == seen
    assert polls > 3
    record_property("polls", polls)
    record_property("messages", len(seen))
