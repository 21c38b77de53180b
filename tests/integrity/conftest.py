"""Fixtures: a nursery of processes, plain SQL, and a ledger with something of everything."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from chatledger import migrate
from chatledger.dialects.base import Dialect
from tests.faults.fixtures import nursery, one_nursery, raw
from tests.integrity.damage import fill
from tests.support.templates import Copy

__all__ = ["expected_once", "filled", "nursery", "one_nursery", "raw"]


@pytest.fixture
def filled(copied: Copy) -> str:
    """The URL of a ledger with something of everything."""
    return copied(fill)


_expected: dict[str, migrate.Expected] = {}


@pytest.fixture
def expected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema that a check compares with is made once for each kind of database, and not by each check.

    Making it is a whole migration, half of the time of a check. For tests of damaged rows.
    """
    make = migrate.expected

    def expected(connection: Connection, dialect: Dialect) -> migrate.Expected:
        if dialect.name not in _expected:
            _expected[dialect.name] = make(connection, dialect)
        return _expected[dialect.name]

    monkeypatch.setattr(migrate, "expected", expected)
