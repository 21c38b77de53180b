"""`get_or_create` returns the session that is there, or creates it once however many ask."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, SessionExists, Status
from tests.support.once import ONCE, ONE_FLAVOR
from tests.support.raw import Raw
from tests.support.statements import counted_statements


def test_a_session_that_is_missing_is_created_with_its_fields(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        made = uow.sessions.get_or_create(
            "trip", user_id="ada", project_id="travel", title="Trip", context={"a": 1}, metadata={"m": [1]}
        )
    with any_ledger.read() as uow:
        assert made == uow.sessions.get("trip")
    assert ("ada", "travel", "Trip", {"a": 1}, {"m": [1]}) == (
        made.user_id, made.project_id, made.title, made.context, made.metadata,
    )  # fmt: skip


def test_an_existing_session_comes_back_unchanged_in_one_statement(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        made = uow.sessions.create("trip", user_id="ada", title="Trip")
    with any_ledger.begin() as uow, counted_statements() as statements:
        found = uow.sessions.get_or_create(
            "trip", user_id="ada", project_id="other", title="Another", metadata={"m": 1}
        )
    assert made == found
    assert 1 == len(statements)
    assert [] == raw("SELECT project_id FROM chatledger_projects")


@ONE_FLAVOR
def test_a_closed_session_comes_back_as_it_is(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("trip")
        uow.sessions.expire("trip")
        assert Status.EXPIRED is uow.sessions.get_or_create("trip").status


def test_the_session_of_another_user_is_refused(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("trip", user_id="ada")
    with pytest.raises(SessionExists), any_ledger.begin() as uow:
        uow.sessions.get_or_create("trip", user_id="lin")
    with pytest.raises(SessionExists), any_ledger.for_user("lin").begin() as uow:
        uow.sessions.get_or_create("trip")
    with any_ledger.for_user("ada").begin() as uow:
        assert "ada" == uow.sessions.get_or_create("trip").user_id
        assert "ada" == uow.sessions.get_or_create("new").user_id
    with any_ledger.begin() as uow:  # without a user, whoever's it is
        assert "ada" == uow.sessions.get_or_create("trip").user_id


@ONCE
@pytest.mark.parametrize("exists", [True, False])
def test_what_is_not_valid_is_refused_whether_or_not_the_session_exists(any_ledger: Ledger, exists: bool) -> None:
    with any_ledger.begin() as uow:
        if exists:
            uow.sessions.create("trip")
        with pytest.raises(InvalidInput, match="title"):
            uow.sessions.get_or_create("trip", title=5)  # type: ignore[arg-type]  # wrong on purpose
        with pytest.raises(InvalidInput, match="session_id"):
            uow.sessions.get_or_create(None)


def test_threads_that_ask_at_once_get_one_session(ledger: Ledger, raw: Raw) -> None:
    barrier = threading.Barrier(6)

    def ask(number: int) -> str | None:
        barrier.wait(10)
        title = ""
        for name in range(10):
            with ledger.begin() as uow:
                title = uow.sessions.get_or_create(f"s{name}", title=f"by {number}").title or ""
                uow.messages.append(f"s{name}", "user", f"from {number}")
        return title

    with ThreadPoolExecutor(6) as pool:
        titles = set(pool.map(ask, range(6)))
    assert 1 == len(titles)
    assert [(10, 60)] == raw("SELECT count(*), sum(message_count) FROM chatledger_sessions")
    assert ledger.check()


def _ask(url: str, barrier: Any) -> None:
    with Ledger(url) as ledger:
        barrier.wait(30)
        for name in range(10):
            with ledger.begin() as uow:
                uow.sessions.get_or_create(f"s{name}")
                uow.messages.append(f"s{name}", "user", "x")


def test_processes_that_ask_at_once_get_one_session(url: str, raw: Raw) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [context.Process(target=_ask, args=(url, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [0, 0] == [process.exitcode for process in processes]
    assert [(10, 20)] == raw("SELECT count(*), sum(message_count) FROM chatledger_sessions")
