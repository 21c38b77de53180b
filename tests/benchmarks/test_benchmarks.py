"""How fast we are, nobody can assert on an unknown machine; that the comparison is a fair one, we can."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from benchmarks.appending import append
from benchmarks.bench import Bench, Scale
from benchmarks.cases import CASES
from benchmarks.conversation import COMMON, Conversation
from benchmarks.databases import SQLite, lean_connection, raw_connection
from benchmarks.figures import Bar, Figure
from benchmarks.lean import Counted
from benchmarks.lean_sqlite import STEP, LeanSQLite
from benchmarks.raw import GIVEN
from benchmarks.rounds import Rounds, Sample, compare
from benchmarks.searching import QUERIES
from chatledger import Ledger

_ONCE = Rounds(1, 1, warm_up=0)
_TINY = Scale(
    rounds=_ONCE,
    calls=4,
    bulks=((10, _ONCE),),
    crowd_seconds=0.02,
    crowds=_ONCE,
    long=2100,
    sessions=200,
    sessions_of_user=60,
    starts=_ONCE,
)


def test_lean_raw_stores_and_counts_what_was_appended(backend: str, empty_url: str, tmp_path: Path) -> None:
    turns = Conversation().turns(30)
    url = str(tmp_path / "lean.db") if backend == "sqlite" else empty_url
    with closing(lean_connection(backend, url, bulk=True)) as lean:
        lean.create(["s", "t"])
        numbers = [lean.append("s", turn) for turn in turns[:10]]
        lean.append_many("s", turns[10:])
        lean.append("t", turns[0])

        assert list(range(1, 11)) == numbers
        counted = lean.counted("s", COMMON)
    assert (30, 30, 30) == counted[:3]
    assert counted.found >= sum(COMMON in turn.given["content"].split() for turn in turns) > 0


def test_a_raw_that_defers_its_index_finds_everything(tmp_path: Path) -> None:
    turns = Conversation().turns(STEP + 6)
    lean = LeanSQLite(str(tmp_path / "lean.db"), deferred=True)
    with closing(lean):
        lean.create(["s"])
        for turn in turns:
            lean.append("s", turn)

        found = sum(COMMON in turn.given["content"].split() for turn in turns)
        assert Counted(STEP + 6, STEP + 6, STEP + 6, found) == lean.counted("s", COMMON)


def test_a_pair_that_lost_a_message_gives_no_figure(tmp_path: Path) -> None:
    with closing(Bench(SQLite(tmp_path), _TINY, quick=True)) as bench, bench.pair() as pair:
        for turn in Conversation().turns(10):
            append(pair.ledger, "0", turn)
            pair.raw.append("0", turn)
        pair.verify(10, 10)

        with pytest.raises(RuntimeError, match="of 11 acknowledged"):
            pair.verify(11, 10)
        with pytest.raises(RuntimeError, match="of 11 acknowledged"):
            pair.verify(10, 11)


def test_raw_stores_what_the_ledger_stores(backend: str, url: str) -> None:
    turns = Conversation().turns(30)
    with Ledger(url) as ledger, closing(raw_connection(backend, url)) as raw:
        with ledger.begin() as uow:
            for session_id in ("ours", "raw"):
                uow.sessions.create(session_id=session_id)
            for turn in turns:
                uow.messages.append("ours", **turn.given, created_at=turn.created_at)
        raw.append_many("raw", turns)

        assert _stored(ledger, "ours") == _stored(ledger, "raw")


def test_raw_reads_what_the_ledger_reads(backend: str, url: str) -> None:
    with Ledger(url) as ledger, closing(raw_connection(backend, url)) as raw:
        with ledger.begin() as uow:
            uow.sessions.create(session_id="s", user_id="reader", metadata={"label": "green"})
        raw.append_many("s", Conversation().turns(30))
        with ledger.read() as uow:
            messages, sessions = uow.messages.history("s"), uow.sessions.list(user_id="reader")

        shown = [(m.sequence_number, m.content, m.payload, m.metadata) for m in messages]
        assert shown == [(m.sequence_number, m.content, m.payload, m.metadata) for m in raw.history("s")]
        listed = [(s.session_id, s.message_count, s.metadata) for s in sessions]
        assert listed == [(s.session_id, s.message_count, s.metadata) for s in raw.sessions_of("reader", 50)]


@pytest.mark.parametrize("kind", QUERIES)
def test_raw_finds_what_the_ledger_finds(backend: str, url: str, kind: str) -> None:
    query, by_hand = QUERIES[kind]
    with Ledger(url) as ledger, closing(raw_connection(backend, url)) as raw:
        with ledger.begin() as uow:
            uow.sessions.create(session_id="s")
        raw.append_many("s", Conversation().turns(100))
        with ledger.read() as uow:
            uow.search.messages(query)  # after which what waits for the full-text index is in it
        with ledger.read() as uow:
            found = [(hit.session_id, hit.sequence_number) for hit in uow.search.messages(query)]

        assert found == [tuple(row[:2]) for row in raw.search(by_hand, 20)] != []


@pytest.mark.parametrize(
    "name", ["append", "async", "threads", "append-many", "history", "last", "sessions", "search", "statistics"]
)
def test_a_case_runs(name: str, tmp_path: Path) -> None:
    with closing(Bench(SQLite(tmp_path), _TINY, quick=True)) as bench:
        figures = list(CASES[name](bench))

    assert all(figure.ours > 0 and not figure.errors for figure in figures)
    assert json.dumps([figure.as_json() for figure in figures])


def test_the_same_conversation_comes_from_the_same_seed() -> None:
    assert Conversation(seed=7).turns(50) == Conversation(seed=7).turns(50)


def test_a_ratio_is_ours_over_base_whichever_goes_first() -> None:
    compared = compare(lambda _: Sample(2.0), lambda _: Sample(3.0), rounds=Rounds(4, 4))

    assert (compared.base, compared.ours, compared.ratio, compared.rounds) == (2.0, 3.0, 1.5, 4)


@pytest.mark.parametrize(
    ("bar", "ours", "ratio", "reached"),
    [
        (Bar(1.5), 9.0, 1.5, True),
        (Bar(1.5), 1.0, 1.6, False),
        (Bar(0.8, at_least=True), 1.0, 0.9, True),
        (Bar(64, absolute=True), 65.0, None, False),
        (None, 1.0, 9.0, None),
    ],
)
def test_a_bar_is_reached_or_not(bar: Bar | None, ours: float, ratio: float | None, reached: bool | None) -> None:
    row = Figure(case="c", database="d", against="raw", base=1.0, ours=ours, unit="µs", ratio=ratio, bar=bar)

    assert row.reached is reached


def _stored(ledger: Ledger, session_id: str) -> tuple[list[Any], list[Any]]:
    """The rows but for their digests, which raw does not compute, and what the triggers counted."""
    columns = ", ".join(name for name in GIVEN if name != "digest")
    with ledger.engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT sequence_number, {columns} FROM chatledger_messages WHERE session_id = :id ORDER BY sequence_number"
            ),
            {"id": session_id},
        ).all()
        counted = connection.execute(
            text("SELECT message_count, total_tokens, last_sequence FROM chatledger_sessions WHERE session_id = :id"),
            {"id": session_id},
        ).all()
    return list(rows), list(counted)
