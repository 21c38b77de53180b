"""SQLite's full-text index follows the appends: a message is stored first, and indexed together with others."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from chatledger import Conflict, Ledger, ReadOnly, UnitOfWork
from chatledger.database import Database
from chatledger.dialects.full_text import Reader
from chatledger.dialects.sqlite.waiting import Waiting
from tests.support.clock import StoppedClock
from tests.support.full_text import STEP, require_agreement, waiting

INSERT = "INSERT INTO chatledger_messages (session_id, sequence_number, role, content) VALUES (?, ?, 'user', ?)"


@pytest.fixture
def ledger(migrated_sqlite_url: str, clock: StoppedClock) -> Iterator[Ledger]:
    """At a time that stands still: a new hour or quarter of an hour would write other pages."""
    with Ledger(migrated_sqlite_url, clock=clock) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s", user_id="ada"))
        yield ledger


@pytest.fixture
def plain(ledger: Ledger) -> Iterator[sqlite3.Connection]:
    """A connection of another program."""
    path = make_url(ledger.url).database
    assert path is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


@pytest.fixture
def left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody brings the index up to date."""
    monkeypatch.setattr(Database, "catch_up_index", lambda database: None)


def append(ledger: Ledger, count: int, text: str = "harbour") -> None:
    for _ in range(count):
        ledger.run(lambda uow: uow.messages.append("s", "user", text))


def found(ledger: Ledger, query: str) -> list[int]:
    with ledger.read() as uow:
        return sorted(hit.sequence_number for hit in uow.search.messages(query, limit=200))


