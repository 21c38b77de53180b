"""A ledger of one user: to every method, what belongs to another user is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, SessionExists, SessionNotFound, UnitOfWork
from tests.house.test_async_twins import methods, services
from tests.support.raw import Raw

THEIRS = "of bob"

#: Every method that is about one session, called on another user's.
NOT_FOUND: dict[str, Callable[[UnitOfWork], object]] = {
    "sessions.get": lambda uow: uow.sessions.get(THEIRS, include_expired=True),
    "sessions.update": lambda uow: uow.sessions.update(THEIRS, title="x", project_id="new project"),
    "sessions.update_context": lambda uow: uow.sessions.update_context(THEIRS, {"a": 1}),
    "sessions.pause": lambda uow: uow.sessions.pause(THEIRS),
    "sessions.resume": lambda uow: uow.sessions.resume(THEIRS),
    "sessions.mark_idle": lambda uow: uow.sessions.mark_idle(THEIRS),
    "sessions.archive": lambda uow: uow.sessions.archive(THEIRS),
    "sessions.expire": lambda uow: uow.sessions.expire(THEIRS),
    "sessions.delete": lambda uow: uow.sessions.delete(THEIRS),
    "sessions.fork": lambda uow: uow.sessions.fork(THEIRS, at=1),
    "messages.append": lambda uow: uow.messages.append(THEIRS, "user", "hello", key="k"),
    "messages.append_many": lambda uow: uow.messages.append_many(THEIRS, [{"role": "user", "key": "k"}]),
    "messages.history": lambda uow: uow.messages.history(THEIRS, last=1),
    "messages.iterate": lambda uow: list(uow.messages.iterate(THEIRS)),
    "messages.get": lambda uow: uow.messages.get(THEIRS, 1),
    "messages.find": lambda uow: uow.messages.find(THEIRS, key="k"),
    "messages.pop": lambda uow: uow.messages.pop(THEIRS),
    "messages.clear": lambda uow: uow.messages.clear(THEIRS),
    "messages.redact": lambda uow: uow.messages.redact(THEIRS, 1),
    "metadata.set": lambda uow: uow.metadata.set(THEIRS, "k", 1),
    "metadata.get": lambda uow: uow.metadata.get(THEIRS, "k"),
    "metadata.all": lambda uow: uow.metadata.all(THEIRS),
    "metadata.delete": lambda uow: uow.metadata.delete(THEIRS, "k"),
}
#: The rest, with what another user's session is to them.
NOTHING: dict[str, Callable[[UnitOfWork], object]] = {
    "sessions.find": lambda uow: uow.sessions.find(THEIRS, include_expired=True),
    "sessions.list": lambda uow: [session.session_id for session in uow.sessions.list(user_id="bob")],
    "search.messages": lambda uow: list(uow.search.messages("secret", session_id=THEIRS)),
    "search.sessions": lambda uow: list(uow.search.sessions("secret", user_id="bob")),
}
#: Tested below in their own words.
OTHERWISE = {"sessions.create"}


@pytest.fixture
def shared(book: Ledger) -> Ledger:
    with book.begin() as uow:
        for name, user in (("of ada", "ada"), (THEIRS, "bob"), ("of nobody", None)):
            uow.sessions.create(name, user_id=user, metadata={"k": "secret"})
            uow.messages.append(name, "user", "a secret word", key="k")
            uow.messages.append(name, "user", "and more", key="l")
    return book


def rows(raw: Raw) -> list[list[tuple[Any, ...]]]:
    tables = ("sessions ORDER BY session_id", "messages ORDER BY session_id, sequence_number", "audit_log", "projects")
    metadata = "SELECT session_id, key, CAST(value AS TEXT) FROM session_metadata ORDER BY 1, 2"
    return [[tuple(map(str, row)) for row in raw(f"SELECT * FROM {table}")] for table in tables] + [
        [tuple(row) for row in raw(metadata)]
    ]


def test_every_method_of_every_service_has_a_case_here() -> None:
    every = {f"{name}.{method}" for name, service in services(UnitOfWork).items() for method in methods(service)}
    assert every == NOT_FOUND.keys() | NOTHING.keys() | OTHERWISE


def test_another_users_session_is_not_found_and_not_touched(shared: Ledger, raw: Raw) -> None:
    before = rows(raw)
    for name, act in NOT_FOUND.items():
        with pytest.raises(SessionNotFound) as caught, shared.for_user("ada").begin() as uow:
            act(uow)
        assert (THEIRS, "no session 'of bob'") == (caught.value.session_id, str(caught.value)), name
    assert before == rows(raw)


def test_another_users_session_is_as_one_that_never_was(shared: Ledger) -> None:
    """The same error, word for word: nothing tells whether the session exists."""
    with shared.begin() as uow:
        uow.sessions.delete("of nobody")
    with shared.for_user("ada").begin() as uow:
        found = []
        for name in (THEIRS, "of nobody"):
            with pytest.raises(SessionNotFound) as caught:
                uow.sessions.get(name)
            found.append(str(caught.value).replace(name, "it"))
    assert found[0] == found[1]


def test_another_users_session_is_nowhere_to_be_seen(shared: Ledger) -> None:
    with shared.for_user("ada").read() as uow:
        assert dict.fromkeys(NOTHING) == {name: look(uow) or None for name, look in NOTHING.items()}


def test_of_lists_and_searches_only_ones_own_is_left(shared: Ledger) -> None:
    for user, name in (("ada", "of ada"), ("bob", THEIRS)):
        with shared.for_user(user).read() as uow:
            assert [name] == [session.session_id for session in uow.sessions.list()]
            assert [name] == [session.session_id for session in uow.sessions.list(user_id=user)]
            assert [name] == [hit.session_id for hit in uow.search.messages("secret")]
            assert [name] == [hit.session_id for hit in uow.search.sessions("secret")]
    with shared.for_user("carol").read() as uow:
        assert [] == list(uow.sessions.list())
        assert [] == list(uow.search.messages("secret"))


def test_what_is_ones_own_can_be_used(shared: Ledger) -> None:
    with shared.for_user("ada").begin() as uow:
        assert 3 == uow.messages.append("of ada", "user", "mine").sequence_number
        assert 4 == uow.messages.append_many("of ada", [{"role": "user"}])[0].sequence_number
        assert "ada" == uow.sessions.fork("of ada", new_session_id="fork").user_id
        uow.metadata.set("of ada", "k", 2)
        assert {"k": 2} == uow.metadata.all("of ada")
        assert "new" == uow.sessions.update("of ada", title="new", user_id="ada").title
        assert [1, 2, 3, 4] == [message.sequence_number for message in uow.messages.iterate("of ada")]
        assert 4 == uow.messages.pop("of ada").sequence_number
        uow.sessions.delete("of ada")
        assert ["fork"] == [session.session_id for session in uow.sessions.list()]


def test_what_one_creates_is_ones_own(shared: Ledger) -> None:
    with shared.for_user("ada").begin() as uow:
        assert "ada" == uow.sessions.create("new").user_id
        assert "ada" == uow.sessions.create(user_id="ada").user_id
    with shared.for_user("bob").read() as uow:
        assert uow.sessions.find("new") is None


def test_nobody_creates_for_or_gives_to_another(shared: Ledger, raw: Raw) -> None:
    before = rows(raw)
    with shared.for_user("ada").begin() as uow:
        with pytest.raises(InvalidInput, match="user_id"):
            uow.sessions.create(user_id="bob")
        with pytest.raises(InvalidInput, match="user_id"):
            uow.sessions.update("of ada", user_id="bob")
        with pytest.raises(InvalidInput, match="user_id"):
            uow.sessions.update("of ada", user_id=None)
    assert before == rows(raw)


def test_a_taken_id_is_taken_whoever_has_it(shared: Ledger) -> None:
    with shared.for_user("ada").begin() as uow:
        with pytest.raises(SessionExists):
            uow.sessions.create(THEIRS)
        with pytest.raises(SessionExists):
            uow.sessions.fork("of ada", new_session_id=THEIRS)


def test_a_cursor_of_another_user_shows_nothing_of_theirs(shared: Ledger) -> None:
    with shared.begin() as uow:
        for number in range(4):
            uow.sessions.create(f"bob {number}", user_id="bob")
    with shared.for_user("bob").read() as uow:
        cursor = uow.sessions.list(limit=1).next_cursor
    with shared.for_user("ada").read() as uow:
        assert {"of ada"} >= {session.session_id for session in uow.sessions.list(cursor=cursor)}


def test_run_is_limited_too(shared: Ledger) -> None:
    with pytest.raises(SessionNotFound):
        shared.for_user("ada").run(lambda uow: uow.sessions.get(THEIRS))


@pytest.mark.parametrize("user", ["", None, 5, b"ada", "\x00", "\ud800"])
def test_a_ledger_is_limited_to_somebody(book: Ledger, user: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        book.for_user(user)
    assert "user_id" == caught.value.field
