"""The ORM under asyncio: on an application's engine, with each driver, and on an `AsyncLedger`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import insert, make_url, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import selectinload

from chatledger import AsyncLedger, AsyncUnitOfWork, InvalidInput, Ledger, UnitOfWork
from chatledger.models import Message, Session
from tests.orm.conftest import stored


@pytest.fixture(params=["aiosqlite", "psycopg", "asyncpg"])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def async_url(driver: str, request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database for a driver."""
    kind = "sqlite" if driver == "aiosqlite" else "postgres"
    url = make_url(str(request.getfixturevalue(f"migrated_{kind}_url")))
    backend = "sqlite" if driver == "aiosqlite" else "postgresql"
    url = url.set(drivername=f"{backend}+{driver}")
    if driver == "asyncpg":  # which calls the directory of a socket otherwise
        url = url.difference_update_query(["sslmode"])
    return url.render_as_string(hide_password=False)


@pytest.fixture
def plain(driver: str, async_url: str) -> Iterator[Ledger]:
    """A ledger on the same database."""
    backend = "sqlite" if driver == "aiosqlite" else "postgresql"
    with Ledger(make_url(async_url).set(drivername=backend)) as ledger:
        yield ledger


async def _write(url: str) -> None:
    engine = create_async_engine(url)
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session:
            chat = Session(
                session_id="s",
                model_id="gpt",
                context={"a": [1, 2.5, "é"]},
                messages=[
                    Message(role="user", content="Hi", payload={"x": 1}, metadata_={"m": True}),
                    Message(
                        role="assistant", content="数据", input_tokens=1000, output_tokens=10, outcome="error", key="k"
                    ),
                ],
            )
            session.add(chat)
            await session.commit()
            assert (2, 1010) == (chat.message_count, chat.total_tokens)
            session.add_all([Message(session_id="s", role="user", content=str(n), cost=n) for n in range(50)])
            await session.flush()
            await session.execute(insert(Message), [{"session_id": "s", "role": "user", "content": "row"}] * 3)
            await session.commit()
        async with AsyncSession(engine, expire_on_commit=False) as session:
            wanted = select(Session).options(selectinload(Session.messages))
            chat = (await session.scalars(wanted)).one()
            chat.messages[0].content = "Hello"
            chat.messages.append(Message(role="user", content="last"))
            await session.commit()
            assert 56 == chat.message_count
            await session.run_sync(lambda sync: UnitOfWork(sync).messages.append("s", "user", "by a service"))
            await session.commit()
            with pytest.raises(InvalidInput, match="the next number is 58"):
                await refused(session)
    finally:
        await engine.dispose()


async def refused(session: AsyncSession) -> None:
    session.add(Message(session_id="s", sequence_number=99, role="user"))
    await session.flush()


def test_messages_are_written_with_every_driver(plain: Ledger, async_url: str) -> None:
    asyncio.run(_write(async_url))
    found = stored(plain, "s")
    assert list(range(1, 58)) == [message.sequence_number for message in found]
    assert ["Hello", "数据", "0"] == [message.content for message in found[:3]]
    assert ({"x": 1}, {"m": True}) == (found[0].payload, found[0].metadata)
    assert ["last", "by a service"] == [message.content for message in found[-2:]]


def test_an_application_deletes_a_session(plain: Ledger, async_url: str) -> None:
    plain.run(lambda uow: uow.sessions.create("s"))
    plain.run(lambda uow: uow.messages.append("s", "user", "x"))

    async def delete() -> None:
        engine = create_async_engine(async_url)
        async with AsyncSession(engine) as session:
            await session.delete(await session.get_one(Session, "s"))
            await session.commit()
        await engine.dispose()

    asyncio.run(delete())
    assert () == plain.check().findings
    with plain.read() as uow:
        assert uow.sessions.find("s") is None


def test_an_async_ledger_runs_work_with_a_session(url: str) -> None:
    def work(session: OrmSession) -> Session:
        chat = Session(session_id="s", messages=[Message(role="user", content="Hi")])
        session.add(chat)
        return chat

    def fail(session: OrmSession) -> None:
        session.add(Message(session_id="s", role="user"))
        raise ZeroDivisionError

    async def main() -> None:
        async with AsyncLedger(url) as ledger:
            chat = await ledger.orm(work)
            assert 1 == chat.message_count
            await asyncio.gather(
                *(ledger.orm(lambda session: session.add(Message(session_id="s", role="user"))) for _ in range(20))
            )
            with pytest.raises(ZeroDivisionError):
                await ledger.orm(fail)
            await ledger.for_user("ada").orm(lambda session: session.add(Session(session_id="hers")))
            with pytest.raises(InvalidInput):
                await ledger.for_user("ada").orm(lambda session: session.add(Session(user_id="bob")))

    asyncio.run(main())
    with Ledger(url) as ledger:
        assert 21 == len(stored(ledger, "s"))
        with ledger.read() as uow:
            assert "ada" == uow.sessions.get("hers").user_id


async def _join(url: str, *, fail: bool = False) -> tuple[list[str], list[str]]:
    """What a unit of work reads back within the transaction of an application, and what it finds."""
    engine = create_async_engine(url)
    try:
        async with AsyncSession(engine) as session, session.begin():
            session.add(Session(session_id="other", title="Beside"))
            uow = AsyncUnitOfWork(session, user_id="ada", actor="nina")
            await uow.sessions.create("s")
            await uow.messages.append("s", "user", "Where is the otter?")
            await uow.messages.append_many("s", [{"role": "assistant", "content": f"At {n}"} for n in range(600)])
            read = [message.content async for message in uow.messages.iterate("s")]
            found = [hit.session_id for hit in await uow.search.messages("otter")]
            assert ["s"] == [one.session_id for one in await uow.run(lambda sync: sync.sessions.list())]
            if fail:
                raise ZeroDivisionError
        return read, found
    finally:
        await engine.dispose()


def test_a_unit_of_work_joins_the_transaction_of_a_session(async_url: str, plain: Ledger) -> None:
    read, found = asyncio.run(_join(async_url))
    assert (601, "Where is the otter?", ["s"]) == (len(read), read[0], found)
    with plain.read() as uow:
        assert {"other", "s"} == {one.session_id for one in uow.sessions.list()}
        assert ("ada", 601) == (uow.sessions.get("s").user_id, uow.sessions.get("s").message_count)
    assert plain.check()


def test_what_a_unit_of_work_wrote_goes_with_the_application_s_transaction(async_url: str, plain: Ledger) -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(_join(async_url, fail=True))
    with plain.read() as uow:
        assert () == uow.sessions.list().items


async def _on_a_connection(url: str) -> None:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await AsyncUnitOfWork(connection).sessions.create("s")
    finally:
        await engine.dispose()


def test_a_unit_of_work_joins_the_transaction_of_a_connection(async_url: str, plain: Ledger) -> None:
    asyncio.run(_on_a_connection(async_url))
    with plain.read() as uow:
        assert "s" == uow.sessions.get("s").session_id


@pytest.mark.parametrize("wrong", [None, "sqlite://", object()])
def test_what_is_not_an_asynchronous_session_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidInput, match="AsyncSession"):
        AsyncUnitOfWork(wrong)  # type: ignore[arg-type]


def test_an_asynchronous_engine_is_refused_with_what_to_do(async_url: str) -> None:
    engine = create_async_engine(async_url)
    with pytest.raises(InvalidInput, match=r"AsyncUnitOfWork\(session\)"):
        Ledger(engine=engine)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"AsyncUnitOfWork\(session\)"):
        Ledger(engine=engine.sync_engine)
