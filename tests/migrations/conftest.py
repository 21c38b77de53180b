"""Fixtures: plain SQL beside the ledger, and more empty databases of the same kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.fixtures import nursery, one_nursery
from tests.migrations.contents import fill
from tests.support import sqlite
from tests.support.postgres import Server
from tests.support.templates import Copy

__all__ = ["new_url", "nursery", "one_nursery"]


@pytest.fixture
def filled_url(copied: Copy) -> str:
    """A migrated database with rows in every table, once on each backend."""
    return copied(fill)


@pytest.fixture
def new_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes another empty database of the backend each time it is called."""
    numbers = itertools.count(1)
    with ExitStack() as stack:

        def make() -> str:
            if backend == "sqlite":
                return sqlite.url_of(tmp_path / f"other-{next(numbers)}.db")
            server: Server = request.getfixturevalue("postgres_server")
            return stack.enter_context(server.database())

        yield make