def frames(connection: sqlite3.Connection, work: Callable[[], object]) -> int:
    """Pages that some work writes to the log."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    work()
    return int(connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])


def test_every_32nd_message_indexes_those_that_wait(ledger: Ledger, plain: sqlite3.Connection) -> None:
    left = []
    for _ in range(3 * STEP):
        append(ledger, 1)
        left.append(len(waiting(plain)))
    assert [*range(1, STEP), 0] * 3 == left
    require_agreement(plain)


def test_an_append_writes_four_pages_and_none_of_the_index(ledger: Ledger, plain: sqlite3.Connection) -> None:
    append(ledger, STEP)
    before = plain.execute("SELECT count(*), sum(length(block)) FROM chatledger_messages_fts_data").fetchone()
    # The message, its number in the session, the counters of the session, and its usage.
    assert [4] * 8 == [frames(plain, lambda: append(ledger, 1)) for _ in range(8)]
    assert before == plain.execute("SELECT count(*), sum(length(block)) FROM chatledger_messages_fts_data").fetchone()


@pytest.mark.parametrize("count", [STEP, 100, 1000])
def test_many_messages_at_once_are_indexed_at_once(ledger: Ledger, plain: sqlite3.Connection, count: int) -> None:
    append(ledger, 3)
    with ledger.begin() as uow:
        uow.messages.append_many("s", [{"role": "user", "content": f"word{n}"} for n in range(count)])
        assert [11] == [hit.sequence_number for hit in uow.search.messages("word7")]
    assert [] == waiting(plain)[STEP - 1 :]
    require_agreement(plain)
    append(ledger, STEP)  # small steps again
    assert len(waiting(plain)) < STEP
    assert [(STEP - 1,)] == plain.execute("SELECT most FROM chatledger_full_text_mark").fetchall()


@pytest.mark.parametrize("count", [100, 1000])
def test_one_large_step_writes_one_segment(ledger: Ledger, plain: sqlite3.Connection, count: int) -> None:
    ledger.append_many("s", [{"role": "user", "content": "word"}] * count)
    segments = "SELECT count(DISTINCT id >> 37) FROM chatledger_messages_fts_data WHERE id > 1000"
    assert [(1,)] == plain.execute(segments).fetchall()


def test_an_append_outlasts_a_change_of_the_tables_by_another_program(migrated_sqlite_url: str) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        with closing(sqlite3.connect(str(make_url(ledger.url).database))) as other:
            other.execute("CREATE TABLE of_an_application (id INTEGER)")
        assert [1, 2] == [ledger.run(lambda uow: uow.messages.append("s", "user")).sequence_number for _ in range(2)]
        with closing(sqlite3.connect(str(make_url(ledger.url).database))) as other:
            other.execute("DROP TABLE of_an_application")
        assert [3, 4] == [ledger.append("s", "user").sequence_number for _ in range(2)]


def test_many_messages_that_are_refused_leave_small_steps(ledger: Ledger, plain: sqlite3.Connection) -> None:
    plain.execute(
        "CREATE TRIGGER refusal BEFORE INSERT ON chatledger_messages WHEN new.content = 'word60'"
        " BEGIN SELECT raise(ABORT, 'refused'); END"
    )
    engine = create_engine(ledger.url)
    with Session(engine) as session:
        uow = UnitOfWork(session)
        uow.messages.append("s", "user", "before")
        with pytest.raises(Conflict):
            uow.messages.append_many("s", [{"role": "user", "content": f"word{n}"} for n in range(100)])
        session.commit()  # the application decides to keep the rest
    engine.dispose()
    assert [(STEP - 1,)] == plain.execute("SELECT most FROM chatledger_full_text_mark").fetchall()
    append(ledger, STEP)
    require_agreement(plain)


def test_messages_that_wait_are_found_in_a_snapshot(ledger: Ledger, left_behind: None) -> None:
    append(ledger, STEP + 3)
    assert list(range(1, STEP + 4)) == found(ledger, "harbour")
    with ledger.read() as uow:
        append(ledger, 1)
        assert STEP + 3 == len(uow.search.messages("harbour", limit=200))
        assert STEP + 3 == uow.search.sessions("harbour").items[0].hits


def test_a_search_indexes_what_waits_when_it_is_over(ledger: Ledger, plain: sqlite3.Connection) -> None:
    append(ledger, 5)
    with ledger.read() as uow:
        uow.search.messages("harbour")
        assert 5 == len(waiting(plain))
    assert [] == waiting(plain)
    require_agreement(plain)
    append(ledger, 2)
    with ledger.begin() as uow:
        uow.search.sessions("harbour")
    assert [] == waiting(plain)


def test_a_search_mends_the_number_that_may_wait(ledger: Ledger, plain: sqlite3.Connection) -> None:
    plain.execute("UPDATE chatledger_full_text_mark SET most = 10000")  # by a writer that was killed in autocommit
    append(ledger, 2 * STEP)
    assert 2 * STEP == len(waiting(plain))
    assert list(range(1, 2 * STEP + 1)) == found(ledger, "harbour")
    require_agreement(plain)
    assert [(STEP - 1,)] == plain.execute("SELECT most FROM chatledger_full_text_mark").fetchall()


def test_a_search_does_not_wait_for_a_writer(ledger: Ledger, plain: sqlite3.Connection) -> None:
    append(ledger, 5)
    plain.execute("BEGIN IMMEDIATE")
    assert [1, 2, 3, 4, 5] == found(ledger, "harbour")
    plain.execute("ROLLBACK")
    with ledger.begin():  # the turn of this process is taken
        assert [1, 2, 3, 4, 5] == found(ledger, "harbour")
    assert 5 == len(waiting(plain))


def test_closing_and_a_backup_index_what_waits(ledger: Ledger, plain: sqlite3.Connection) -> None:
    append(ledger, 5)
    with Ledger(ledger.url) as other:  # which writes nothing, and leaves the file as it is
        other.check()
    assert 5 == len(waiting(plain))
    ledger.backup(f"{make_url(ledger.url).database}.backup")
    assert [] == waiting(plain)
    append(ledger, 5)
    ledger.close()
    assert [] == waiting(plain)


def test_in_a_file_that_cannot_be_written_they_are_found_all_the_same(
    ledger: Ledger, plain: sqlite3.Connection
) -> None:
    append(ledger, 5)
    with Ledger(ledger.url) as reader:
        with closing(reader.engine.raw_connection()) as pooled:
            driver: Any = pooled.driver_connection
            driver.set_authorizer(_refuse_writes)
        assert [1, 2, 3, 4, 5] == found(reader, "harbour")
        with pytest.raises(ReadOnly):
            append(reader, 1)
        assert 1 == reader.pool_status()["open"]
    assert 5 == len(waiting(plain))


def _refuse_writes(action: int, table: str | None, *_: object) -> int:
    is_write = action in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE) and str(table).startswith("chatledger_")
    return sqlite3.SQLITE_DENY if is_write else sqlite3.SQLITE_OK


def test_an_application_s_pool_is_left_alone(ledger: Ledger, plain: sqlite3.Connection) -> None:
    append(ledger, 5)
    engine = create_engine(ledger.url)
    with Ledger(engine=engine) as guest:
        assert [1, 2, 3, 4, 5] == found(guest, "harbour")
    engine.dispose()
    assert 5 == len(waiting(plain))


def test_each_message_is_found_once_where_every_statement_has_a_snapshot_of_its_own(
    ledger: Ledger, plain: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(ledger, STEP + 5)
    read = Waiting.__init__

    def indexed_meanwhile(waiting: Waiting, reader: Reader) -> None:
        read(waiting, reader)
        ledger._database.catch_up_index()

    monkeypatch.setattr(Waiting, "__init__", indexed_meanwhile)
    engine = create_engine(ledger.url)  # which begins nothing before the first write
    with Session(engine) as session:
        page = UnitOfWork(session).search.messages("harbour", limit=200)
    engine.dispose()
    assert list(range(1, STEP + 6)) == sorted(hit.sequence_number for hit in page)
    assert [] == waiting(plain)


def test_a_number_that_is_used_again_is_indexed_as_what_it_is_now(ledger: Ledger, plain: sqlite3.Connection) -> None:
    append(ledger, STEP)
    for text in ("lighthouse", "ferry", "quay"):
        ledger.run(lambda uow: uow.messages.pop("s"))
        require_agreement(plain)
        append(ledger, 1, text)
        require_agreement(plain)
        assert 1 == len(waiting(plain))  # the mark has moved back, so that it is not indexed alone
    assert STEP - 1 == len(found(ledger, "harbour"))
    assert 1 == len(found(ledger, "quay"))
    assert [] == found(ledger, "ferry")


def test_after_a_large_session_was_deleted_appends_wait_again(ledger: Ledger, plain: sqlite3.Connection) -> None:
    append(ledger, 3)
    ledger.run(lambda uow: uow.sessions.create("large"))
    ledger.run(lambda uow: uow.messages.append_many("large", [{"role": "user", "content": "tide"}] * 200))
    ledger.run(lambda uow: uow.messages.append("large", "user", "tide"))
    ledger.run(lambda uow: uow.sessions.delete("large"))
    append(ledger, 6)  # the first finds the mark far ahead, and moves it back
    assert 5 == len(waiting(plain))
    require_agreement(plain)


def test_changes_of_messages_that_wait_and_of_those_that_do_not(ledger: Ledger, plain: sqlite3.Connection) -> None:
    append(ledger, STEP + 4)
    for number in (1, 2, STEP + 1, STEP + 2):
        ledger.run(lambda uow, number=number: uow.messages.update("s", number, content="lighthouse"))  # type: ignore[misc]
        require_agreement(plain)
    for number in (2, STEP + 2):
        ledger.run(lambda uow, number=number: uow.messages.redact("s", number))  # type: ignore[misc]
    for number in (3, STEP + 3):
        ledger.run(lambda uow, number=number: uow.messages.delete("s", number))  # type: ignore[misc]
    require_agreement(plain)
    assert [1, STEP + 1] == found(ledger, "lighthouse")
    assert STEP - 2 == len(found(ledger, "harbour"))
    ledger.run(lambda uow: uow.messages.clear("s"))
    require_agreement(plain)
    assert [] == found(ledger, "harbour")


def test_a_stream_is_indexed_at_its_end(ledger: Ledger, plain: sqlite3.Connection) -> None:
    with ledger.stream("s", "assistant") as reply:
        reply.write("lighthouse ")
        append(ledger, STEP)
        assert [] == found(ledger, "lighthouse")
        reply.write("ferry")
    require_agreement(plain)
    assert [1] == found(ledger, "lighthouse ferry")


def test_a_rollback_takes_the_step_back(ledger: Ledger, plain: sqlite3.Connection) -> None:
    append(ledger, STEP - 2)
    with suppress(ZeroDivisionError), ledger.begin() as uow:
        for _ in range(2 * STEP):
            uow.messages.append("s", "user", "tide")
        raise ZeroDivisionError
    with ledger.begin() as uow:
        with suppress(ZeroDivisionError), uow.savepoint():
            for _ in range(STEP):
                uow.messages.append("s", "user", "tide")
            raise ZeroDivisionError
        uow.messages.append("s", "user", "quay")
    assert STEP - 1 == len(waiting(plain))
    require_agreement(plain)
    assert [] == found(ledger, "tide")


OPERATIONS = (
    "append", "many", "at", "pop", "delete", "text", "move", "number", "clear", "catch up", "rollback",
)  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 90)), min_size=1, max_size=40))
def test_whatever_plain_sql_does_the_index_agrees(
    ledger: Ledger, plain: sqlite3.Connection, operations: list[tuple[str, int]]
) -> None:
    plain.execute("DELETE FROM chatledger_messages")
    plain.execute("UPDATE chatledger_sessions SET last_sequence = 0")
    for name, number in operations:
        plain.execute("BEGIN IMMEDIATE")
        _operate(plain, name, number)
        plain.execute("ROLLBACK" if number % 7 == 6 else "COMMIT")
        require_agreement(plain)


def _operate(plain: sqlite3.Connection, name: str, number: int) -> None:
    (last,) = plain.execute("SELECT last_sequence FROM chatledger_sessions").fetchone()
    (newest,) = plain.execute("SELECT coalesce(max(message_id), 0) FROM chatledger_messages").fetchone()
    some = (number % (newest + 1),)
    if name == "append":
        plain.execute(INSERT, ("s", last + 1, f"word{number}"))
    elif name == "many":
        plain.executemany(INSERT, [("s", last + n, f"word{n}") for n in range(1, number + 2)])
    elif name == "at":  # a number of the writer's choice, in a gap or far ahead
        with suppress(sqlite3.IntegrityError):
            plain.execute(
                INSERT.replace("(session_id", "(message_id, session_id").replace("(?", f"({number}, ?"),
                ("s", last + 1, "at"),
            )
    elif name == "pop":
        plain.execute("DELETE FROM chatledger_messages WHERE message_id = ?", (newest,))
    elif name == "delete":
        plain.execute("DELETE FROM chatledger_messages WHERE message_id >= ? AND message_id % 3 = 0", some)
    elif name == "text":
        plain.execute(
            "UPDATE chatledger_messages SET content = content || ' more', search_extra = 'x' WHERE message_id >= ?",
            some,
        )
    elif name == "move":
        with suppress(sqlite3.IntegrityError):
            plain.execute("UPDATE chatledger_messages SET message_id = message_id + 1 WHERE message_id = ?", some)
    elif name == "number":
        plain.execute("UPDATE chatledger_messages SET role = 'assistant' WHERE message_id = ?", some)
    elif name == "clear":
        plain.execute("DELETE FROM chatledger_messages WHERE message_id > ?", some)
    elif name == "catch up":
        plain.execute("INSERT INTO chatledger_messages_fts (chatledger_messages_fts) VALUES ('optimize')")
