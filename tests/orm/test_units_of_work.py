"""Services and the ORM in one transaction."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as OrmSession

from chatledger import (
    Busy,
    ChatledgerError,
    InvalidInput,
    Ledger,
    LedgerClosed,
    SessionNotFound,
    Settings,
    UnitOfWork,
    UnitOfWorkEnded,
)
from chatledger.models import Message, Project, Session
from tests.orm.conftest import stored


def test_a_service_sees_what_the_session_holds(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.session.add(Session(session_id="s"))
        assert 1 == uow.messages.append("s", "user", "service").sequence_number
        uow.session.add(Message(session_id="s", role="user", content="orm"))
        assert 3 == uow.messages.append_many("s", [{"role": "user", "content": "many"}])[0].sequence_number
        uow.session.get_one(Message, ("s", 2)).content = "changed"
        assert ["service", "changed", "many"] == [message.content for message in uow.messages.history("s")]
        uow.session.add(Message(session_id="s", role="user", content="last"))
    assert ["service", "changed", "many", "last"] == [message.content for message in stored(ledger, "s")]


def test_the_session_sees_what_a_service_wrote(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "x")
        chat = uow.session.get_one(Session, "s")
        assert 1 == chat.message_count
        uow.messages.append("s", "user", "y")
        uow.session.refresh(chat)
        assert 2 == chat.message_count
        assert ["x", "y"] == list(uow.session.scalars(select(Message.content).order_by(Message.sequence_number)))


def test_the_session_does_not_end_the_transaction(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.session.add(Message(session_id="s", role="user"))
        with pytest.raises(ChatledgerError, match="flush"):
            uow.session.commit()
        with pytest.raises(ChatledgerError, match="savepoint"):
            uow.session.rollback()
    assert 1 == len(stored(ledger, "s"))


def test_a_failed_flush_ends_the_unit_of_work(ledger: Ledger) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))
    with pytest.raises(UnitOfWorkEnded), ledger.begin() as uow:  # noqa: PT012 - what is within is what is undone
        uow.messages.append("s", "user", "undone")
        uow.session.add(Message(session_id="nobody", role="user"))
        with pytest.raises(SessionNotFound):
            uow.session.flush()
        with pytest.raises(UnitOfWorkEnded):
            uow.messages.append("s", "user", "never alone")
    assert [] == stored(ledger, "s")


def test_a_failed_flush_before_a_service_is_told_by_the_service(ledger: Ledger) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))
    with pytest.raises(InvalidInput, match="role"), ledger.begin() as uow:  # noqa: PT012 - as above
        uow.session.add(Message(session_id="s", role="robot"))
        uow.messages.append("s", "user", "x")
    with pytest.raises(SessionNotFound), ledger.begin() as uow:
        uow.session.add(Message(session_id="nobody", role="user"))
    assert [] == stored(ledger, "s")


def test_a_savepoint_undoes_services_and_objects(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        with pytest.raises(SessionNotFound), uow.savepoint():  # noqa: PT012 - as above
            uow.messages.append("s", "user", "undone")
            uow.session.add(Message(session_id="nobody", role="user"))
            uow.session.flush()
        with pytest.raises(IntegrityError), uow.savepoint():  # noqa: PT012 - as above
            uow.session.add_all([Project(project_id="p"), Project(project_id="p")])
            uow.session.flush()
        with pytest.raises(ZeroDivisionError), uow.savepoint():  # noqa: PT012 - as above
            uow.session.add(Message(session_id="s", role="user", content="undone"))
            uow.messages.append("s", "user", "undone")
            raise ZeroDivisionError
        uow.session.add(Message(session_id="s", role="user", content="kept"))
        with uow.savepoint():
            uow.messages.append("s", "user", "kept too")
    assert [(1, "kept"), (2, "kept too")] == [(m.sequence_number, m.content) for m in stored(ledger, "s")]


def test_a_reading_unit_of_work_refuses_objects(ledger: Ledger) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))
    with pytest.raises(Exception, match="read"), ledger.read() as uow:  # noqa: PT012 - as above
        assert uow.session.get(Session, "s") is not None
        uow.session.add(Message(session_id="s", role="user"))
        uow.session.flush()
    assert [] == stored(ledger, "s")


def test_an_application_mixes_both(application: Engine, ledger: Ledger) -> None:
    with OrmSession(application, autoflush=False) as session:
        uow = UnitOfWork(session)
        chat = Session(session_id="s", messages=[Message(role="user", content="orm")])
        session.add(chat)
        session.flush()
        assert 2 == uow.messages.append("s", "user", "service").sequence_number
        session.add(Message(session=chat, role="user", content="orm again"))
        session.commit()
    with OrmSession(application) as session:
        UnitOfWork(session).messages.append("s", "user", "rolled back")
        session.add(Message(session_id="s", role="user", content="rolled back"))
        session.rollback()
    assert ["orm", "service", "orm again"] == [message.content for message in stored(ledger, "s")]


def test_services_join_a_session_of_the_ledger(ledger: Ledger) -> None:
    with ledger.orm() as session:
        uow = UnitOfWork(session)
        uow.sessions.create("s")
        session.add(Message(session_id="s", role="user", content="orm"))
        uow.messages.append("s", "user", "service")
        session.commit()
        uow.messages.append("s", "user", "next transaction")
        session.commit()
        session.add(Message(session_id="s", role="user", content="dropped"))
    assert ["orm", "service", "next transaction"] == [message.content for message in stored(ledger, "s")]
    assert 0 == ledger.pool_status()["in_use"]


def test_a_session_of_the_ledger_gives_its_turn_back(ledger: Ledger) -> None:
    with ledger.orm() as session:
        session.add(Session(session_id="s"))
        ledger.run(lambda uow: uow.sessions.create("meanwhile"))  # nothing has begun yet
        session.commit()
        ledger.run(lambda uow: uow.messages.append("s", "user"))
        session.add(Message(session_id="nobody", role="user"))
        with pytest.raises(SessionNotFound):
            session.flush()
        ledger.run(lambda uow: uow.messages.append("s", "user"))  # no need to roll back first
        session.rollback()
        with session.begin():
            session.add(Message(session_id="s", role="user"))
        with pytest.raises(ZeroDivisionError), session.begin():  # noqa: PT012 - as above
            session.add(Message(session_id="s", role="user"))
            session.flush()
            raise ZeroDivisionError
        ledger.run(lambda uow: uow.messages.append("s", "user"))
    assert 4 == len(stored(ledger, "s"))
    assert 0 == ledger.pool_status()["in_use"]


def test_a_ledger_on_an_applications_engine_gives_sessions_too(application: Engine) -> None:
    with Ledger(engine=application) as shared:
        with shared.orm() as session:
            session.add(Session(session_id="s", messages=[Message(role="user", content="x")]))
            session.commit()
            session.delete(session.get_one(Session, "s"))
            session.add(Session(session_id="t", messages=[Message(role="user", content="y")]))
            session.commit()
        assert ["y"] == [message.content for message in stored(shared, "t")]
    with application.connect() as connection:  # as before
        if application.dialect.name == "sqlite":
            assert 0 == connection.exec_driver_sql("PRAGMA foreign_keys").scalar()


def test_a_ledger_in_memory_gives_sessions_too() -> None:
    with Ledger("sqlite://") as ledger:
        with ledger.orm() as session:
            session.add(Session(session_id="s", messages=[Message(role="user", content="x")]))
            session.commit()
        assert ["x"] == [message.content for message in stored(ledger, "s")]


def test_a_closed_ledger_gives_no_transaction(url: str) -> None:
    ledger = Ledger(url)
    ledger.close()
    with ledger.orm() as session, pytest.raises(LedgerClosed):
        session.execute(select(Session))


def test_a_session_waits_no_longer_than_the_settings_say(url: str) -> None:
    with Ledger(url, settings=Settings(busy_timeout=0.2, pool_size=1, max_overflow=0, pool_timeout=0.2)) as ledger:
        with ledger.begin() as uow:
            uow.sessions.create("s")
            with ledger.orm() as session, pytest.raises(Busy):
                session.execute(select(Session))
        with ledger.orm() as session:
            assert 1 == len(session.scalars(select(Session)).all())
