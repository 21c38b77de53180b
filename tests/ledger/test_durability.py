"""Durability as a choice of one transaction: how its commit is flushed, and that the next one is as before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from chatledger import Busy, InvalidInput, Ledger, SessionNotFound, Settings, UnitOfWork
from tests.support.flavors import open_ledger

# What a transaction has with each durability. The server of the tests has `synchronous_commit = off`.
_LEVELS: dict[str, dict[str, Any]] = {
    "sqlite": {"normal": 1, "full": 2},
    "postgresql": {"normal": "off", "full": "on"},
}
# One connection, so that the next transaction shows what the last one has left behind.
_ONE = Settings(pool_size=1, max_overflow=0)


def level(uow: UnitOfWork) -> Any:
    """How the commit of a transaction is flushed, as its database says."""
    sqlite = uow.session.connection().dialect.name == "sqlite"
    return uow.session.execute(text("PRAGMA synchronous" if sqlite else "SHOW synchronous_commit")).scalar_one()


def level_in_block(ledger: Ledger, **options: Any) -> Any:
    with ledger.begin(**options) as uow:
        # An asynchronous unit of work calls a function with the synchronous one.
        return uow.run(level) if hasattr(uow, "run") else level(uow)


@pytest.fixture(params=["normal", "full"])
def usual(request: pytest.FixtureRequest) -> Any:
    """The durability of the ledger."""
    return request.param


@pytest.fixture
def own(url: str, flavor: str, usual: Any) -> Iterator[Ledger]:
    with open_ledger(flavor, url, settings=_ONE.model_copy(update={"durability": usual})) as ledger:
        yield ledger


@pytest.mark.parametrize("asked", ["normal", "full"])
def test_a_transaction_has_the_durability_that_it_asks_for_and_the_next_one_the_ledgers(
    own: Ledger, backend: str, usual: str, asked: Any
) -> None:
    levels = _LEVELS[backend]
    assert levels[asked] == level_in_block(own, durability=asked)
    assert levels[usual] == level_in_block(own)
    assert levels[asked] == own.run(level, durability=asked)
    assert levels[usual] == own.run(level)
    assert levels[asked] == own.for_user("ada").run(level, durability=asked)
    assert levels[usual] == own.run(level, durability=None)
    own.run(lambda uow: uow.sessions.create("s"), durability=asked)
    own.append("s", "user", "kept")
    assert ["kept"] == [message.content for message in own.history("s")]


def test_a_block_that_fails_leaves_the_ledgers_durability(own: Ledger, backend: str, usual: str) -> None:
    other = "normal" if usual == "full" else "full"

    def fail(uow: UnitOfWork) -> None:
        uow.sessions.create("s")
        assert _LEVELS[backend][other] == level(uow)
        raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            own.run(fail, durability=other)  # type: ignore[arg-type]
        assert _LEVELS[backend][usual] == own.run(level)


def test_a_durability_that_is_no_such_word_is_refused(own: Ledger) -> None:
    for wrong in ("FULL", "", "off", True, 1, b"full", ["full"]):
        with pytest.raises(InvalidInput, match="durability"):
            level_in_block(own, durability=wrong)
        with pytest.raises(InvalidInput, match="durability"):
            own.run(lambda uow: pytest.fail("was called"), durability=wrong)  # type: ignore[arg-type]


def test_a_writer_that_cannot_begin_leaves_the_ledgers_durability(migrated_sqlite_url: str) -> None:
    path = make_url(migrated_sqlite_url).database
    assert path is not None
    settings = Settings(pool_size=1, max_overflow=0, busy_timeout=0)
    with Ledger(migrated_sqlite_url, settings=settings) as ledger:
        ledger.create("s")
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(Busy), ledger.begin(durability="full"):
                pass
            holder.execute("ROLLBACK")
        with ledger.engine.connect() as connection:  # as an append has it, which begins no block
            assert 1 == connection.exec_driver_sql("PRAGMA synchronous").scalar_one()


def test_a_file_is_asked_for_a_durability_only_where_it_differs(migrated_sqlite_url: str) -> None:
    statements: list[str] = []
    with Ledger(migrated_sqlite_url, settings=_ONE) as ledger:
        ledger.create("s")
        with ledger.engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.set_trace_callback(statements.append)
        for durability in (None, "normal", "full"):
            statements.clear()
            with ledger.begin(durability=durability):
                pass
            expected = ["BEGIN IMMEDIATE", "COMMIT"]
            if durability == "full":
                # SQLite refuses the pragma inside a transaction.
                expected = ["PRAGMA synchronous=FULL", *expected, "PRAGMA synchronous=NORMAL"]
            assert expected == [one for one in statements if one.startswith(("BEGIN", "COMMIT", "PRAGMA synchronous"))]


class AlwaysInTransaction(sqlite3.Connection):
    """As a connection with `autocommit=False` is since Python 3.12: there is always a transaction."""

    autocommit = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "isolation_level": None})
        self.execute("BEGIN")

    def commit(self) -> None:
        self.execute("COMMIT")
        self.execute("BEGIN")

    def rollback(self) -> None:
        self.execute("ROLLBACK")
        self.execute("BEGIN")


def test_pragmas_of_a_transaction_reach_a_connection_that_is_always_in_one(migrated_sqlite_url: str) -> None:
    engine = create_engine(
        migrated_sqlite_url, pool_size=1, max_overflow=0, connect_args={"factory": AlwaysInTransaction}
    )

    def foreign_keys(uow: UnitOfWork) -> Any:
        return uow.session.execute(text("PRAGMA foreign_keys")).scalar_one()

    with Ledger(engine=engine) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        assert 1 == ledger.run(level, durability="normal")
        assert 2 == ledger.run(level)
        assert 1 == ledger.run(foreign_keys)
        assert 1 == ledger.run(lambda uow: uow.messages.append("s", "user", "x"), durability="normal").sequence_number
        with engine.connect() as connection:
            assert [0, 0, 2] == [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("foreign_keys", "query_only", "synchronous")
            ]
        with ledger.read() as uow:
            assert ["x"] == [message.content for message in uow.messages.history("s")]
    engine.dispose()


@pytest.mark.parametrize("options", [{}, {"isolation_level": "AUTOCOMMIT"}])
def test_an_applications_engine_is_left_as_it_was(url: str, backend: str, options: dict[str, Any]) -> None:
    engine = create_engine(url, pool_size=1, max_overflow=0, **options)
    usual = 2 if backend == "sqlite" else "off"  # SQLite's own default is FULL
    with Ledger(engine=engine) as ledger:
        for asked in ("normal", "full"):
            assert _LEVELS[backend][asked] == level_in_block(ledger, durability=asked)
            assert usual == level_in_block(ledger)
            with pytest.raises(SessionNotFound), ledger.begin(durability=asked) as uow:
                uow.sessions.get("dropped")
            assert usual == level_in_block(ledger)
            ledger.run(lambda uow, asked=asked: uow.sessions.create(asked), durability=asked)  # type: ignore[misc]
        with ledger.read() as uow:
            assert {"normal", "full"} == {session.session_id for session in uow.sessions.list()}
    engine.dispose()


def test_full_never_lowers_what_an_application_has_chosen(url: str, backend: str) -> None:
    if backend == "sqlite":
        engine = create_engine(url, pool_size=1, max_overflow=0)
        with engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute("PRAGMA synchronous=EXTRA")
        stricter: Any = 3
    else:
        engine = create_engine(url, connect_args={"options": "-c synchronous_commit=remote_apply"})
        stricter = "remote_apply"
    with Ledger(engine=engine) as ledger:
        assert stricter == ledger.run(level, durability="full")
        assert stricter == ledger.run(level)
    engine.dispose()
