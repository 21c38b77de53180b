"""One block, one transaction: all of it or nothing, and nothing before its end."""

# A block that does its work and then fails is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from chatledger import (
    Busy,
    CommitUnknown,
    ConnectionFailed,
    InvalidInput,
    Ledger,
    LedgerClosed,
    NestedWrite,
    ReadOnly,
    SessionNotFound,
    Settings,
    Unavailable,
    UnitOfWork,
)
from chatledger.models import Session as SessionRow
from tests.support.flavors import open_ledger
from tests.support.once import ONE_FLAVOR
from tests.support.raw import Raw

IMPATIENT = Settings(busy_timeout=0.3, pool_timeout=0.3)


def everything(uow: UnitOfWork) -> None:
    """Writes through every service."""
    uow.sessions.create("new", user_id="ada", project_id="p", model_id="m", metadata={"k": 1}, idle_timeout=5)
    uow.messages.append("new", "user", "an otter")
    uow.messages.append_many("new", [{"role": "user", "content": "more"}] * 3)
    uow.metadata.set("new", "l", 2)
    uow.sessions.update_context("new", {"a": 1})
    uow.messages.redact("new", 2)
    uow.messages.pop("new")
    uow.sessions.fork("new", at=1, new_session_id="fork")
    uow.timeouts.configure_default(user_id="ada")
    uow.timeouts.configure("new", hard_timeout=None)
    uow.sessions.archive("fork")
    uow.snapshots.restore("fork:1", as_session_id="restored")
    uow.sessions.create("doomed")
    uow.sessions.delete("doomed")


TABLES = (
    "chatledger_sessions", "chatledger_messages", "chatledger_session_metadata", "chatledger_session_timeouts", "chatledger_session_snapshots", "chatledger_timeout_defaults", "chatledger_projects",
    "chatledger_models", "chatledger_audit_log",
)  # fmt: skip
NOTHING = dict.fromkeys(TABLES, 0)
EVERYTHING = {
    "chatledger_sessions": 3, "chatledger_messages": 5, "chatledger_session_metadata": 6, "chatledger_session_timeouts": 3, "chatledger_session_snapshots": 1,
    "chatledger_timeout_defaults": 1, "chatledger_projects": 1, "chatledger_models": 1, "chatledger_audit_log": 7,
}  # fmt: skip
"""The audit log: redacted, popped, configured twice, archived, restored, deleted."""


def counts(raw: Raw) -> dict[str, int]:
    return {table: raw.count(table) for table in TABLES}


def test_leaving_the_block_commits_and_nothing_before(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        everything(uow)
        assert counts(raw) == NOTHING
    assert counts(raw) == EVERYTHING


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit, StopIteration, GeneratorExit])
def test_any_error_rolls_back_all_and_is_raised_as_it_is(
    any_ledger: Ledger, raw: Raw, error: type[BaseException]
) -> None:
    given = error("as it is")
    with pytest.raises(error) as caught, any_ledger.begin() as uow:
        everything(uow)
        raise given
    assert caught.value is given
    assert counts(raw) == NOTHING
    with any_ledger.begin() as uow:
        everything(uow)
    assert counts(raw) == EVERYTHING


