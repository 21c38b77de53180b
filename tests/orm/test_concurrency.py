"""Threads that write through the ORM lose no number, wait for each other, and do not deadlock."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine, event, insert
from sqlalchemy.orm import Session as OrmSession

from chatledger import Ledger
from chatledger.models import Message, Session
from tests.orm.conftest import stored

_THREADS = 8


def crowd(work: Callable[[int], None]) -> None:
    """Run something in eight threads; the first error is raised."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for outcome in [pool.submit(work, number) for number in range(_THREADS)]:
            outcome.result()


def test_one_session_is_numbered_without_a_gap(ledger: Ledger) -> None:
    with ledger.orm() as session:
        session.add(Session(session_id="s"))
        session.commit()

    def write(thread: int) -> None:
        with ledger.orm() as session:
            for number in range(10):
                session.add(Message(session_id="s", role="user", content=f"{thread} {number}"))
                session.commit()
                session.execute(insert(Message), [{"session_id": "s", "role": "user"}] * 2)
                session.commit()
                ledger_number = ledger.run(lambda uow: uow.messages.append("s", "user")).sequence_number
                assert ledger_number > number

    crowd(write)
    assert list(range(1, _THREADS * 40 + 1)) == [message.sequence_number for message in stored(ledger, "s")]
    assert 0 == ledger.pool_status()["in_use"]


def test_reading_first_does_not_make_a_writer_stale(ledger: Ledger) -> None:
    with ledger.orm() as session:
        session.add(Session(session_id="s", context={"n": 0}))
        session.commit()

    def write(_thread: int) -> None:
        for _ in range(10):
            with ledger.orm() as session, session.begin():
                chat = session.get_one(Session, "s", with_for_update=True)
                chat.context = {"n": chat.context["n"] + 1}
                session.add(Message(session=chat, role="user"))

    crowd(write)
    assert _THREADS * 10 == len(stored(ledger, "s"))
    with ledger.read() as uow:
        assert {"n": _THREADS * 10} == uow.sessions.get("s").context


def test_flushes_over_many_sessions_in_any_order_do_not_deadlock(ledger: Ledger) -> None:
    names = [f"s{number}" for number in range(6)]
    with ledger.orm() as session:
        session.add_all(Session(session_id=name) for name in names)
        session.commit()

    def write(thread: int) -> None:
        shuffled = random.Random(thread)
        for _ in range(6):
            with ledger.orm() as session:
                for name in shuffled.sample(names, 6):
                    # Rows that are unlike cannot be inserted by one statement.
                    session.add(Message(session_id=name, role="user", sequence_number=None))
                    session.add(Message(session_id=name, role="user", payload={"a": 1}, tokens_used=1))
                session.commit()

    crowd(write)
    for name in names:
        assert list(range(1, _THREADS * 12 + 1)) == [message.sequence_number for message in stored(ledger, name)]


def test_flushes_that_insert_update_and_delete_in_many_sessions_do_not_deadlock(ledger: Ledger) -> None:
    names = [f"s{number}" for number in range(4)]
    with ledger.orm() as session:
        rows = [Message(role="user", content=str(number)) for number in range(4 * _THREADS * 2 * 4)]
        per = len(rows) // 4
        session.add_all(
            Session(session_id=name, messages=rows[per * place : per * (place + 1)]) for place, name in enumerate(names)
        )
        session.commit()

    def write(thread: int) -> None:
        shuffled = random.Random(thread)
        for turn in range(4):
            first, second, third, fourth = shuffled.sample(names, 4)
            number = 1 + thread * 8 + turn * 2
            # One flush: locks of several flushes in a transaction are taken in the order of the flushes.
            with ledger.orm() as session, session.no_autoflush:
                session.get_one(Session, first).title = f"{thread} {turn}"
                session.add(Message(session_id=second, role="user", content="new"))
                session.get_one(Message, (third, number)).content = "changed"
                session.delete(session.get_one(Message, (fourth, number + 1)))
                session.commit()

    crowd(write)
    assert () == ledger.check().findings


def test_an_application_that_begins_its_transactions_as_a_writer(application: Engine, ledger: Ledger) -> None:
    if application.dialect.name == "sqlite":

        @event.listens_for(application, "connect")
        def connect(connection: object, _record: object) -> None:
            connection.isolation_level = None  # type: ignore[attr-defined]  # sqlite3's

        @event.listens_for(application, "begin")
        def begin(connection: object) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]  # SQLAlchemy's

    ledger.run(lambda uow: uow.sessions.create("s"))

    def write(_thread: int) -> None:
        for _ in range(5):
            with OrmSession(application) as session:
                session.add(Message(session_id="s", role="user"))
                session.commit()

    crowd(write)
    assert list(range(1, _THREADS * 5 + 1)) == [message.sequence_number for message in stored(ledger, "s")]
