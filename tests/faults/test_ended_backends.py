"""A server that ends connections under load loses nothing that was acknowledged, and doubles nothing that has a key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress

import psycopg
import pytest

from chatledger import BatchItem, BatchResult, Busy, Ledger, Unavailable, UnitOfWork
from tests.faults.truth import numbered_messages
from tests.support.raw import Raw

_END_ALL = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@pytest.mark.parametrize("seconds", [2.0, pytest.param(60.0, marks=pytest.mark.soak)])
def test_acknowledged_messages_are_there_exactly_once(
    migrated_postgres_url: str, seconds: float, record_property: Callable[[str, object], None]
) -> None:
    url = migrated_postgres_url
    acknowledged: list[tuple[int, str]] = []
    uncertain = 0
    strangers: list[BaseException] = []
    stop = threading.Event()
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))

        def write(name: str) -> None:
            nonlocal uncertain
            number = 0
            while not stop.is_set():
                text = f"{name} {number}"

                def work(uow: UnitOfWork, text: str = text) -> int:
                    return uow.messages.append("s", "user", text, key=text, input_tokens=1).sequence_number

                while True:
                    try:
                        acknowledged.append((ledger.run(work), text))
                        break
                    except (Busy, Unavailable):
                        uncertain += 1  # with its key it can be sent again
                    except BaseException as error:  # noqa: BLE001 - shown by the test
                        strangers.append(error)
                        return
                number += 1

        threads = [threading.Thread(target=write, args=(f"thread {each}",)) for each in range(4)]
        for thread in threads:
            thread.start()
        ended = 0
        with psycopg.connect(url, autocommit=True) as connection:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                time.sleep(0.15)
                row = connection.execute(_END_ALL).fetchone()
                ended += row[0] if row else 0
        stop.set()
        for thread in threads:
            thread.join(30)
        assert [] == strangers
        assert ended > 10
        began = time.monotonic()
        ledger.run(lambda uow: uow.messages.append("s", "user", "afterwards", input_tokens=1))
        assert time.monotonic() - began < 10
        assert 0 == ledger.pool_status()["in_use"]
    stored = numbered_messages(url, "s")
    texts = list(stored.values())
    assert len(set(texts)) == len(texts)
    assert all(stored[number] == text for number, text in acknowledged)
    assert len(acknowledged) + 1 == len(stored)
    record_property("connections ended", ended)
    record_property("acknowledged", len(acknowledged))


def test_a_pool_that_slept_through_it_is_not_poisoned(migrated_postgres_url: str) -> None:
    url = migrated_postgres_url
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        held = [ledger.read() for _ in range(4)]
        for block in held:
            block.__enter__()
        for block in held:
            block.__exit__(None, None, None)
        assert 4 == ledger.pool_status()["idle"]
        Raw(url)(_END_ALL)
        for number in range(6):
            assert number + 1 == ledger.run(lambda uow: uow.messages.append("s", "user", "x")).sequence_number


def test_after_a_rest_not_even_a_plain_block_notices(migrated_postgres_url: str) -> None:
    url = migrated_postgres_url
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        Raw(url)(_END_ALL)
        time.sleep(1.1)
        with ledger.begin() as uow:
            uow.messages.append("s", "user", "x")


def test_a_connection_that_ends_inside_a_block_undoes_the_block(migrated_postgres_url: str) -> None:
    url = migrated_postgres_url
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        with pytest.raises(Unavailable) as caught, ledger.begin() as uow:  # noqa: PT012 - the whole block is undone
            uow.messages.append("s", "user", "never a walrus")
            Raw(url)(_END_ALL)
            uow.messages.append("s", "user", "nor this")
        assert "walrus" not in repr(caught.value)
        assert caught.value.__cause__ is None
        with ledger.read() as uow:
            assert [] == uow.messages.history("s")
        assert 0 == ledger.pool_status()["in_use"]


def test_a_batch_goes_on_when_its_connection_ends_while_a_result_is_recorded(migrated_postgres_url: str) -> None:
    ended: list[int] = []

    def worker(item: BatchItem) -> BatchResult:
        def record(uow: UnitOfWork) -> str:
            session = uow.sessions.create(title=item.key)
            if not ended:
                ended.append(1)
                Raw(migrated_postgres_url)(_END_ALL)
                with suppress(Exception):  # a worker that hides what happened
                    uow.sessions.get(session.session_id)
            return session.session_id

        return BatchResult(1, record)

    with closing(Ledger(migrated_postgres_url)) as ledger:
        with ledger.begin() as uow:
            uow.batches.create("job", [{"key": str(n)} for n in range(5)], max_attempts=1)
        done = ledger.run_batch("job", worker)
        assert (5, 0) == (done.done, done.failed)
        with ledger.read() as uow:
            assert 5 == len(uow.sessions.list())