def test_an_error_of_ours_that_was_handled_lets_the_rest_go_on(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        with pytest.raises(SessionNotFound):
            uow.messages.append("nobody", "user")
        with pytest.raises(InvalidInput):
            uow.messages.append("s", "user", "\x00")
        uow.messages.append("s", "user", "fine")
    with any_ledger.read() as uow:
        assert 1 == uow.sessions.get("s").message_count


FAR = datetime.now(UTC) + timedelta(days=2)
"""Past every limit."""
WRITES: dict[str, Callable[[UnitOfWork], Any]] = {
    "create": lambda uow: uow.sessions.create(),
    "append": lambda uow: uow.messages.append("s", "user"),
    "append_many": lambda uow: uow.messages.append_many("s", [{"role": "user"}]),
    "set": lambda uow: uow.metadata.set("s", "k", 1),
    "update": lambda uow: uow.sessions.update("s", title="x"),
    "redact": lambda uow: uow.messages.redact("s", 1),
    "delete": lambda uow: uow.sessions.delete("s"),
    "fork": lambda uow: uow.sessions.fork("s"),
    "archive": lambda uow: uow.sessions.archive("s"),
    "hold": lambda uow: uow.sessions.hold("s"),
    "expire older than": lambda uow: uow.sessions.expire_older_than(1, now=FAR),
    "erase": lambda uow: uow.sessions.erase_user("ada"),
    "configure": lambda uow: uow.timeouts.configure("s"),
    "configure default": lambda uow: uow.timeouts.configure_default(),
    "sweep": lambda uow: uow.timeouts.sweep(now=FAR),
    "warn": lambda uow: uow.timeouts.warn(now=FAR - timedelta(days=1)),
    "purge": lambda uow: uow.timeouts.purge(older_than=0, status="active", now=FAR),
    "take": lambda uow: uow.snapshots.take("s"),
    "restore": lambda uow: uow.snapshots.restore("s:1"),
    "delete a snapshot": lambda uow: uow.snapshots.delete("s:1"),
}


def test_a_reading_block_refuses_every_write(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada", idle_timeout=36 * 3600)
        uow.timeouts.configure("s", warn_before=18 * 3600)
        uow.messages.append("s", "user")
        uow.snapshots.take("s")
    before = counts(raw)
    for name, write in WRITES.items():
        with pytest.raises(ReadOnly), any_ledger.read() as uow:
            pytest.fail(f"{name} was allowed: {write(uow)}")
    assert before == counts(raw)
    # The connection that was refused can write again.
    with any_ledger.begin() as uow:
        uow.messages.append("s", "user")


def test_a_view_is_a_read_only_snapshot(any_ledger: Ledger, raw: Raw) -> None:
    any_ledger.run(lambda uow: uow.sessions.create("s"))
    assert "s" == any_ledger.view(lambda uow: uow.sessions.get("s").session_id)
    with pytest.raises(ReadOnly):
        any_ledger.view(lambda uow: uow.messages.append("s", "user"))
    with pytest.raises(ZeroDivisionError):
        any_ledger.view(lambda uow: 1 // 0)
    with pytest.raises(SessionNotFound):
        any_ledger.for_user("ada").view(lambda uow: uow.sessions.get("s"))
    assert 0 == raw.count("chatledger_messages")


def test_a_view_is_repeated_when_the_database_was_busy(any_ledger: Ledger) -> None:
    attempts: list[int] = []

    def work(uow: UnitOfWork) -> int:
        attempts.append(1)
        if len(attempts) < 3:
            raise Unavailable("for a moment")
        return len(uow.sessions.list().items)

    assert (0, 3) == (any_ledger.view(work), len(attempts))


def test_a_savepoint_fails_by_itself(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        with uow.savepoint():
            uow.messages.append("s", "user", "kept")
        with pytest.raises(ZeroDivisionError), uow.savepoint():
            uow.messages.append("s", "user", "undone")
            with uow.savepoint():
                uow.messages.append("s", "user", "undone too")
            raise ZeroDivisionError
        uow.messages.append("s", "user", "after")
    with ledger.read() as uow:
        history = uow.messages.history("s")
    assert [(1, "kept"), (2, "after")] == [(message.sequence_number, message.content) for message in history]


@ONE_FLAVOR
def test_a_block_inside_a_block_is_no_deadlock(url: str, flavor: str) -> None:
    with open_ledger(flavor, url, settings=IMPATIENT) as any_ledger:
        any_ledger.run(lambda uow: uow.sessions.create("s"))
        with any_ledger.begin() as outer:
            outer.messages.append("s", "user", "outer")
            with any_ledger.read() as reader:
                assert [] == reader.messages.history("s")
            # What works on one database must not wait for itself on another.
            for inner in (any_ledger, any_ledger.for_user("ada")):
                with pytest.raises(NestedWrite), inner.begin():
                    pytest.fail("inside")
        with any_ledger.read() as reader:
            assert ["outer"] == [message.content for message in reader.messages.history("s")]


def test_run_gives_back_what_the_work_returns(any_ledger: Ledger) -> None:
    assert "s" == any_ledger.run(lambda uow: uow.sessions.create("s").session_id)
    assert "s" == any_ledger.run(lambda uow: uow.sessions.get("s")).session_id


@pytest.mark.parametrize("failure", [Busy, Unavailable])
def test_run_begins_again_when_the_database_was_busy(any_ledger: Ledger, raw: Raw, failure: type[Exception]) -> None:
    attempts: list[int] = []

    def work(uow: UnitOfWork) -> str:
        attempts.append(uow.sessions.create("s").message_count)
        if len(attempts) < 3:
            raise failure("for a moment")
        return "done"

    assert ("done", 3, 1) == (any_ledger.run(work), len(attempts), raw.count("chatledger_sessions"))


@ONE_FLAVOR
def test_run_tries_again_for_retry_timeout_while_the_server_is_away(url: str, flavor: str) -> None:
    """Far longer than the attempts after Busy: a failover takes seconds, and each attempt fails at once."""
    attempts: list[int] = []

    def work(uow: UnitOfWork) -> str:
        attempts.append(1)
        if time.monotonic() < back:
            raise ConnectionFailed("no server")
        return uow.sessions.create("s").session_id

    with open_ledger(flavor, url, settings=Settings(busy_timeout=0, retry_timeout=20)) as any_ledger:
        back = time.monotonic() + 0.6
        assert ("s", True) == (any_ledger.run(work), len(attempts) > 2)
        attempts.clear()
        back = time.monotonic() + 60
        with pytest.raises(ConnectionFailed):
            any_ledger.run(work, retry_timeout=0)
        assert [1] == attempts
        with pytest.raises(InvalidInput, match="retry_timeout"):
            any_ledger.run(work, retry_timeout=-1)


def test_a_commit_whose_outcome_nobody_knows_is_told_apart_and_not_repeated(
    migrated_postgres_url: str, flavor: str
) -> None:
    raw = Raw(migrated_postgres_url)
    raw("CREATE TABLE dying (number int)")
    raw(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
    )
    raw(
        "CREATE CONSTRAINT TRIGGER dying AFTER INSERT ON dying DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()"
    )
    attempts: list[int] = []

    def work(uow: UnitOfWork) -> None:
        attempts.append(1)
        uow.session.execute(text("INSERT INTO dying VALUES (1)"))

    with open_ledger(flavor, migrated_postgres_url) as any_ledger:
        with pytest.raises(CommitUnknown, match="by its key") as caught:
            any_ledger.run(work)
        assert ([1], "57P01") == (attempts, caught.value.code)
        any_ledger.run(lambda uow: uow.sessions.create("afterwards"))


def test_run_gives_up_with_the_error_that_it_met(any_ledger: Ledger, raw: Raw) -> None:
    attempts: list[int] = []

    def work(uow: UnitOfWork) -> None:
        uow.sessions.create()
        attempts.append(1)
        raise Busy("for ever")

    with pytest.raises(Busy, match="for ever"):
        any_ledger.run(work)
    assert 1 < len(attempts) < 20
    assert 0 == raw.count("chatledger_sessions")


@pytest.mark.parametrize("failure", [ZeroDivisionError, LedgerClosed, KeyError, InvalidInput, CommitUnknown])
def test_run_does_not_repeat_what_another_try_cannot_cure(any_ledger: Ledger, failure: type[Exception]) -> None:
    attempts: list[int] = []

    def work(uow: UnitOfWork) -> None:
        attempts.append(1)
        raise failure(*("field", "reason")) if failure is InvalidInput else failure()

    with pytest.raises(failure):
        any_ledger.run(work)
    assert [1] == attempts


def test_a_closed_ledger_says_so(url: str, flavor: str) -> None:
    with open_ledger(flavor, url) as any_ledger:
        any_ledger.run(lambda uow: uow.sessions.create("s"))
        view = any_ledger.for_user("ada")
        any_ledger.close()
        any_ledger.close()
        for use in (any_ledger.begin, any_ledger.read, view.begin):
            with pytest.raises(LedgerClosed), use():
                pytest.fail("opened")
        with pytest.raises(LedgerClosed):
            any_ledger.run(lambda uow: uow.sessions.list())


def test_a_unit_of_work_ends_with_its_block(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
    with pytest.raises(Unavailable):
        uow.sessions.get("s")
    with pytest.raises(Unavailable):
        uow.messages.append("s", "user")


def test_a_block_gives_its_connection_back(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        assert 1 == any_ledger.pool_status()["in_use"]
    with contextlib.suppress(ZeroDivisionError), any_ledger.read():
        raise ZeroDivisionError
    with contextlib.suppress(ReadOnly), any_ledger.read() as uow:
        uow.sessions.create("t")
    assert 0 == any_ledger.pool_status()["in_use"]


def test_an_exhausted_pool_is_busy(url: str, flavor: str) -> None:
    small = Settings(pool_size=1, max_overflow=1, pool_timeout=0.2)
    with open_ledger(flavor, url, settings=small) as any_ledger:
        with any_ledger.read(), any_ledger.read(), pytest.raises(Busy), any_ledger.read():
            pytest.fail("a third connection of two")
        with any_ledger.read() as uow:
            assert [] == list(uow.sessions.list())


def row(session_id: str) -> SessionRow:
    now = datetime.now(UTC)
    return SessionRow(session_id=session_id, created_at=now, updated_at=now, last_activity=now)


def test_rows_of_ones_own_are_written_with_the_block(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.session.add(row("orm"))
        uow.session.flush()
        uow.messages.append("orm", "user", "Hello")
        uow.session.add(row("unflushed"))
    with pytest.raises(ZeroDivisionError), ledger.begin() as uow:
        uow.session.add(row("rolled back"))
        uow.session.flush()
        raise ZeroDivisionError
    with ledger.read() as uow:
        assert {"orm", "unflushed"} == {session.session_id for session in uow.sessions.list()}
        assert 1 == uow.session.execute(text("SELECT count(*) FROM chatledger_messages")).scalar_one()


def test_an_in_memory_ledger_serves_several_threads(flavor: str) -> None:
    with open_ledger(flavor, "sqlite://") as any_ledger:
        any_ledger.run(lambda uow: uow.sessions.create("s"))

        def write() -> None:
            for _ in range(20):
                any_ledger.run(lambda uow: uow.messages.append("s", "user", "x"))
                with any_ledger.read() as uow:
                    uow.messages.history("s", last=1)

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with any_ledger.read() as uow:
            assert list(range(1, 81)) == [message.sequence_number for message in uow.messages.history("s")]


def test_two_in_memory_ledgers_are_two() -> None:
    with Ledger("sqlite://") as one, Ledger("sqlite:///:memory:") as two:
        one.run(lambda uow: uow.sessions.create("s"))
        assert two.run(lambda uow: uow.sessions.find("s")) is None


def test_waiting_for_another_program_ends_as_busy(sqlite_template: Path, migrated_sqlite_url: str) -> None:
    other = Raw(migrated_sqlite_url)
    with Ledger(migrated_sqlite_url, settings=IMPATIENT) as ledger, other.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(Busy), ledger.begin() as uow:
            uow.sessions.create("s")
        with ledger.read() as uow:
            assert [] == list(uow.sessions.list())
        connection.rollback()
        ledger.run(lambda uow: uow.sessions.create("s"))
