"""A ledger on an application's engine: whatever the engine's habits, a unit of work is one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, NullPool, StaticPool, create_engine, event, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from chatledger import Busy, InvalidInput, Ledger, NotALedger, SessionNotFound, UnitOfWork, migrate


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    with closing(Ledger(url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    engine = create_engine(url)
    yield engine
    engine.dispose()


def contents(url: str) -> list[str]:
    with Ledger(url) as ledger, ledger.read() as uow:
        return [message.content for message in uow.messages.history("s")]


def test_a_connection_that_has_not_begun_is_begun(engine: Engine, url: str) -> None:
    with engine.connect() as connection:
        UnitOfWork(connection).messages.append("s", "user", "kept")
        assert connection.in_transaction()
        connection.commit()
    with engine.connect() as connection:
        UnitOfWork(connection).messages.append("s", "user", "dropped")
    assert ["kept"] == contents(url)


def test_a_connection_of_our_own_engine_is_begun_after_a_read(url: str) -> None:
    with Ledger(url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        with ledger.read() as uow:
            uow.sessions.get("s")
        with ledger.engine.connect() as connection:
            UnitOfWork(connection).messages.append("s", "user", "dropped")
            connection.rollback()
    assert [] == contents(url)


def test_deleting_leaves_nothing_where_foreign_keys_are_off(engine: Engine, url: str) -> None:
    with Session(engine) as session:
        UnitOfWork(session).messages.append("s", "user", "a secret of ada")
        UnitOfWork(session).metadata.set("s", "k", 1)
        session.commit()
        UnitOfWork(session).sessions.delete("s")
        session.commit()
    with Ledger(url) as ledger, ledger.begin() as uow:
        uow.sessions.create("s", user_id="bob")
        assert [] == uow.messages.history("s")
        assert {} == uow.metadata.all("s")
        assert 0 == len(uow.search.messages("secret"))
        assert 1 == uow.messages.append("s", "user", "mine").sequence_number


def test_a_block_within_a_block_on_the_only_connection_is_refused(migrated_sqlite_url: str) -> None:
    engine = create_engine(migrated_sqlite_url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    with Ledger(engine=engine) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        with pytest.raises(KeyError), ledger.begin() as uow:  # noqa: PT012 - what is within is what must be undone
            uow.messages.append("s", "user", "must be rolled back")
            with pytest.raises(Busy), ledger.read():
                pass
            raise KeyError
    engine.dispose()
    assert [] == contents(migrated_sqlite_url)


@pytest.mark.parametrize("options", [{"isolation_level": "AUTOCOMMIT"}, {"poolclass": NullPool}])
def test_a_unit_of_work_is_one_transaction_whatever_the_engine_does(url: str, options: dict[str, Any]) -> None:
    engine = create_engine(url, **options)
    with Ledger(engine=engine) as ledger:
        with pytest.raises(KeyError), ledger.begin() as uow:  # noqa: PT012 - what is within is what must be undone
            uow.sessions.create("s")
            uow.messages.append("s", "user", "x")
            raise KeyError
        with ledger.read() as uow:
            assert uow.sessions.find("s") is None
    engine.dispose()


def test_an_engine_that_begins_by_itself_can_open_a_new_database(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'new.db'}")

    @event.listens_for(engine, "connect")
    def manual(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    with Ledger(engine=engine) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        assert 1 == ledger.run(lambda uow: uow.messages.append("s", "user", "x")).sequence_number
    engine.dispose()


def test_a_scoped_session_will_do_and_anything_else_is_refused(engine: Engine, url: str) -> None:
    scoped = scoped_session(sessionmaker(engine))
    UnitOfWork(scoped).messages.append_many("s", [{"role": "user", "content": "scoped"}])
    scoped.commit()
    scoped.remove()
    assert ["scoped"] == contents(url)
    with pytest.raises(InvalidInput, match="session"):
        UnitOfWork(engine)  # type: ignore[arg-type]  # the mistake that is meant


def test_tables_of_the_same_name_are_named_before_anything_is_made(empty_url: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}" if empty_url.startswith("sqlite") else empty_url
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE chatledger_projects (id INTEGER)"))
    with pytest.raises(NotALedger, match="projects"):
        migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE chatledger_projects"))  # the only one there is
    migrate.upgrade(engine)
    engine.dispose()


def test_an_error_of_another_database_inside_a_block_stays_what_it_is(engine: Engine) -> None:
    other = create_engine("sqlite://")
    with Ledger(engine=engine) as ledger:
        with pytest.raises(Exception, match="no such table") as caught, ledger.begin() as uow:  # noqa: PT012
            uow.messages.append("s", "user", "undone")
            with other.connect() as connection:
                connection.execute(text("SELECT * FROM nowhere"))
        assert type(caught.value).__module__.startswith("sqlalchemy")
        with ledger.read() as uow:
            assert [] == uow.messages.history("s")
            with pytest.raises(SessionNotFound):
                uow.messages.history("t")
