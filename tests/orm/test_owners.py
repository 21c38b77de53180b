"""Through `for_user` the ORM reads and writes one user's rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import selectinload

from chatledger import ChatledgerError, InvalidInput, Ledger, SessionNotFound
from chatledger.models import Base, BatchJob, Message, Project, Session, SessionMetadata, TimeoutDefault


@pytest.fixture
def shared(ledger: Ledger) -> Ledger:
    """A ledger with a session of Ada's and one of Bob's."""
    with ledger.begin() as uow:
        for user in ("ada", "bob"):
            uow.sessions.create(user, user_id=user, project_id=f"{user}'s", metadata={"k": user})
            uow.messages.append(user, "user", f"of {user}")
            uow.snapshots.take(user)
            uow.annotations.add(user, label="good")
            uow.timeouts.configure(user, idle_timeout=60)
        uow.timeouts.configure_default(idle_timeout=60)
        uow.timeouts.configure_default(user_id="bob", idle_timeout=60)
        uow.metrics.record("m", 1, session_id="bob")
        uow.batches.create("job", [{"key": "k"}], user_id="bob")
    return ledger


def test_only_their_rows_are_read(shared: Ledger) -> None:
    with shared.for_user("ada").orm() as session:
        chat = session.scalars(select(Session).options(selectinload(Session.messages))).one()
        assert ("ada", ["of ada"]) == (chat.session_id, [message.content for message in chat.messages])
        assert session.get(Session, "bob") is None
        assert session.get(Message, ("bob", 1)) is None
        assert 1 == session.scalar(select(func.count()).select_from(Message))
        joined = select(Message.content).join(Message.session).where(Session.session_id == "bob")
        assert [] == list(session.scalars(joined))
        assert ["ada's"] == list(session.scalars(select(Project.project_id)))
        for mapper in Base.registry.mappers:
            for row in session.scalars(select(mapper.class_)):
                assert "bob" not in {value for value in vars(row).values() if isinstance(value, str)}, row
    with shared.for_user("ada").read() as uow:
        assert ["of ada"] == list(uow.session.scalars(select(Message.content)))
    with shared.read() as uow:
        assert 2 == len(list(uow.session.scalars(select(Message.content))))


def test_only_their_rows_are_written(shared: Ledger) -> None:
    ada = shared.for_user("ada")
    with ada.orm() as session:
        session.add(Session(session_id="new", messages=[Message(role="user", content="x")]))
        session.add(Message(session_id="ada", role="user", content="y"))
        session.execute(insert(Message), [{"session_id": "ada", "role": "user", "content": "z"}])
        session.get_one(Session, "ada").title = "Trip"
        session.add(BatchJob(job_id="j", max_attempts=1, backoff_ms=1, backoff_limit_ms=1))
        assert 1 == session.execute(delete(Message).where(Message.content.startswith("of"))).rowcount  # type: ignore[attr-defined]
        session.commit()
    with shared.read() as uow:
        assert "ada" == uow.sessions.get("new").user_id
        assert ("Trip", 2) == (uow.sessions.get("ada").title, uow.sessions.get("ada").message_count)
        assert 1 == uow.sessions.get("bob").message_count
    assert () == shared.check().findings


REFUSED: dict[str, Callable[[OrmSession], Any]] = {
    "a message of another's session": lambda s: s.add(Message(session_id="bob", role="user")),
    "several messages": lambda s: s.add_all(Message(session_id=name, role="user") for name in ("ada", "bob")),
    "rows of another's session": lambda s: s.execute(insert(Message), [{"session_id": "bob", "role": "user"}]),
    "metadata of another's session": lambda s: s.add(SessionMetadata(session_id="bob", key="new", value=1)),
    "a session for another": lambda s: s.add(Session(session_id="n", user_id="bob")),
    "a session given away": lambda s: setattr(s.get_one(Session, "ada"), "user_id", "bob"),
    "sessions given away": lambda s: s.execute(update(Session).values(user_id="bob")),
    "rows of sessions": lambda s: s.execute(insert(Session), [{"session_id": "n"}]),
    "a job for another": lambda s: s.add(
        BatchJob(job_id="j", user_id="bob", max_attempts=1, backoff_ms=1, backoff_limit_ms=1)
    ),
    "a project": lambda s: s.add(Project(project_id="p")),
    "a default": lambda s: s.add(TimeoutDefault(scope="ledger", scope_id="")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(shared: Ledger, name: str) -> None:
    def sizes() -> list[Any]:
        with shared.read() as uow:
            tables = [Message.__table__, SessionMetadata.__table__, Session.__table__, BatchJob.__table__]
            return [uow.session.scalar(select(func.count()).select_from(table)) for table in tables]

    before = sizes()
    with shared.for_user("ada").orm() as session, pytest.raises((SessionNotFound, InvalidInput)):  # noqa: PT012
        REFUSED[name](session)
        session.commit()
    with pytest.raises(ChatledgerError), shared.for_user("ada").begin() as uow:
        REFUSED[name](uow.session)
    assert before == sizes()
    with shared.read() as uow:
        assert "ada" == uow.sessions.get("ada").user_id


def test_an_object_of_another_user_cannot_be_smuggled_in(shared: Ledger) -> None:
    with shared.orm() as session:
        theirs = session.get_one(Session, "bob")
        message = session.get_one(Message, ("bob", 1))
        session.expunge_all()
    for row, name in ((theirs, "title"), (message, "content")):
        with shared.for_user("ada").orm() as session:
            session.add(row)
            setattr(row, name, "taken")
            with pytest.raises(SessionNotFound):
                session.flush()
            session.rollback()
            session.expunge_all()
        with shared.for_user("ada").orm() as session:
            session.add(row)
            session.delete(row)
            with pytest.raises(SessionNotFound):
                session.flush()
            session.rollback()
            session.expunge_all()
    assert () == shared.check().findings


def test_nobody_joins_a_project_of_others(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.projects.create("vicproj", name="Merger")
        uow.sessions.create("of vic", user_id="vic", project_id="vicproj")
    mal = ledger.for_user("mal")
    with mal.begin() as uow:
        # Both name a project that is new.
        uow.session.add_all([Session(session_id=name, project_id="fresh") for name in ("a", "b")])
        uow.session.flush()
        uow.session.add(Session(session_id="c", project_id="fresh"))
    for write in (
        lambda s: s.add(Session(session_id="d", project_id="vicproj")),
        lambda s: setattr(s.get(Session, "a"), "project_id", "vicproj"),
        lambda s: s.execute(update(Session).values(project_id="vicproj")),
    ):
        with pytest.raises(InvalidInput, match="project_id"):
            mal.run(lambda uow, write=write: (write(uow.session), uow.session.flush()))  # type: ignore[misc]
    with mal.begin() as uow:
        assert ["fresh"] == list(uow.session.scalars(select(Project.project_id)))
        assert 3 == len(uow.sessions.list(project_id="fresh").items)
