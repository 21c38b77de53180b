"""Threads of one process write to one ledger: nothing lost, doubled or skipped, and nobody starves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from chatledger import Ledger, Settings
from tests.faults.truth import numbered_messages, require_sound


def at_once(count: int, work: Callable[[int], object]) -> None:
    """Run a function in so many threads that begin together; the first error is raised."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> None:
        barrier.wait(10)
        work(number)

    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(begin, number) for number in range(count)]:
            done.result(60)


def test_five_threads_of_ten_messages_are_fifty(ledger: Ledger, url: str) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))

    def write(thread: int) -> None:
        for number in range(10):
            with ledger.begin() as uow:
                uow.messages.append("s", "user", f"{thread} {number}")

    at_once(5, write)
    stored = numbered_messages(url, "s")
    assert 50 == len(stored)
    for thread in range(5):
        mine = [text for text in stored.values() if text.startswith(f"{thread} ")]
        assert [f"{thread} {number}" for number in range(10)] == mine
    require_sound(url)


@pytest.mark.parametrize(
    ("threads", "each"), [(16, 50), pytest.param(16, 500, marks=pytest.mark.soak)], ids=["16x50", "16x500"]
)
@pytest.mark.parametrize("spread", ["one session", "many sessions"])
def test_sixteen_threads(
    url: str, threads: int, each: int, spread: str, record_property: Callable[[str, object], None]
) -> None:
    sessions = ["s0"] if spread == "one session" else [f"s{number}" for number in range(7)]
    longest = [0.0] * threads
    with closing(Ledger(url)) as ledger:
        for session in sessions:
            ledger.run(lambda uow, session=session: uow.sessions.create(session))  # type: ignore[misc]

        def write(thread: int) -> None:
            for number in range(each):
                session = sessions[(thread + number) % len(sessions)]
                began = time.monotonic()
                with ledger.begin() as uow:
                    uow.messages.append(session, "user", f"{thread} {number}", input_tokens=1)
                longest[thread] = max(longest[thread], time.monotonic() - began)

        at_once(threads, write)
    assert threads * each == sum(len(set(numbered_messages(url, session).values())) for session in sessions)
    assert max(longest) < 8
    record_property("acknowledged", threads * each)
    record_property("longest wait", max(longest))
    require_sound(url)


def test_turns_are_shared_evenly(url: str) -> None:
    counts = [0] * 8
    with closing(Ledger(url)) as ledger:
        for number in range(8):
            ledger.run(lambda uow, name=f"s{number}": uow.sessions.create(name))  # type: ignore[misc]
        # The first round warms connections and statements up.
        deadline = time.monotonic() + 1.8
        warm = time.monotonic() + 0.4

        def write(thread: int) -> None:
            while (now := time.monotonic()) < deadline:
                with ledger.begin() as uow:
                    uow.messages.append(f"s{thread}", "user", "x")
                counts[thread] += now > warm

        at_once(8, write)
    # SQLite has the ledger's own queue; which backend of a server runs, a busy machine decides.
    assert min(counts) >= (0.3 if url.startswith("sqlite") else 0.1) * max(counts), counts


def test_whole_transactions_of_threads_do_not_mix(ledger: Ledger, url: str) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))

    def write(thread: int) -> None:
        for _ in range(5):
            with ledger.begin() as uow:
                for place in range(4):
                    uow.messages.append("s", "user", f"{thread} {place}")

    at_once(6, write)
    texts = list(numbered_messages(url, "s").values())
    assert 120 == len(texts)
    for start in range(0, 120, 4):
        thread = texts[start].split()[0]
        assert [f"{thread} {place}" for place in range(4)] == texts[start : start + 4]


def test_transactions_that_are_undone_leave_no_gap(ledger: Ledger, url: str) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))

    def write(thread: int) -> None:
        for number in range(12):
            try:
                with ledger.begin() as uow:
                    uow.messages.append("s", "user", f"{thread} {number}")
                    if number % 3 == 0:
                        raise KeyError
            except KeyError:
                pass

    at_once(6, write)
    assert 48 == len(numbered_messages(url, "s"))


def test_the_same_key_from_many_threads_is_one_message(ledger: Ledger, url: str) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))
    numbers: list[int] = []

    def write(_thread: int) -> None:
        for number in range(5):
            done = ledger.run(lambda uow, key=f"k{number}": uow.messages.append("s", "user", "same", key=key))  # type: ignore[misc]
            numbers.append(done.sequence_number)

    at_once(8, write)
    assert 5 == len(numbered_messages(url, "s"))
    assert [1, 2, 3, 4, 5] == sorted(set(numbers))
    assert 40 == len(numbers)


def test_more_threads_than_connections_wait_and_succeed(url: str) -> None:
    with closing(Ledger(url, settings=Settings(pool_size=2, max_overflow=0))) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        at_once(12, lambda thread: ledger.run(lambda uow: uow.messages.append("s", "user", str(thread))))
        assert 12 == len(numbered_messages(url, "s"))
        assert 0 == ledger.pool_status()["in_use"]
