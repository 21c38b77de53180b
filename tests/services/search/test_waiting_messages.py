"""On SQLite, a message that is not indexed yet is found as if it were: same hits, same order, same scores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatledger import Ledger
from chatledger.database import Database
from chatledger.dialects.sqlite import full_text
from tests.support.full_text import STEP, waiting

MESSAGES: tuple[dict[str, Any], ...] = (
    {"content": "The last train leaves at nine, and trains never wait"},
    {"content": "A bus is no train. The buses are late; THE BUS WAS LATE"},
    {"content": "Un café crème à la gare, s’il vous plaît"},
    {"content": "cafe creme in the station"},
    {"content": "数据库的连接今天下午中断了两次"},
    {"content": "今天 train 下午 数据"},
    {"content": "ภาษาไทยเป็นภาษา"},
    {"content": "ПРИВЕТ, мир — привет"},
    {"content": "C++ and a_b and #123 in file.py; see http://example.org/a-b"},
    {"content": "c and a b and 123 in file py"},
    {"content": "running runs, the runner ran", "name": "train"},
    {"content": "", "role": "tool", "name": "search", "tool_call_id": "t", "payload": {"query": "late train", "rows": ["bus", 7]}},
    {"content": "last", "payload": {"parts": [{"type": "text", "text": "train of thought"}]}},
    {"content": "train " * 30},
    {"content": "of the of the of the last of the train"},
    {"content": "conversation conversations converse"},
    {"content": "🤝 thanks🤝 all the best"},
    {"content": "x"},
    {"content": "late late late night"},
    {"content": "naïve Zürich STRASSE straße ﬁne ① ½ Ⅷ"},
)  # fmt: skip
QUERIES = (
    "train", "trains", "last train", '"last train"', '"train last"', "train -bus", 'train -"last train"', "train OR bus", "bus OR 数据",
    "tra*", "conv*", '"of the"', '"of the" last', "the", "late", "LATE train", "café", "cafe", "creme", "数据", "数", "下午", "ภาษา", "привет",
    "C++", "a_b", "#123", "C++ OR bus", "-C++ train", "file.py", "tool:search", "tool:search train", "role:tool train", "run", "running",
    "thanks", "zurich", "straße", "strasse", "fine", "x", "nothing", "train thought", '"thought last"', "role:user late -night", "title:trip train",
)  # fmt: skip
WORDS = ("train", "trains", "the", "of", "last", "late", "bus", "café", "数据", "привет", "C++", "run", "conv")
JOINTS = (" ", " -", " OR ", '"', "* ", "")


class Both:
    """Two ledgers with the same messages: in one of them none of the last ones is indexed."""

    def __init__(self, behind: Ledger, indexed: Ledger) -> None:
        self._ledgers = (behind, indexed)

    def messages(self, query: str, **filters: Any) -> list[list[tuple[Any, ...]]]:
        """What each of them finds."""
        pages = []
        for ledger in self._ledgers:
            with ledger.read() as uow:
                page = uow.search.messages(query, limit=200, **filters)
            pages.append(
                [(hit.session_id, hit.sequence_number, hit.match, hit.snippet, round(hit.score, 9)) for hit in page]
            )
        return pages

    def sessions(self, query: str) -> list[list[tuple[Any, ...]]]:
        pages = []
        for ledger in self._ledgers:
            with ledger.read() as uow:
                page = uow.search.sessions(query, limit=200)
            pages.append(
                [
                    (hit.session_id, hit.sequence_number, hit.match, hit.hits, hit.found_in, round(hit.score, 9))
                    for hit in page
                ]
            )
        return pages


def fill(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        for number, name in enumerate(("trip", "work", "old")):
            uow.sessions.create(name, user_id=f"user {number % 2}", title="A trip" if name == "trip" else None)
        for number, message in enumerate(MESSAGES):
            uow.messages.append(("trip", "work", "old")[number % 3], message.get("role", "user"), **{
                name: value for name, value in message.items() if name != "role"
            })  # fmt: skip
        uow.sessions.fork("trip", at=4, new_session_id="branch")
        uow.sessions.expire("old")


def count_waiting(ledger: Ledger) -> int:
    with ledger.engine.connect() as connection, closing(connection.connection.cursor()) as cursor:
        return len(waiting(cursor))


@pytest.fixture
def both(migrated_sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    """Fewer messages than are indexed at once, so that all of them wait."""
    assert len(MESSAGES) + 4 < STEP
    with Ledger(migrated_sqlite_url) as behind, Ledger(":memory:") as indexed:
        for ledger in (behind, indexed):
            fill(ledger)
        indexed.maintain()
        assert [len(MESSAGES) + 4, 0] == [count_waiting(ledger) for ledger in (behind, indexed)]
        monkeypatch.setattr(Database, "catch_up_index", lambda database: None)
        yield Both(behind, indexed)


def test_hits_order_and_scores_are_those_of_the_index(both: Both) -> None:
    count = 0
    for query in QUERIES:
        behind, indexed = both.messages(query)
        assert indexed == behind, query
        count += len(behind)
        behind, indexed = both.sessions(query)
        assert indexed == behind, query
    assert 60 < count


@pytest.mark.parametrize(
    "filters", [{"user_id": "user 0"}, {"session_id": "branch"}, {"role": "tool"}, {"include_copies": True}], ids=str
)
def test_filters_are_the_same(both: Both, filters: dict[str, Any]) -> None:
    for query in QUERIES:
        behind, indexed = both.messages(query, **filters)
        assert indexed == behind, query


def test_in_a_large_ledger_too(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_text, "_LARGE", 5)
    for query in QUERIES:
        behind, indexed = both.messages(query)
        assert indexed == behind, query


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(WORDS + JOINTS), max_size=9))
def test_whatever_is_typed(both: Both, pieces: list[str]) -> None:
    behind, indexed = both.messages("".join(pieces))
    assert indexed == behind


def test_beside_many_messages_that_are_indexed(both: Both, migrated_sqlite_url: str) -> None:
    many = [{"role": "user", "content": f"{'train' if n % 3 else 'bus'} number {n}"} for n in range(5 * STEP)]
    for ledger in both._ledgers:
        ledger.run(lambda uow: uow.messages.append_many("work", many))
        ledger.run(lambda uow: uow.messages.append("work", "user", "the train that is late"))
    both._ledgers[1].maintain()
    for query in QUERIES:
        behind, indexed = both.messages(query)
        # The scores of those in the index change a little with each message that joins them.
        assert {hit[:4] for hit in indexed} == {hit[:4] for hit in behind}
    behind, indexed = both.messages("the train late")
    assert indexed[0][:2] == behind[0][:2] == ("work", 5 * STEP + 7 + 1)
