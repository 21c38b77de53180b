"""Living in an application: its engine, its transaction, its rows."""

# A block that does its work and then fails is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, QueuePool, StaticPool, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from chatledger import Busy, InvalidInput, Ledger, ReadOnly, SessionNotFound, Settings, UnitOfWork


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    order_id: Mapped[int] = mapped_column(primary_key=True)
    chat: Mapped[str]


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An application's engine, as it makes it itself, over a migrated database with a table of its own."""
    engine = create_engine(url, poolclass=QueuePool, pool_size=3, max_overflow=0)
    Base.metadata.create_all(engine)
    with Ledger(engine=engine) as ledger, ledger.begin() as uow:
        uow.sessions.create("s")
    yield engine
    engine.dispose()


def contents(engine: Engine) -> tuple[list[str], list[str]]:
    """Texts of messages, and chats of orders."""
    with engine.connect() as connection:
        messages = connection.exec_driver_sql(
            "SELECT content FROM chatledger_messages ORDER BY sequence_number"
        ).scalars()
        return list(messages), list(connection.exec_driver_sql("SELECT chat FROM orders ORDER BY order_id").scalars())


def test_its_rows_and_our_messages_are_committed_together_by_it(engine: Engine) -> None:
    with sessionmaker(engine).begin() as session:
        session.add(Order(chat="pending before"))
        uow = UnitOfWork(session)
        assert 1 == uow.messages.append("s", "user", "Hello").sequence_number
        session.add(Order(chat="pending after"))
        assert (1, "Hello") == (uow.sessions.get("s").message_count, uow.messages.history("s")[0].content)
    assert (["Hello"], ["pending before", "pending after"]) == contents(engine)


def test_its_rows_and_our_messages_are_rolled_back_together(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), sessionmaker(engine).begin() as session:
        session.add(Order(chat="gone"))
        UnitOfWork(session).messages.append_many("s", [{"role": "user"}] * 3)
        raise ZeroDivisionError
    assert ([], []) == contents(engine)
    with Session(engine) as session:
        session.add(Order(chat="never committed"))
        UnitOfWork(session).messages.append("s", "user", "never committed")
    assert ([], []) == contents(engine)


def test_a_refusal_of_ours_leaves_its_transaction_to_it(engine: Engine) -> None:
    with sessionmaker(engine).begin() as session:
        session.add(Order(chat="kept"))
        uow = UnitOfWork(session)
        with pytest.raises(SessionNotFound):
            uow.messages.append("nobody", "user")
        with pytest.raises(InvalidInput):
            uow.messages.append("s", "user", "\x00")
        uow.messages.append("s", "user", "kept")
    assert (["kept"], ["kept"]) == contents(engine)


def test_a_savepoint_of_ours_undoes_its_pending_rows_too(engine: Engine) -> None:
    with sessionmaker(engine).begin() as session:
        uow = UnitOfWork(session)
        uow.messages.append("s", "user", "kept")
        with pytest.raises(ZeroDivisionError), uow.savepoint():
            session.add(Order(chat="undone"))
            uow.messages.append("s", "user", "undone")
            raise ZeroDivisionError
        session.add(Order(chat="kept"))
    assert (["kept"], ["kept"]) == contents(engine)


def test_a_connection_will_do(engine: Engine) -> None:
    with engine.begin() as connection:
        uow = UnitOfWork(connection)
        uow.messages.append("s", "user", "Hello")
        uow.session.add(Order(chat="through ours"))
        uow.session.flush()
    assert (["Hello"], ["through ours"]) == contents(engine)


def test_it_can_be_limited_to_a_user(engine: Engine) -> None:
    with sessionmaker(engine).begin() as session, pytest.raises(SessionNotFound):
        UnitOfWork(session, user_id="ada").messages.append("s", "user", "x")


def test_a_ledger_shares_its_engine(engine: Engine) -> None:
    with Ledger(engine=engine) as ledger:
        for number in range(3):
            ledger.run(lambda uow: uow.messages.append("s", "user", str(number)))  # noqa: B023
        with pytest.raises(ZeroDivisionError), ledger.begin() as uow:
            uow.messages.append("s", "user", "gone")
            raise ZeroDivisionError
        with ledger.begin() as uow, pytest.raises(ZeroDivisionError), uow.savepoint():
            uow.messages.append("s", "user", "gone")
            raise ZeroDivisionError
        with ledger.read() as uow:
            assert ["0", "1", "2"] == [message.content for message in uow.messages.history("s")]
        with pytest.raises(ReadOnly), ledger.read() as uow:
            uow.messages.append("s", "user", "gone")
    # Closing ours leaves its own open.
    assert ["0", "1", "2"] == contents(engine)[0]
    assert 0 == engine.pool.checkedout()  # type: ignore[attr-defined]  # a QueuePool


