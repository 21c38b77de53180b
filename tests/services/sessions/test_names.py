"""Names of sessions: unique within a user and a project, entered by triggers, whoever writes."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from chatledger import (
    InvalidInput,
    Ledger,
    Session,
    SessionExists,
    SessionNameTaken,
    SessionNotFound,
    Status,
    UnitOfWork,
    models,
)
from tests.support.raw import Raw

NAMES = "SELECT user_id, project_id, name, session_id FROM chatledger_session_names ORDER BY 1, 2, 3"


def test_a_session_is_found_by_its_name(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        made = uow.sessions.create("s", user_id="ada", project_id="app", name="main")
        assert ("main", None) == (made.name, made.parent_id)
        assert made == uow.sessions.get("s") == uow.sessions.get_by_name("main", user_id="ada", project_id="app")
        for user_id, project_id in ((None, None), ("ada", None), (None, "app"), ("bob", "app")):
            assert uow.sessions.find_by_name("main", user_id=user_id, project_id=project_id) is None
        with pytest.raises(SessionNotFound, match="other"):
            uow.sessions.get_by_name("other", user_id="ada", project_id="app")


def test_a_name_is_unique_within_a_user_and_a_project(any_ledger: Ledger) -> None:
    places = [(None, None), ("ada", None), (None, "app"), ("ada", "app"), ("bob", "app")]
    with any_ledger.begin() as uow:
        for user_id, project_id in places:
            uow.sessions.create(user_id=user_id, project_id=project_id, name="main")
        for user_id, project_id in places:
            with pytest.raises(SessionNameTaken, match="main") as refused:
                uow.sessions.create("new", user_id=user_id, project_id=project_id, name="main")
            assert "main" == refused.value.name
        # Nothing is left of what was refused, and the transaction goes on.
        assert "other" == uow.sessions.create("new", user_id="ada", name="other").name
        with pytest.raises(SessionExists):
            uow.sessions.create("new", user_id="ada", name="third")
        assert "third" == uow.sessions.create("again", user_id="ada", name="third").name


def test_a_name_is_free_again_when_its_session_is_renamed_or_deleted(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("a", user_id="ada", name="main")
        assert "old" == uow.sessions.update("a", name="old").name
        uow.sessions.create("b", user_id="ada", name="main")
        with pytest.raises(SessionNameTaken):
            uow.sessions.update("a", name="main")
        assert "main" == uow.sessions.update("b", name="main").name
        uow.sessions.delete("b")
        assert "main" == uow.sessions.update("a", name="main").name
        assert uow.sessions.update("a", name=None).name is None
    assert [] == raw(NAMES)


def test_a_session_takes_its_name_along_to_another_user_or_project(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("a", user_id="ada", name="main")
        uow.sessions.create("b", user_id="bob", name="main")
        with pytest.raises(SessionNameTaken):
            uow.sessions.update("a", user_id="bob")
        uow.sessions.update("a", user_id="bob", project_id="app")
        with pytest.raises(SessionNameTaken):
            uow.sessions.update("b", project_id="app")
        uow.sessions.update("b", user_id=None, title="unchanged")
    assert [("", "", "main", "b"), ("bob", "app", "main", "a")] == raw(NAMES)
    assert any_ledger.check().ok


def test_get_or_create_finds_by_name(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        made = uow.sessions.get_or_create(name="main", user_id="ada", title="First")
        assert made == uow.sessions.get_or_create(name="main", user_id="ada", title="Second")
        assert made.session_id != uow.sessions.get_or_create(name="main", user_id="bob").session_id
        assert "named" == uow.sessions.get_or_create("named", name="other", user_id="ada").session_id
        assert "named" == uow.sessions.get_or_create(name="other", user_id="ada").session_id
        with pytest.raises(SessionNameTaken):
            uow.sessions.get_or_create("third", name="other", user_id="ada")
        with pytest.raises(InvalidInput, match="name"):
            uow.sessions.get_or_create()
        uow.sessions.expire(made.session_id)
        assert uow.sessions.find_by_name("main", user_id="ada") is None
        assert Status.EXPIRED == uow.sessions.get_by_name("main", user_id="ada", include_expired=True).status
        assert Status.EXPIRED == uow.sessions.get_or_create(name="main", user_id="ada").status


def test_writers_that_ask_for_one_name_get_one_session(ledger: Ledger) -> None:
    found: list[Session] = []
    together = threading.Barrier(6)

    def ask() -> None:
        def work(uow: UnitOfWork) -> Session:
            return uow.sessions.get_or_create(name="main", user_id="ada")

        together.wait()
        found.append(ledger.run(work))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 6 == len(found)
    assert 1 == len({session.session_id for session in found})


def test_a_user_sees_and_takes_only_own_names(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("a", user_id="ada", name="main")
    with any_ledger.for_user("bob").begin() as uow:
        assert uow.sessions.find_by_name("main") is None
        assert uow.sessions.find_by_name("main", user_id="ada") is None
        assert "bob" == uow.sessions.create(name="main").user_id
    with any_ledger.for_user("ada").begin() as uow:
        assert "a" == uow.sessions.get_by_name("main").session_id == uow.sessions.get_or_create(name="main").session_id


def test_what_cannot_be_a_name_is_refused(any_ledger: Ledger) -> None:
    bad: list[Any] = ["", "x" * 256, "a\x00b", 7, "\ud800"]
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        for name in bad:
            for call in (uow.sessions.create, partial(uow.sessions.update, "s")):
                with pytest.raises(InvalidInput, match="name"):
                    call(name=name)
        for name in bad[2:]:
            with pytest.raises(InvalidInput, match="name"):
                uow.sessions.find_by_name(name)
            with pytest.raises(InvalidInput, match="name_prefix"):
                uow.sessions.list(name_prefix=name)


def test_raw_sql_and_the_orm_enter_names_too(ledger: Ledger, raw: Raw) -> None:
    raw("INSERT INTO chatledger_sessions (session_id, user_id, name) VALUES ('raw', 'ada', 'main')")
    with ledger.orm() as orm:
        orm.add(models.Session(session_id="orm", user_id="ada", name="mapped"))
        orm.commit()
    assert [("ada", "", "main", "raw"), ("ada", "", "mapped", "orm")] == raw(NAMES)
    with ledger.begin() as uow:
        assert "raw" == uow.sessions.get_by_name("main", user_id="ada").session_id
        with pytest.raises(SessionNameTaken):
            uow.sessions.update("orm", name="main")
    with ledger.orm() as orm:
        orm.get_one(models.Session, "orm").name = "main"
        with pytest.raises(IntegrityError):
            orm.commit()
    with ledger.orm() as orm:
        orm.add(models.Session(session_id="bad", name=""))
        with pytest.raises(InvalidInput, match="name"):
            orm.commit()
    raw("UPDATE chatledger_sessions SET name = 'renamed', project_id = 'app' WHERE session_id = 'raw'")
    raw("DELETE FROM chatledger_sessions WHERE session_id = 'orm'")
    assert [("ada", "app", "renamed", "raw")] == raw(NAMES)
    assert ledger.check().ok


def test_a_fork_and_a_restored_copy_have_no_name(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("parent", user_id="ada")
        uow.sessions.create("s", user_id="ada", name="main", parent="parent")
        uow.messages.append("s", "user", "Hello")
        fork = uow.sessions.fork("s")
        assert (None, None) == (fork.name, fork.parent_id)
        taken = uow.snapshots.take("s")
        restored = uow.snapshots.restore(taken.snapshot_id, as_session_id="copy")
        assert (None, None) == (restored.name, restored.parent_id)
        assert "s" == uow.sessions.get_by_name("main", user_id="ada").session_id


def test_names_are_erased_with_their_user(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("a", user_id="ada", name="main")
        uow.messages.append("a", "user", "Hello", input_tokens=3)
        uow.sessions.create("b", user_id="bob", name="main")
    any_ledger.erase_user("ada", keep_totals=True)
    assert [("bob", "", "main", "b")] == raw(NAMES)


def test_a_snapshot_of_a_project_where_the_name_is_taken_is_not_restored(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada", project_id="old", name="main")
        uow.messages.append("s", "user", "Hello")
        taken = uow.snapshots.take("s")
        uow.messages.append("s", "user", "Again")
        uow.sessions.update("s", project_id="new")
        uow.sessions.create("other", user_id="ada", project_id="old", name="main")
        with pytest.raises(SessionNameTaken):
            uow.snapshots.restore(taken.snapshot_id)
        assert ("new", 2) == ((session := uow.sessions.get("s")).project_id, session.message_count)
        uow.sessions.delete("other")
        assert ("old", 1) == ((session := uow.snapshots.restore(taken.snapshot_id)).project_id, session.message_count)
        assert "s" == uow.sessions.get_by_name("main", user_id="ada", project_id="old").session_id
