"""What an append writes, counted: pages on SQLite, bytes of WAL on PostgreSQL, statements on both. Nothing here depends
on the speed of a machine.

Where a change makes an append dearer or cheaper, these numbers are to be changed with it, and the reason belongs into
the commit.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from benchmarks.conversation import Conversation
from benchmarks.lean_postgresql import LeanPostgreSQL
from chatledger import Ledger
from tests.support.clock import StoppedClock
from tests.support.raw import Raw
from tests.support.statements import counted_statements

_FRAME = 4096 + 24  # a page and its header
_HEADER = 32

# The row of the message, the index of its number, the row of the session, and usage by quarter of an hour. Another page
# would be an index that each append rewrites.
PAGES = 4


@pytest.fixture
def steady(sqlite_url: str) -> Iterator[Ledger]:
    """A ledger that has appended for a while, within one quarter of an hour."""
    with Ledger(sqlite_url, clock=StoppedClock()) as ledger:
        ledger.create("s")
        for _ in range(100):
            ledger.append("s", "user", "Hello there, how are you?")
        yield ledger


def test_an_append_writes_four_pages(steady: Ledger) -> None:
    path = _path(steady)
    wal = Path(f"{path}-wal")
    written = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for _ in range(64):
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            steady.append("s", "user", "Hello there, how are you?")
            written.append((wal.stat().st_size - _HEADER) // _FRAME)
    # A page that is full is split, and each thirty-second append indexes what waits: those write more.
    [(usual, times)] = Counter(written).most_common(1)
    assert (PAGES, True) == (usual, times > 48)


def test_an_append_is_one_statement_whatever_it_holds(any_ledger: Ledger) -> None:
    any_ledger.create("s")
    for _ in range(2):  # the first registers the model, and the second finds it registered
        any_ledger.append("s", "user", "x", model_id="m")
    for given in ({}, {"payload": {"a": 1}}, {"model_id": "m", "input_tokens": 1, "output_tokens": 2}, {"key": "k"}):
        with counted_statements() as seen:
            any_ledger.append("s", "assistant", "x", **given)
        assert 1 == len(seen)


def _path(ledger: Ledger) -> str:
    return str(make_url(str(ledger.engine.url)).database)


def test_an_append_writes_about_as_much_wal_as_one_into_a_lean_table(
    migrated_postgres_url: str, postgres_url: str
) -> None:
    """4,112 bytes against 3,720: the digest, the row of usage and wider rows are 10.5 percent."""
    turn = Conversation().turns(1)[0]
    raw = Raw(postgres_url)
    with Ledger(migrated_postgres_url) as ledger, closing(LeanPostgreSQL(postgres_url)) as lean:
        ledger.create("s")
        lean.create(["s"])
        ours, theirs = [], []
        for _ in range(30):
            before = _position(raw)
            ledger.append("s", **turn.given)
            between = _position(raw)
            lean.append("s", turn)
            ours.append(between - before)
            theirs.append(_position(raw) - between)
    # Whatever else the server writes is added to some of them.
    assert min(ours) <= 1.11 * min(theirs)


def _position(raw: Raw) -> int:
    """How many bytes of WAL the server has written."""
    return int(raw("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0])
