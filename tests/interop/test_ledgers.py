"""Sessions of frameworks, without a framework: created by the first write, and what follows once they are closed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, LedgerClosed, SessionClosed, SessionExists, Status
from chatledger.interop.ledgers import AwaitedLedger, OnClosed, continued, in_session
from chatledger.unit_of_work import UnitOfWork
from tests.support.once import ONE_DATABASE


def say(ledger: Any, text: str, on_closed: OnClosed = "raise", user_id: str | None = None) -> str:
    def work(uow: UnitOfWork) -> str:
        return in_session(uow, "s", lambda id_: uow.messages.append(id_, "user", text).session_id, on_closed=on_closed)

    return AwaitedLedger(ledger, user_id).synchronous().run(work)


def said(ledger: Ledger, on_closed: OnClosed = "raise") -> list[str]:
    with ledger.read() as uow:
        current = continued(uow, "s") if on_closed == "fork" else "s"
        return [message.content for message in uow.messages.history(current)]


def close(ledger: Ledger, session_id: str = "s") -> None:
    with ledger.begin() as uow:
        uow.sessions.archive(session_id)


def test_a_session_of_another_user_is_not_written(ledger: Ledger) -> None:
    say(ledger, "a", user_id="ada")
    with pytest.raises(SessionExists):
        say(ledger, "b", user_id="bob")
    with ledger.read() as uow:
        assert "ada" == uow.sessions.get("s").user_id
    assert ["a"] == said(ledger)


def test_a_closed_session_refuses_writes_or_is_reopened(ledger: Ledger) -> None:
    say(ledger, "a")
    close(ledger)
    with pytest.raises(SessionClosed):
        say(ledger, "b")
    assert "s" == say(ledger, "b", "reopen")
    assert ["a", "b"] == said(ledger)


def test_a_closed_session_goes_on_in_a_copy_and_that_in_another(ledger: Ledger) -> None:
    say(ledger, "a", "fork", "ada")
    close(ledger)
    assert ["a"] == said(ledger, "fork")
    assert ["s~2", "s~2"] == [say(ledger, text, "fork", "ada") for text in ("b", "c")]
    close(ledger, "s~2")
    assert "s~3" == say(ledger, "d", "fork", "ada")
    assert (["a", "b", "c", "d"], ["a"]) == (said(ledger, "fork"), said(ledger))
    with ledger.read() as uow:
        assert (Status.ARCHIVED, "ada") == (uow.sessions.get("s").status, uow.sessions.get("s~3").user_id)


@ONE_DATABASE
def test_a_session_that_only_has_the_name_of_a_copy_is_left_alone(ledger: Ledger) -> None:
    say(ledger, "a")
    close(ledger)
    with ledger.begin() as uow:
        uow.sessions.create("s~2")
    with pytest.raises(SessionExists):
        say(ledger, "b", "fork")


@ONE_DATABASE
def test_the_ledger_is_of_either_kind_or_a_url(ledger: Ledger) -> None:
    say(ledger.for_user("ada"), "a", user_id="ada")
    behind = AsyncLedger(ledger.url)
    say(behind, "b", user_id="ada")
    asyncio.run(behind.close())
    shared = [AwaitedLedger(ledger.url, "ada"), AwaitedLedger(ledger.url, None)]
    assert shared[0].synchronous()._database is shared[1].synchronous()._database
    for one in shared:
        asyncio.run(one.close())
    with pytest.raises(LedgerClosed):
        shared[0].synchronous()
    assert ["a", "b"] == said(ledger)


@ONE_DATABASE
def test_what_is_no_ledger_or_that_of_another_user_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="must be a Ledger"):
        say(1, "a")
    with pytest.raises(InvalidInput, match="another user"):
        say(ledger.for_user("ada"), "a", user_id="bob")
