"""How many statements a sweep sends: a constant for each page, and one for each session that it deals with."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from chatledger import Ledger
from tests.support.clock import StoppedClock
from tests.support.statements import counted_statements

# Reading a page, and putting off all in it that were read too early.
_PAGE = 2
# Looking for messages whose writer was lost while they were generated.
_STREAMS = 1
_DEALT_WITH = {"warn_before": 2, "idle_timeout": 3, "archive_timeout": 10}


def _sessions(ledger: Ledger, limit: str, count: int) -> None:
    limits: dict[str, timedelta | None] = {
        "idle_timeout": None, "archive_timeout": None, "hard_timeout": None, "warn_before": None,
    }  # fmt: skip
    limits |= (
        {"idle_timeout": timedelta(hours=2), "warn_before": timedelta(hours=1, minutes=59)}
        if (limit == "warn_before")
        else {limit: timedelta(hours=1)}
    )
    with ledger.begin() as uow:
        for number in range(count):
            session = uow.sessions.create()
            uow.timeouts.configure(session.session_id, **limits)
            uow.messages.append_many(session.session_id, [{"role": "user", "content": "x"}] * (number % 3))


def _statements(ledger: Ledger, *, dry_run: bool = False) -> int:
    with counted_statements() as state:
        ledger.sweep(dry_run=dry_run)
    # How a transaction begins is the dialect's affair.
    return sum(statement.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "DELETE")) for statement in state)


@pytest.mark.parametrize("limit", _DEALT_WITH)
@pytest.mark.parametrize("count", [1, 7, 20])
def test_each_session_that_is_dealt_with_costs_the_same(url: str, limit: str, count: int) -> None:
    clock = StoppedClock()
    with closing(Ledger(url, clock=clock)) as ledger:
        _sessions(ledger, limit, count)
        clock.advance(minutes=61)
        assert 1 + _STREAMS == _statements(ledger, dry_run=True)
        spent = _statements(ledger)
        assert spent == 1 + _STREAMS + _DEALT_WITH[limit] * count
        assert 1 + _STREAMS == _statements(ledger)


@pytest.mark.parametrize("count", [1, 300, 700])
def test_those_that_are_read_too_early_cost_two_statements_a_page_and_are_not_read_again(url: str, count: int) -> None:
    clock = StoppedClock()
    with closing(Ledger(url, clock=clock)) as ledger:
        with ledger.begin() as uow:
            for _ in range(count):
                uow.sessions.create(user_id="ada")
            uow.timeouts.configure_default(user_id="ada")
        pages = 1 + count // 500
        assert _PAGE * pages + _STREAMS == _statements(ledger)
        assert 1 + _STREAMS == _statements(ledger)
