"""What `ledger.append` and its like send, wait for and do when the database is busy, lost or asked by somebody else."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, event

from chatledger import (
    AsyncLedger,
    Busy,
    CommitUnknown,
    Ledger,
    LedgerClosed,
    NestedWrite,
    SequenceConflict,
    SessionNotFound,
    Settings,
)
from chatledger.dialects.sqlite.connection import borrowed
from chatledger.ledger.user_ledger import UserLedger
from chatledger.observers import Observer
from tests.support.flavors import open_ledger
from tests.support.once import ONE_FLAVOR
from tests.support.raw import Raw
from tests.support.statements import counted_statements
from tests.support.traffic import traffic

CALLS: dict[str, Callable[[UserLedger, str], Any]] = {
    "append": lambda ledger, _: ledger.append("s", "user", "x", payload={"a": 1}),
    "append with a key": lambda ledger, new: ledger.append("s", "user", key=new),
    "append of tokens": lambda ledger, _: ledger.append("s", "assistant", input_tokens=70_000, output_tokens=1),
    "append_many of 1": lambda ledger, _: ledger.append_many("s", [{"role": "user"}]),
    "create": lambda ledger, new: ledger.create(new, user_id="ada", title="Trip"),
    "history": lambda ledger, _: ledger.history("s"),
    "last 20": lambda ledger, _: ledger.history("s", last=20),
}
"""What is one statement, and one round trip."""


@pytest.fixture
def ledger_with_session(any_ledger: Ledger) -> Ledger:
    any_ledger.create("s", user_id="ada")
    any_ledger.append("s", "user", "first", key="first")
    return any_ledger


def test_a_call_is_one_statement_and_one_round_trip(ledger: Ledger) -> None:
    ledger.run(lambda uow: uow.sessions.create("s", user_id="ada"))  # the first write switches a new file to WAL
    ledger.append("s", "user")
    sent = {}
    for user, limited in (("everybody", ledger), ("ada", ledger.for_user("ada"))):
        for name, call in CALLS.items():
            with traffic(ledger) as seen:
                call(limited, f"{name} of {user}")
            sent[name, user] = len(seen)
    assert dict.fromkeys(sent, 1) == sent


def test_a_hot_append_is_still_one_round_trip_whatever_the_size_of_its_numbers(migrated_postgres_url: str) -> None:
    with Ledger(migrated_postgres_url) as ledger:
        ledger.create("s")
        for _ in range(7):  # the driver prepares it
            ledger.append("s", "assistant", input_tokens=1)
        with traffic(ledger) as sent:
            for count in (1, 40_000, 10**10):
                ledger.append("s", "assistant", input_tokens=count, output_tokens=count)
    assert 3 == len(sent)


@ONE_FLAVOR  # the tasks of the other one are at the end
def test_inside_a_writing_block_it_is_refused_at_once(ledger_with_session: Ledger) -> None:
    any_ledger = ledger_with_session
    with any_ledger.begin() as uow:
        for call in (
            lambda: any_ledger.append("s", "user"),
            lambda: any_ledger.append_many("s", [{"role": "user"}]),
            lambda: any_ledger.append_many("s", [{"role": "user"}] * 2),
            lambda: any_ledger.create(),
        ):
            with pytest.raises(NestedWrite):
                call()
        uow.messages.append("s", "user", "second")
        assert 1 == len(any_ledger.history("s"))  # what is committed
    assert 2 == len(any_ledger.history("s"))


def test_reading_blocks_hinder_nobody(ledger_with_session: Ledger) -> None:
    with ledger_with_session.read() as uow:
        assert 1 == len(uow.messages.history("s"))
        ledger_with_session.append("s", "user")
        assert 1 == len(uow.messages.history("s"))
    assert 2 == len(ledger_with_session.history("s"))


def test_a_closed_ledger_is_refused(any_ledger: Ledger) -> None:
    any_ledger.close()
    with pytest.raises(LedgerClosed):
        any_ledger.append("s", "user")


def test_it_waits_no_longer_than_the_settings_say(url: str, flavor: str) -> None:
    settings = Settings(busy_timeout=0.2)
    with open_ledger(flavor, url, settings=settings) as any_ledger, Ledger(url) as other:
        any_ledger.create("s")
        held, over = threading.Event(), threading.Event()

        def hold() -> None:
            with other.begin() as uow:
                uow.messages.append("s", "user")
                held.set()
                over.wait()

        with ThreadPoolExecutor() as pool:
            future = pool.submit(hold)
            held.wait()
            try:
                with pytest.raises(Busy):
                    any_ledger.append("s", "user")
            finally:
                over.set()
            future.result()
        assert 2 == any_ledger.append("s", "user").sequence_number


def test_threads_share_one_sequence(ledger: Ledger) -> None:
    ledger.create("s")
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: ledger.append("s", "user").sequence_number, range(80)))
    assert list(range(1, 81)) == sorted(numbers)
    assert 80 == ledger.run(lambda uow: uow.sessions.get("s")).message_count
    assert 0 == ledger.pool_status()["in_use"]


class Notes(Observer):
    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def transaction(self, mode: str, outcome: str, waited: float, seconds: float) -> None:
        assert waited >= 0 <= seconds
        self.seen.append((mode, outcome))

    def appended(self, messages: int) -> None:
        self.seen.append(("appended", messages))


def test_an_observer_is_notified_as_of_a_unit_of_work(ledger_with_session: Ledger) -> None:
    any_ledger, notes = ledger_with_session, Notes()
    any_ledger.observe(notes)

    def noted(act: Callable[[], object]) -> list[tuple[Any, ...]]:
        notes.seen.clear()
        try:
            act()
        except Exception as error:  # noqa: BLE001 - which one is compared
            notes.seen.append((type(error),))
        return list(notes.seen)

    pairs: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (lambda: any_ledger.append("s", "user"), lambda: any_ledger.run(lambda uow: uow.messages.append("s", "user"))),
        (lambda: any_ledger.append("?", "user"), lambda: any_ledger.run(lambda uow: uow.messages.append("?", "user"))),
        (lambda: any_ledger.create(), lambda: any_ledger.run(lambda uow: uow.sessions.create())),
        (lambda: any_ledger.history("s"), lambda: any_ledger.view(lambda uow: uow.messages.history("s"))),
        (
            lambda: any_ledger.append("s", "user", "first", key="first"),
            lambda: any_ledger.run(lambda uow: uow.messages.append("s", "user", "first", key="first")),
        ),
    ]
    for direct, by_hand in pairs:
        expected = noted(by_hand)
        assert expected
        assert expected == noted(direct)


def test_whoever_listens_to_statements_sees_them(ledger_with_session: Ledger) -> None:
    with counted_statements() as seen:
        ledger_with_session.append("s", "user")
        ledger_with_session.history("s")
    assert 2 == len(seen)


def test_whoever_listens_to_the_pool_sees_each_connection_go_and_come(ledger: Ledger) -> None:
    ledger.create("s")
    ledger.append("s", "user")  # the first on a new file is a unit of work
    seen: list[str] = []
    for name in ("checkout", "checkin"):
        event.listen(ledger.engine, name, lambda *_, name=name: seen.append(name))
    ledger.append("s", "user")
    ledger.history("s")
    assert ["checkout", "checkin"] * 2 == seen


def test_calls_that_fail_give_their_connection_back(url: str) -> None:
    with closing(Ledger(url, settings=Settings(pool_size=1, max_overflow=1, pool_timeout=0.3))) as ledger:
        ledger.create("s")
        for _ in range(5):
            ledger.append("s", "user")
            with pytest.raises(SessionNotFound):
                ledger.append("nobody", "user")
            with pytest.raises(SequenceConflict):
                ledger.append("s", "user", expected_sequence=1)
            with pytest.raises(SessionNotFound):
                ledger.history("nobody")
        status = ledger.pool_status()
        assert (0, 1) == (status["in_use"], status["open"])
        with ledger.read(), ledger.read():
            pass


def test_a_connection_that_was_interrupted_in_a_transaction_is_rolled_back(migrated_sqlite_url: str) -> None:
    with closing(Ledger(migrated_sqlite_url)) as ledger:
        ledger.create("s")
        connection = borrowed(ledger.engine)
        connection.dbapi_connection.execute("BEGIN IMMEDIATE")
        connection.dbapi_connection.execute("UPDATE chatledger_sessions SET title = 'lost'")
        connection.close()
        assert 0 == ledger.pool_status()["in_use"]
        assert ledger.append("s", "user").sequence_number == 1
        with ledger.read() as uow:
            assert uow.sessions.get("s").title is None


def test_an_application_s_engine_is_used_as_by_a_unit_of_work(url: str, raw: Raw) -> None:
    engine = create_engine(url)
    with Ledger(engine=engine) as ledger:
        ledger.create("s")
        assert 1 == ledger.append("s", "user").sequence_number
        assert 1 == len(ledger.history("s"))
    assert 1 == raw.count("chatledger_messages")
    engine.dispose()


def end_backends(connection: psycopg.Connection[Any], condition: str) -> None:
    """End the server processes of the database that meet a condition, once there are some, and wait until they are gone."""
    mine = f"datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
    while not (ended := connection.execute(f"SELECT pid FROM pg_stat_activity WHERE {mine}").fetchall()):
        time.sleep(0.001)
    for (process,) in ended:
        connection.execute("SELECT pg_terminate_backend(%s)", [process])
        while connection.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [process]).fetchall():
            time.sleep(0.001)


def test_a_connection_that_was_ended_while_it_rested_costs_nothing(migrated_postgres_url: str) -> None:
    with Ledger(migrated_postgres_url) as ledger, psycopg.connect(migrated_postgres_url, autocommit=True) as other:
        ledger.create("s")
        for number in range(3):
            end_backends(other, "application_name = 'chatledger'")
            assert number + 1 == ledger.append("s", "user").sequence_number
            end_backends(other, "application_name = 'chatledger'")
            assert number + 1 == len(ledger.history("s"))


def test_a_connection_that_is_lost_on_the_way_is_told_unless_there_is_a_key(migrated_postgres_url: str) -> None:
    settings = Settings(busy_timeout=20)
    with (
        Ledger(migrated_postgres_url, settings=settings) as ledger,
        psycopg.connect(migrated_postgres_url, autocommit=True) as other,
    ):
        ledger.create("s")

        def lose(act: Callable[[], Any]) -> Any:
            """Call a function whose statement waits for a lock, and end its connection meanwhile."""
            with ThreadPoolExecutor() as pool:
                with other.transaction():
                    other.execute("SELECT FROM chatledger_sessions FOR UPDATE")
                    future = pool.submit(act)
                    with psycopg.connect(migrated_postgres_url, autocommit=True) as third:
                        end_backends(third, "wait_event_type = 'Lock'")
                return future.result()

        with pytest.raises(CommitUnknown):
            lose(lambda: ledger.append("s", "user", "lost"))
        assert 1 == lose(lambda: ledger.append("s", "user", "kept", key="k")).sequence_number
        assert ["kept"] == [message.content for message in ledger.history("s")]
        assert 0 == ledger.pool_status()["in_use"]


def test_tasks_may_not_write_inside_their_own_blocks(url: str) -> None:
    async def tasks() -> None:
        async with AsyncLedger(url) as ledger:
            await ledger.create("s")
            async with ledger.begin() as uow:
                for call in (ledger.append("s", "user"), ledger.append_many("s", []), ledger.create("t")):
                    with pytest.raises(NestedWrite):
                        await call
                await uow.messages.append("s", "user")
                assert [] == await ledger.history("s")
            assert 2 == (await ledger.append("s", "user")).sequence_number

    asyncio.run(tasks())


def test_a_cancelled_task_waits_for_its_append_and_tries_nothing_again(url: str) -> None:
    async def tasks() -> None:
        async with AsyncLedger(url, settings=Settings(busy_timeout=0.3)) as ledger:
            await ledger.create("s")
            async with ledger.begin() as uow:
                await uow.messages.append("s", "user")
                task = asyncio.create_task(ledger.append("s", "user"))
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert 1 == len(await ledger.history("s"))

    asyncio.run(tasks())
