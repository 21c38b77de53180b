"""A lock that somebody else holds: shorter than our patience we wait, longer it is `Busy`, in time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from chatledger import AsyncLedger, Busy, Ledger, NestedWrite, PoolExhausted, Settings
from tests.faults.truth import numbered_messages
from tests.support.flavors import open_ledger

_PATIENCE = 0.5


@pytest.fixture
def impatient(url: str) -> Iterator[Ledger]:
    with closing(Ledger(url, settings=Settings(busy_timeout=_PATIENCE))) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        yield ledger


@contextmanager
def locked(url: str, seconds: float) -> Iterator[None]:
    """Somebody else, who knows nothing of us, holds what an append needs, for so many seconds."""
    import sqlite3  # noqa: PLC0415

    held = threading.Event()

    def hold() -> None:
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
                file.execute("BEGIN IMMEDIATE")
                held.set()
                time.sleep(seconds)
                file.execute("ROLLBACK")
        else:
            with psycopg.connect(url) as server:
                server.execute("SELECT * FROM chatledger_sessions WHERE session_id = 's' FOR UPDATE")
                held.set()
                time.sleep(seconds)
                server.rollback()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(5)
    try:
        yield
    finally:
        thread.join()


def test_a_short_lock_is_waited_for(impatient: Ledger, url: str) -> None:
    with locked(url, 0.25), impatient.begin() as uow:
        assert 1 == uow.messages.append("s", "user", "x").sequence_number


def test_a_long_lock_is_busy_within_twice_the_timeout(impatient: Ledger, url: str) -> None:
    with locked(url, 1.6):
        began = time.monotonic()
        with pytest.raises(Busy), impatient.begin() as uow:
            uow.messages.append("s", "user", "x")
        assert 0.8 * _PATIENCE < time.monotonic() - began < 2 * _PATIENCE + 1
    assert {} == numbered_messages(url, "s")
    assert 0 == impatient.pool_status()["in_use"]
    assert 1 == impatient.run(lambda uow: uow.messages.append("s", "user", "x")).sequence_number


def test_readers_do_not_wait_for_a_lock(impatient: Ledger, url: str) -> None:
    with locked(url, 1.5):
        began = time.monotonic()
        with impatient.read() as uow:
            uow.sessions.get("s")
            uow.messages.history("s")
        assert time.monotonic() - began < 1


def test_run_outlasts_a_lock_that_one_attempt_does_not(impatient: Ledger, url: str) -> None:
    with locked(url, 1.2 * _PATIENCE):
        done = impatient.run(lambda uow: uow.messages.append("s", "user", "x", key="k"))
    assert 1 == done.sequence_number
    assert 1 == len(numbered_messages(url, "s"))


def test_another_thread_of_ours_that_writes_for_long_is_busy_in_time(impatient: Ledger, url: str) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with impatient.begin() as uow:
            uow.messages.append("s", "user", "held")
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(5)
    began = time.monotonic()
    with pytest.raises(Busy), impatient.begin() as uow:
        uow.messages.append("s", "user", "x")
    waited = time.monotonic() - began
    leave.set()
    thread.join()
    assert 0.8 * _PATIENCE < waited < 2 * _PATIENCE + 1
    assert {1: "held"} == numbered_messages(url, "s")


@pytest.mark.parametrize("how", ["begin", "run"])
def test_a_writing_block_inside_another_is_refused_at_once(flavor: str, url: str, how: str) -> None:
    with open_ledger(flavor, url, settings=Settings(busy_timeout=20)) as any_ledger:
        any_ledger.run(lambda uow: uow.sessions.create("s"))
        if flavor == "sync":
            with any_ledger.begin() as uow:
                began = time.monotonic()
                with pytest.raises(NestedWrite, match="inside"):
                    _write(any_ledger, how)
                assert time.monotonic() - began < 10
                uow.messages.append("s", "user", "outer")
        else:
            asyncio.run(_nested(url, how))
        _write(any_ledger, how)
        with any_ledger.read(), any_ledger.read() as reading:  # reading inside is no matter
            assert 1 == reading.sessions.get("s").message_count


def test_a_block_that_is_left_in_another_thread_hinders_no_later_one(url: str) -> None:
    """As frameworks do, which run each part of a request in some thread of a pool."""
    with Ledger(url, settings=Settings(busy_timeout=5)) as ledger:
        block = ledger.begin()
        block.__enter__().sessions.create("s")
        thread = threading.Thread(target=block.__exit__, args=(None, None, None))
        thread.start()
        thread.join()
        ledger.run(lambda uow: uow.messages.append("s", "user", "after"))


def _write(any_ledger: Ledger, how: str) -> None:
    if how == "run":
        any_ledger.run(lambda uow: None)
    else:
        with any_ledger.begin():
            pass


async def _nested(url: str, how: str) -> None:
    async with AsyncLedger(url, settings=Settings(busy_timeout=20)) as ledger, ledger.begin() as uow:
        began = time.monotonic()
        with pytest.raises(NestedWrite):
            await (ledger.run(lambda uow: None) if how == "run" else ledger.begin().__aenter__())
        assert time.monotonic() - began < 10
        await uow.messages.append("s", "user", "outer")


def test_waits_for_a_connection_do_not_add_up_and_no_writer_is_blamed(url: str) -> None:
    settings = Settings(pool_size=1, max_overflow=0, pool_timeout=1, busy_timeout=2)
    waits: list[float] = []
    errors: list[Exception] = []

    def write(ledger: Ledger) -> None:
        began = time.monotonic()
        try:
            with ledger.begin():
                pass
        except Busy as error:
            errors.append(error)
        waits.append(time.monotonic() - began)

    with closing(Ledger(url, settings=settings)) as ledger:
        with ledger.read():
            threads = [threading.Thread(target=write, args=(ledger,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert [PoolExhausted] * 4 == [type(error) for error in errors]
        assert max(waits) < 3.5
        write(ledger)
        assert 4 == len(errors)


def test_a_held_lock_is_no_exhausted_pool(migrated_sqlite_url: str) -> None:
    with closing(Ledger(migrated_sqlite_url, settings=Settings(busy_timeout=0.3))) as ledger, ledger.begin():
        caught: list[Exception] = []

        def write() -> None:
            try:
                with ledger.begin():
                    pass
            except Busy as error:
                caught.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert [Busy] == [type(error) for error in caught]


def test_a_migration_waits_for_a_writer(impatient: Ledger, url: str) -> None:
    impatient.downgrade("0003")
    with locked(url, 0.4):
        impatient.upgrade()
    assert impatient.check()