def test_a_message_needs_a_session_there_too(engine: Engine) -> None:
    with Ledger(engine=engine) as ledger:
        with pytest.raises(SessionNotFound):
            ledger.run(lambda uow: uow.messages.append("nobody", "user"))
        ledger.run(lambda uow: uow.messages.append("s", "user"))
        ledger.run(lambda uow: uow.sessions.delete("s"))
    assert ([], []) == contents(engine)


PRAGMAS = ("foreign_keys", "query_only", "journal_mode", "synchronous", "busy_timeout", "recursive_triggers")


def pragmas(engine: Engine) -> list[tuple[Any, ...]]:
    """What is in force on each connection of its pool."""
    opened = [engine.connect() for _ in range(3)]
    try:
        return [tuple(c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS) for c in opened]
    finally:
        for connection in opened:
            connection.close()


@pytest.mark.parametrize("foreign_keys", ["ON", "OFF"])
@pytest.mark.parametrize("migrated", [True, False])
def test_the_engines_own_connections_keep_their_behaviour(
    sqlite_url: str, migrated_sqlite_url: str, foreign_keys: str, migrated: bool
) -> None:
    engine = create_engine(migrated_sqlite_url if migrated else sqlite_url, poolclass=QueuePool, pool_size=3)

    def configure(connection: Any, record: object) -> None:
        connection.execute(f"PRAGMA foreign_keys = {foreign_keys}")

    event.listen(engine, "connect", configure)
    before = pragmas(engine)
    with Ledger(engine=engine) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        with ledger.begin(), ledger.read(), ledger.read():
            pass
        with pytest.raises(ZeroDivisionError), ledger.begin() as uow:
            uow.messages.append("s", "user")
            raise ZeroDivisionError
        with pytest.raises(ReadOnly), ledger.read() as uow:
            uow.messages.append("s", "user")
        with pytest.raises(SessionNotFound):
            ledger.run(lambda uow: uow.messages.append("nobody", "user"))
    assert before == pragmas(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE its_own (x)")
        connection.exec_driver_sql("INSERT INTO its_own VALUES (1)")
    engine.dispose()


def test_its_isolation_and_settings_stay_on_a_server(migrated_postgres_url: str) -> None:
    engine = create_engine(migrated_postgres_url, poolclass=QueuePool, pool_size=1, isolation_level="SERIALIZABLE")
    names = ("transaction_isolation", "transaction_read_only", "lock_timeout", "search_path", "synchronous_commit")

    def shown() -> list[Any]:
        with engine.connect() as connection:
            return [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]

    before = shown()
    with Ledger(engine=engine) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        with pytest.raises(ReadOnly), ledger.read() as uow:
            uow.messages.append("s", "user")
    assert before == shown()
    engine.dispose()


@pytest.mark.parametrize("pool", [NullPool, StaticPool])
def test_any_pool_will_do(url: str, pool: Any) -> None:
    options = {"connect_args": {"check_same_thread": False}} if url.startswith("sqlite") else {}
    engine = create_engine(url, poolclass=pool, **options)
    with Ledger(engine=engine) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        ledger.run(lambda uow: uow.messages.append("s", "user", "x"))
        assert "x" == ledger.run(lambda uow: uow.messages.get("s", 1)).content
        assert {} == ledger.pool_status()
    engine.dispose()


def test_an_engine_and_a_url_exclude_each_other(engine: Engine) -> None:
    with pytest.raises(InvalidInput) as caught:
        Ledger("chat.db", engine=engine)
    assert "engine" == caught.value.field


def test_two_ledgers_on_one_file_take_turns(migrated_sqlite_url: str) -> None:
    engine = create_engine(migrated_sqlite_url)
    impatient = Settings(busy_timeout=0.2)
    with Ledger(engine=engine, settings=impatient) as one, Ledger(migrated_sqlite_url, settings=impatient) as two:
        with one.begin() as uow:
            uow.sessions.create("s")
            with pytest.raises(Busy), two.begin():
                pytest.fail("two writers")
        two.run(lambda uow: uow.messages.append("s", "user"))
    engine.dispose()
