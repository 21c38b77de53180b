"""What is deleted between two statements of a method, or while one waits for it, is not found: no other error.

Only on a server: SQLite has one writer at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from chatledger import Ledger, MessageNotFound, NotFound, SessionNotFound, Settings, UnitOfWork

Act = Callable[[UnitOfWork], Any]


@contextmanager
def _before_statement(ledger: Ledger, number: int, act: Callable[[], None]) -> Iterator[None]:
    """Do something in another transaction before a statement of this ledger's next transaction."""
    count = 0

    def look(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == number:
            act()

    event.listen(ledger._database.engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(ledger._database.engine, "before_cursor_execute", look)
    assert count >= number, "the method has fewer statements by now"


@pytest.fixture
def other(migrated_postgres_url: str) -> Iterator[Ledger]:
    with Ledger(migrated_postgres_url, settings=Settings(busy_timeout=5)) as other:
        yield other


@pytest.fixture
def ledger(migrated_postgres_url: str) -> Iterator[Ledger]:
    with Ledger(migrated_postgres_url, settings=Settings(busy_timeout=5)) as ledger:
        with ledger.begin() as uow:
            uow.sessions.create("s", metadata={"k": 1})
            uow.messages.append_many("s", [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
            uow.snapshots.take("s")
            uow.comparisons.create("group", variants=["a"])
            uow.batches.create("job", [{"key": "i", "payload": 1}])
        yield ledger


def _is_refused_and_goes_on(ledger: Ledger, act: Act, error: type[NotFound]) -> None:
    """The transaction is not lost with what was not found."""
    with ledger.begin() as uow:
        with pytest.raises(error):
            act(uow)
        uow.sessions.create("after")


@pytest.mark.parametrize(
    ("act", "meanwhile", "error"),
    [
        (lambda uow: uow.messages.redact("s", 2), lambda uow: uow.messages.pop("s"), MessageNotFound),
        (lambda uow: uow.messages.redact("s", 2), lambda uow: uow.messages.clear("s"), MessageNotFound),
        (lambda uow: uow.messages.redact("s", 2), lambda uow: uow.sessions.delete("s"), SessionNotFound),
        (lambda uow: uow.snapshots.diff("s:1"), lambda uow: uow.sessions.delete("s"), SessionNotFound),
        (
            lambda uow: uow.timeouts.configure("s", idle_timeout=60),
            lambda uow: uow.sessions.delete("s"),
            SessionNotFound,
        ),
    ],
    ids=["redact, pop", "redact, clear", "redact, delete", "diff, delete", "configure, delete"],
)
def test_what_was_deleted_after_a_method_had_looked(
    ledger: Ledger, other: Ledger, act: Act, meanwhile: Act, error: type[NotFound]
) -> None:
    with _before_statement(ledger, 2, lambda: other.run(meanwhile)):
        _is_refused_and_goes_on(ledger, act, error)


@pytest.mark.parametrize(
    "act",
    [
        lambda uow: uow.metadata.set("s", "tag", 1),
        lambda uow: uow.messages.append("s", "user", "three"),
        lambda uow: uow.annotations.add("s", label="x"),
        lambda uow: uow.metrics.record("latency", 1.5, session_id="s"),
        lambda uow: uow.snapshots.take("s"),
        lambda uow: uow.comparisons.add("group", "a", "s"),
        lambda uow: uow.batches.complete(*uow.batches.claim("job", worker="w"), session_id="s"),
    ],
    ids=["metadata", "append", "annotation", "metric", "snapshot", "comparison", "batch"],
)
def test_what_refers_to_a_session_that_is_deleted_while_it_waits(ledger: Ledger, other: Ledger, act: Act) -> None:
    deleted, waits = threading.Event(), threading.Event()

    def delete() -> None:
        with other.begin() as uow:
            uow.sessions.delete("s")
            deleted.set()
            waits.wait(5)
            _until_somebody_waits(uow)

    thread = threading.Thread(target=delete)
    thread.start()
    assert deleted.wait(5)
    with _before_statement(ledger, 1, waits.set):
        _is_refused_and_goes_on(ledger, act, SessionNotFound)
    thread.join()


def test_prices_of_one_moment_are_set_by_two_at_once(ledger: Ledger, other: Ledger) -> None:
    """The one that comes second replaces the price of the first, and keeps the kinds that it does not name."""
    at = "2020-01-01"
    ledger.run(lambda uow: uow.models.register("m"))
    stored = threading.Event()

    def set_first() -> None:
        with other.begin() as uow:
            uow.models.price("m", input=1, output=2, effective_from=at)
            stored.set()
            _until_somebody_waits(uow)

    thread = threading.Thread(target=set_first)
    thread.start()
    assert stored.wait(5)
    price = ledger.run(lambda uow: uow.models.price("m", input=3, effective_from=at))
    thread.join()
    assert [Decimal(3), Decimal(2)] == [price.input, price.output]


def test_a_default_for_all_sessions_passes_over_one_that_is_deleted_meanwhile(ledger: Ledger, other: Ledger) -> None:
    deleted = threading.Event()

    def delete() -> None:
        with other.begin() as uow:
            uow.sessions.delete("s")
            deleted.set()
            _until_somebody_waits(uow)

    ledger.run(lambda uow: uow.sessions.create("t"))
    thread = threading.Thread(target=delete)
    thread.start()
    assert deleted.wait(5)
    ledger.run(lambda uow: uow.timeouts.configure_default(idle_timeout=60))
    thread.join()
    with ledger.read() as uow:
        assert 60 == uow.timeouts.get("t").idle_timeout.total_seconds()  # type: ignore[union-attr]
    assert () == ledger.check().findings


def _until_somebody_waits(uow: UnitOfWork) -> None:
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
        " AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    )
    connection = uow._context.connected()
    for _ in range(500):
        if connection.exec_driver_sql(waiting).scalar_one():
            return
        connection.exec_driver_sql("SELECT pg_sleep(0.01)")
    pytest.fail("nobody waits")
