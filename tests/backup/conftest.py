"""Fixtures: a ledger with everything in it, and processes to be killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatledger import Ledger
from tests.backup.rows import fill
from tests.backup.small_disk import small_disk
from tests.faults.fixtures import nursery, one_nursery, raw
from tests.support.sqlite import url_of

__all__ = ["nursery", "one_nursery", "raw", "small_disk"]


@pytest.fixture
def filled(url: str) -> str:
    """The URL of a ledger with rows of every kind, once on each backend."""
    with Ledger(url) as ledger:
        fill(ledger)
    return url


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A ledger in a file, with rows of every kind, that nobody has open."""
    path = tmp_path / "old" / "chat.db"
    path.parent.mkdir()
    with Ledger(url_of(path)) as ledger:
        fill(ledger)
    return path


@pytest.fixture
def backup(old: Path, tmp_path: Path) -> Path:
    """A backup of `old`, to which a session has been added since."""
    path = tmp_path / "backup.db"
    with Ledger(url_of(old)) as ledger:
        ledger.backup(path)
        ledger.run(lambda uow: uow.sessions.create("since the backup", user_id="lin"))
    return path


@pytest.fixture
def empty_target(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of the other kind than `backend`."""
    if backend == "postgresql":
        yield url_of(tmp_path / "target.db")
    else:
        yield request.getfixturevalue("postgres_url")
