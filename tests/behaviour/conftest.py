"""Fixtures of the behaviour suite.

raw                     plain SQL on the database of `book` or `ledger`
clock, timed_book       a stopped clock, and a `book` that lives by it
both                    a ledger on each database, to compare answers
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatledger import Ledger
from tests.support.clock import StoppedClock
from tests.support.colours import open_book
from tests.support.raw import Raw


@pytest.fixture
def raw(url: str) -> Raw:
    return Raw(url)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def timed_book(colour: str, url: str, clock: StoppedClock) -> Iterator[Ledger]:
    with open_book(colour, url, clock=clock) as book:
        yield book


@pytest.fixture
def both(migrated_sqlite_url: str, migrated_postgres_url: str) -> Iterator[tuple[Ledger, Ledger]]:
    with Ledger(migrated_sqlite_url) as sqlite, Ledger(migrated_postgres_url) as postgres:
        yield sqlite, postgres
