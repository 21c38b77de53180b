"""`Base.metadata.create_all` and `drop_all` create and drop what the migrations do, or refuse by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKey,
    MetaData,
    Table,
    Text,
    create_engine,
    create_mock_engine,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from chatledger import InvalidInput, Ledger, NotALedger, SchemaAhead, SchemaBehind
from chatledger.migrate import HEAD
from chatledger.models import Base, Message
from chatledger.models import Session as SessionRow
from chatledger.models.base import table_of
from tests.migrations.contents import contents, fill, fingerprint, names, revision
from tests.support.raw import Raw


@pytest.fixture
def empty_url(new_url: Callable[[], str]) -> str:
    """Another database than `url`, which a test may compare it with."""
    return new_url()


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    """An application's plain engine."""
    engine = create_engine(empty_url)
    yield engine
    engine.dispose()


def _is_a_ledger(empty_url: str, migrated_url: str) -> None:
    assert HEAD == revision(empty_url)
    assert fingerprint(migrated_url) == fingerprint(empty_url)
    with closing(Ledger(empty_url)) as ledger:
        assert ledger.check()


def test_on_an_engine_it_makes_what_a_ledger_makes(engine: Engine, empty_url: str, url: str) -> None:
    Base.metadata.create_all(engine)
    _is_a_ledger(empty_url, url)


def test_on_a_connection_it_belongs_to_the_callers_transaction(engine: Engine, empty_url: str, url: str) -> None:
    with engine.connect() as connection:
        Base.metadata.create_all(connection)
        connection.rollback()
    assert set() == _tables(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER PRIMARY KEY)"))
        Base.metadata.create_all(connection)
        connection.execute(text("INSERT INTO chatledger_sessions (session_id) VALUES ('s')"))
    _is_a_ledger(empty_url, url)
    assert "orders" in names(empty_url)


def test_on_an_async_connection(empty_url: str, url: str) -> None:
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg_async"}
    parsed = make_url(empty_url)

    async def create() -> None:
        engine = create_async_engine(parsed.set(drivername=driver[parsed.get_backend_name()]))
        try:
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.create_all)
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.create_all)
        finally:
            await engine.dispose()

    asyncio.run(create())
    _is_a_ledger(empty_url, url)


def test_in_memory_as_tests_of_applications_do() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with closing(Ledger(engine=engine)) as ledger:
        with ledger.begin() as uow:
            uow.sessions.create("s")
            uow.messages.append("s", "user", "Where to in May?")
        with ledger.read() as uow:
            assert 1 == len(list(uow.search.messages("may")))
    engine.dispose()


def test_a_second_time_changes_nothing(engine: Engine, empty_url: str) -> None:
    Base.metadata.create_all(engine)
    fill(empty_url)
    rows, schema = contents(empty_url), fingerprint(empty_url)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        Base.metadata.create_all(connection, checkfirst=False)
    assert (rows, schema) == (contents(empty_url), fingerprint(empty_url))


def test_beside_tables_of_an_application(engine: Engine, empty_url: str) -> None:
    own = MetaData()
    Table("orders", own, Column("order_id", Text, primary_key=True))
    own.create_all(engine)
    Base.metadata.create_all(engine)
    with closing(Ledger(empty_url)) as ledger:
        assert ledger.check()
    Base.metadata.drop_all(engine)
    assert {"orders"} == _tables(empty_url)


def test_drop_all_leaves_nothing(engine: Engine, empty_url: str, url: str) -> None:
    Base.metadata.create_all(engine)
    fill(empty_url)
    Base.metadata.drop_all(engine)
    assert set() == _tables(empty_url)
    Base.metadata.drop_all(engine)
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    fill(empty_url)
    with engine.begin() as connection:
        Base.metadata.drop_all(connection)
    assert set() == _tables(empty_url)
    Base.metadata.create_all(engine)
    _is_a_ledger(empty_url, url)


def test_tables_of_an_application_on_our_base_are_made_as_well(engine: Engine, empty_url: str) -> None:
    bookings = Table(
        "bookings",
        Base.metadata,
        Column("booking_id", Text, primary_key=True),
        Column("session_id", Text, ForeignKey(table_of(SessionRow).c.session_id)),
    )
    try:
        Base.metadata.create_all(engine)
        assert "bookings" in names(empty_url)
        Base.metadata.drop_all(engine, tables=[bookings])
        assert "bookings" not in names(empty_url)
        Base.metadata.create_all(engine, tables=[bookings])
        with closing(Ledger(empty_url)) as ledger:
            assert ledger.check()
        Base.metadata.drop_all(engine)
        assert set() == _tables(empty_url)
    finally:
        Base.metadata.remove(bookings)


@pytest.mark.parametrize("call", ["create_all", "drop_all"])
def test_some_of_our_tables_are_refused_by_a_sentence_that_names_the_way(
    engine: Engine, empty_url: str, call: str
) -> None:
    with pytest.raises(InvalidInput, match=r"without tables=, open Ledger\(url\), or run `chatledger db upgrade`"):
        getattr(Base.metadata, call)(engine, tables=[table_of(Message)])
    assert set() == _tables(empty_url)


def test_a_table_by_itself_or_a_copy_of_it_is_refused(engine: Engine, empty_url: str) -> None:
    with pytest.raises(InvalidInput, match="chatledger db upgrade"):
        table_of(Message).create(engine)
    copy = MetaData()
    for table in Base.metadata.sorted_tables:
        table.to_metadata(copy)
    with pytest.raises(InvalidInput, match="chatledger db upgrade"):
        copy.create_all(engine, checkfirst=False)
    assert set() == _tables(empty_url)


def test_an_older_ledger_is_refused_and_a_newer_one(url: str) -> None:
    engine = create_engine(url)
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("0001")
    with pytest.raises(SchemaBehind, match="chatledger db upgrade"):
        Base.metadata.create_all(engine)
    Raw(url)("UPDATE chatledger_version SET version_num = '9999'")
    with pytest.raises(SchemaAhead):
        Base.metadata.create_all(engine)
    with pytest.raises(SchemaAhead):
        Base.metadata.drop_all(engine)
    assert "chatledger_messages" in names(url)
    engine.dispose()


def test_a_schema_without_its_version_is_refused(url: str) -> None:
    Raw(url)("DROP TABLE chatledger_version")
    engine = create_engine(url)
    for call in (Base.metadata.create_all, Base.metadata.drop_all):
        with pytest.raises(NotALedger, match="chatledger_"):
            call(engine)
    engine.dispose()


def test_an_error_half_way_leaves_nothing(engine: Engine, empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: Connection, *arguments: object) -> None:
        if "CREATE TRIGGER" in str(arguments[1]):
            raise ZeroDivisionError

    event.listen(engine, "before_cursor_execute", fail)
    for bind in (engine, engine.connect()):
        with pytest.raises(ZeroDivisionError):
            Base.metadata.create_all(bind)
        if isinstance(bind, Connection):
            bind.commit()
            bind.close()
        assert set() == _tables(empty_url)


def test_what_is_neither_an_engine_nor_a_connection_is_refused() -> None:
    mock = create_mock_engine("sqlite://", lambda *_: None)
    with pytest.raises(InvalidInput, match="chatledger db upgrade --sql"):
        Base.metadata.create_all(mock)
    mapped = create_engine("sqlite://").execution_options(schema_translate_map={None: "chat"})
    with pytest.raises(InvalidInput, match="search_path"):
        Base.metadata.create_all(mapped)


def _tables(url: str) -> set[str]:
    return {name for name in names(url) if not name.startswith("sqlite_")}
