"""State: values under keys that outlive conversations, with versions, and only for whom they belong to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from chatledger import (
    InvalidInput,
    Ledger,
    ProjectNotFound,
    SessionNotFound,
    StateChanged,
    StateScope,
    copy_ledger,
    models,
)
from tests.support.clock import StoppedClock
from tests.support.once import ONCE, ONE_FLAVOR
from tests.support.raw import Raw

VALUE: dict[str, Any] = {"order": [3, 1], "a": {"deep": [None, True]}, "float": 1e16, "text": "東京", "": "empty"}


@pytest.fixture
def talk(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada")
        uow.sessions.create("t", user_id="lin")
    return any_ledger


def test_a_value_is_kept_for_each_owner(timed_ledger: Ledger, clock: StoppedClock) -> None:
    owners: list[dict[str, Any]] = [{"user_id": "x"}, {"project_id": "x"}, {"session_id": "x"}]
    with timed_ledger.begin() as uow:
        uow.sessions.create("x")
        for number, owner in enumerate(owners):
            assert uow.state.find("k", **owner) is None
            assert ("gone", []) == (uow.state.get("k", default="gone", **owner), uow.state.all(**owner))
            made = uow.state.set("k", [VALUE, number], **owner)
            assert (1, clock.now, clock.now, "x", "k") == (
                made.version, made.created_at, made.updated_at, made.scope_id, made.key,
            )  # fmt: skip
            assert made == uow.state.find("k", **owner)
        assert "x" == uow.projects.get("x").project_id
    clock.advance(hours=1)
    with timed_ledger.begin() as uow:
        assert list(StateScope) == [uow.state.find("k", **owner).scope for owner in owners]  # type: ignore[union-attr]
        changed = uow.state.set("k", None, user_id="x")
        assert (2, None, clock.now, clock.now - timedelta(hours=1)) == (
            changed.version, changed.value, changed.updated_at, changed.created_at,
        )  # fmt: skip
        assert uow.state.get("k", default="other", user_id="x") is None
        assert [VALUE, 1] == uow.state.get("k", project_id="x")
        assert list(VALUE) == list(uow.state.get("k", session_id="x")[0])
        uow.state.update({"b": 1, "a": 2}, remove=["k", "nothing"], user_id="x")
        assert [("a", 2), ("b", 1)] == [(entry.key, entry.value) for entry in uow.state.all(user_id="x")]
        assert (True, False) == (uow.state.delete("a", user_id="x"), uow.state.delete("a", user_id="x"))
    assert () == timed_ledger.check().findings


def test_a_version_protects_what_another_writer_stored(talk: Ledger) -> None:
    with talk.begin() as uow:
        first = uow.state.set("k", 1, user_id="ada", expected_version=0)
        second = uow.state.set("k", 2, user_id="ada", expected_version=first.version)
        assert 2 == second.version
        for stale in (0, 1, 3):
            with pytest.raises(StateChanged) as caught:
                uow.state.set("k", 9, user_id="ada", expected_version=stale)
            assert ("k", stale, 2) == (caught.value.key, caught.value.expected, caught.value.actual)
        with pytest.raises(StateChanged):
            uow.state.delete("k", user_id="ada", expected_version=1)
        assert 2 == uow.state.get("k", user_id="ada")
        assert uow.state.delete("k", user_id="ada", expected_version=2)
        with pytest.raises(StateChanged) as caught:
            uow.state.set("k", 9, user_id="ada", expected_version=2)
        assert 0 == caught.value.actual


@ONE_FLAVOR
def test_writers_that_compare_lose_nothing(any_ledger: Ledger) -> None:
    def count(_: int) -> None:
        done = 0
        while done < 5:
            try:
                with any_ledger.begin() as uow:
                    old = uow.state.find("n", user_id="ada")
                    value, version = (0, 0) if old is None else (old.value, old.version)
                    uow.state.set("n", value + 1, user_id="ada", expected_version=version)
                done += 1
            except StateChanged:
                continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    with any_ledger.read() as uow:
        entry = uow.state.find("n", user_id="ada")
    assert entry is not None
    assert (20, 20) == (entry.value, entry.version)


def test_a_user_has_only_what_is_theirs(talk: Ledger) -> None:
    with talk.begin() as uow:
        for owner in ("ada", "lin"):
            uow.state.set("k", owner, user_id=owner)
        uow.state.set("k", "all", project_id="p")
        uow.state.set("k", "t", session_id="t")
    with talk.for_user("ada").begin() as uow:
        assert ("ada", "ada", "all") == (
            uow.state.get("k"), uow.state.get("k", user_id="ada"), uow.state.get("k", project_id="p"),
        )  # fmt: skip
        assert "mine" == uow.state.set("k", "mine", session_id="s").value
        refused: list[Any] = [
            lambda: uow.state.get("k", user_id="lin"), lambda: uow.state.set("k", 1, user_id="lin"),
            lambda: uow.state.set("k", 1, project_id="p"), lambda: uow.state.delete("k", project_id="p"),
        ]  # fmt: skip
        for call in refused:
            with pytest.raises(InvalidInput):
                call()
        for call in (lambda: uow.state.get("k", session_id="t"), lambda: uow.state.set("k", 1, session_id="t")):
            with pytest.raises(SessionNotFound):
                call()


def test_state_goes_with_its_owner_and_with_nothing_else(talk: Ledger, raw: Raw) -> None:
    with talk.begin() as uow:
        for owner in ("ada", "lin"):
            uow.state.set("k", 1, user_id=owner)
        uow.state.set("k", 1, project_id="p")
        for name in ("s", "t"):
            uow.state.set("k", 1, session_id=name)
        uow.sessions.archive("t")
        uow.state.set("k", 2, session_id="t")  # as metadata
        uow.sessions.fork("s", new_session_id="fork")
        assert [] == uow.state.all(session_id="fork")
    talk.sweep()
    talk.purge(older_than=0)
    assert ["p", "s", "ada", "lin"] == owners(raw)
    with talk.begin() as uow:
        uow.projects.delete("p")
        with pytest.raises(ProjectNotFound):
            uow.projects.get("p")
    assert talk.erase_user("ada", scrub=False).found
    assert ["lin"] == owners(raw)
    assert talk.erase_user("lin", scrub=False).found
    assert [] == owners(raw)
    raw("INSERT INTO chatledger_state (scope, scope_id, key, value, version) VALUES ('user', 'bob', 'k', '1', 1)")
    assert talk.erase_user("bob", scrub=False).found
    assert [] == owners(raw)


def owners(raw: Raw) -> list[str]:
    return [row.scope_id for row in raw("SELECT scope_id FROM chatledger_state ORDER BY scope, scope_id")]


@ONE_FLAVOR
def test_state_is_copied_and_backed_up(talk: Ledger, url: str, tmp_path: Path) -> None:
    with talk.begin() as uow:
        entry = uow.state.set("k", VALUE, user_id="ada")
    talk.backup(tmp_path / "backup.db")
    copy_ledger(url, tmp_path / "copy.db")
    for name in ("backup.db", "copy.db"):
        with Ledger(tmp_path / name) as other, other.read() as uow:
            assert entry == uow.state.find("k", user_id="ada")


@ONE_FLAVOR
def test_the_models_know_state(talk: Ledger) -> None:
    with talk.begin() as uow:
        for owner in ("ada", "lin"):
            uow.state.set("k", owner, user_id=owner)
        uow.state.set("k", "t", session_id="t")
    with talk.for_user("ada").orm() as session:
        assert ["ada"] == [one.value for one in session.scalars(select(models.State))]


@ONCE
def test_what_is_not_valid_is_refused_by_name(talk: Ledger) -> None:
    refused: list[tuple[str, dict[str, Any]]] = [
        ("user_id", {}), ("user_id", {"user_id": "a", "session_id": "s"}), ("user_id", {"user_id": ""}),
        ("user_id", {"user_id": 5}), ("key", {"user_id": "a", "key": ""}), ("value", {"user_id": "a", "value": float("nan")}),
        ("expected_version", {"user_id": "a", "expected_version": -1}), ("project_id", {"project_id": "\x00"}),
    ]  # fmt: skip
    with talk.begin() as uow:
        for field, arguments in refused:
            with pytest.raises(InvalidInput) as caught:
                uow.state.set(**{"key": "k", "value": 1, **arguments})
            assert field == caught.value.field
        wrong: Any = 5
        calls: list[tuple[str, Callable[[], Any]]] = [
            ("values", lambda: uow.state.update(wrong, user_id="a")),
            ("remove", lambda: uow.state.update({}, remove="k", user_id="a")),
        ]
        for field, call in calls:
            with pytest.raises(InvalidInput) as caught:
                call()
            assert field == caught.value.field
        with pytest.raises(SessionNotFound):
            uow.state.all(session_id="nobody")
