"""How many statements an operation sends: a constant, however much it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from chatledger import Ledger, UnitOfWork
from tests.support.flavors import open_ledger
from tests.support.once import ONE_FLAVOR
from tests.support.statements import counted_statements
from tests.support.templates import Copy


def fill(url: str) -> None:
    with Ledger(url) as ledger, ledger.begin() as uow:
        for name in ("s", "t"):
            uow.sessions.create(name, user_id="ada", metadata={"k": 1})
            uow.messages.append_many(name, [{"role": "user", "content": f"word {n}"} for n in range(300)])
        uow.snapshots.take("t")
        uow.messages.clear("t")
        uow.messages.append("t", "user", "other")


@pytest.fixture
def filled(copied: Copy, flavor: str) -> Iterator[Ledger]:
    with open_ledger(flavor, copied(fill)) as any_ledger:
        yield any_ledger


def count(any_ledger: Ledger, work: Callable[[UnitOfWork], object]) -> int:
    with any_ledger.begin() as uow, counted_statements() as state:
        work(uow)
    return len(state)


FAR = datetime.now(UTC) + timedelta(days=2)

COSTS: dict[str, tuple[int | dict[str, int], Callable[[UnitOfWork], object]]] = {
    "append": (1, lambda uow: uow.messages.append("s", "user", "x", payload={"a": 1})),
    "append with a key": (1, lambda uow: uow.messages.append("s", "user", "x", key="k", expected_sequence=301)),
    "append_many of 1": (1, lambda uow: uow.messages.append_many("s", [{"role": "user"}])),
    # On SQLite, three more let the index wait until the end.
    "append_many of 1,000": (
        {"sqlite": 5, "postgresql": 2},
        lambda uow: uow.messages.append_many("s", [{"role": "user"}] * 1000),
    ),
    "append_many with keys": (
        {"sqlite": 6, "postgresql": 3},
        lambda uow: uow.messages.append_many("s", [{"role": "user", "key": f"k{n}"} for n in range(500)]),
    ),
    "history": (1, lambda uow: uow.messages.history("s")),
    "last 20": (1, lambda uow: uow.messages.history("s", last=20)),
    "get": (1, lambda uow: uow.messages.get("s", 3)),
    "list": (1, lambda uow: uow.sessions.list(user_id="ada", status="active")),
    "get_or_create of one that exists": (1, lambda uow: uow.sessions.get_or_create("s", title="x")),
    "session": (1, lambda uow: uow.sessions.get("s")),
    # On PostgreSQL, its statistics are asked first how common words are, every ten seconds. On SQLite, the last number, the
    # index, the messages that are not indexed yet, and what is shown of the hits.
    "search": ({"sqlite": 4, "postgresql": 2}, lambda uow: uow.search.messages("word")),
    # Messages, titles, other texts of sessions, what is shown of the hits, and their sessions.
    "search in sessions": ({"sqlite": 7, "postgresql": 6}, lambda uow: uow.search.sessions("word")),
    "metadata": (1, lambda uow: uow.metadata.all("s")),
    "set": (1, lambda uow: uow.metadata.set("s", "k", 2)),
    # With a line in the audit log each, into which the actor is written.
    # The session, and what lets go of it: batch items, workflow steps, comparisons, copies of its messages.
    "delete": (8, lambda uow: uow.sessions.delete("s")),
    "clear": (4, lambda uow: uow.messages.clear("s")),
    # Sessions, a lock of what is copied, messages, metadata, limits; the new one and its open tool calls are read.
    "fork": (7, lambda uow: uow.sessions.fork("s")),
    "pause": (2, lambda uow: uow.sessions.pause("s")),
    "expire": (3, lambda uow: uow.sessions.expire("s")),
    "hold": (4, lambda uow: uow.sessions.hold("s")),
    "expire_older_than": (4, lambda uow: uow.sessions.expire_older_than(1, now=FAR)),
    "limits": (1, lambda uow: uow.timeouts.get("s")),
    "nobody is due": (1, lambda uow: uow.timeouts.due()),
    # Sessions that are due, and streams that were abandoned.
    "a sweep of nothing": (2, lambda uow: uow.timeouts.sweep()),
    "a purge of nothing": (1, lambda uow: uow.timeouts.purge(older_than=0)),
    "snapshot": (7, lambda uow: uow.snapshots.take("s")),
    "snapshots": (1, lambda uow: uow.snapshots.list("t")),
    "get of a snapshot": (1, lambda uow: uow.snapshots.get("t:1")),
    "messages of a snapshot": (1, lambda uow: uow.snapshots.messages("t:1")),
    "diff": (4, lambda uow: uow.snapshots.diff("t:1")),
    # A snapshot before, messages deleted, attributed and inserted, fields, metadata,
    # limits looked at, copies of what comes and of what goes, and a line in the audit log.
    "restore": ({"sqlite": 25, "postgresql": 22}, lambda uow: uow.snapshots.restore("t:1")),
    "restore as new": ({"sqlite": 14, "postgresql": 11}, lambda uow: uow.snapshots.restore("t:1", as_session_id="new")),
    "audit": (1, lambda uow: uow.audit.list()),
}


@pytest.mark.parametrize("name", COSTS)
@ONE_FLAVOR
def test_an_operation_costs_as_many_statements_as_it_says(filled: Ledger, backend: str, name: str) -> None:
    expected, work = COSTS[name]
    assert (expected[backend] if isinstance(expected, dict) else expected) == count(filled, work)


def test_an_append_is_one_statement_and_so_is_a_history(filled: Ledger) -> None:
    assert 1 == count(filled, lambda uow: uow.messages.append("s", "user", "x"))
    assert 1 == count(filled, lambda uow: uow.messages.history("s"))
    assert 1 == count(filled, lambda uow: uow.sessions.list())
