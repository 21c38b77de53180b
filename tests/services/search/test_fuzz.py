"""Nothing that a user types raises, and where there are only plain words the two databases agree."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatledger import Ledger

WORDS = ["train", "trains", "bus", "cafe", "café", "数据库", "数", "run", "running", "to", "be", "x", "id", "12"]
OPERATORS = ['"', "-", "*", " OR ", " AND ", "|", " ", "(", ")", ":", "'", "\\", "&", "!", "<->", "^", "%", "_", "\x00"]
TEXTS = [" ".join(WORDS[start:stop]) for start in range(0, 12, 2) for stop in (start + 2, start + 3)]

pieces = st.lists(st.sampled_from(WORDS + OPERATORS), max_size=12).map("".join)
anything = st.text(st.characters(codec=None), max_size=40)
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def corpus(both: tuple[Ledger, Ledger]) -> tuple[Ledger, Ledger]:
    for ledger in both:
        with ledger.begin() as uow:
            uow.sessions.create("s")
            uow.messages.append_many("s", [{"role": "user", "content": text} for text in TEXTS])
    return both


@quick
@given(query=st.one_of(anything, pieces))
def test_no_query_raises(corpus: tuple[Ledger, Ledger], query: str) -> None:
    for ledger in corpus:
        with ledger.read() as uow:
            uow.search.messages(query)
            uow.search.sessions(query, session_id="s", role="user")


@quick
@given(query=pieces)
def test_both_databases_find_the_same(corpus: tuple[Ledger, Ledger], query: str) -> None:
    found = []
    for ledger in corpus:
        with ledger.read() as uow:
            found.append(sorted(hit.sequence_number for hit in uow.search.messages(query, limit=100)))
    assert found[0] == found[1]


@quick
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60))
def test_any_text_can_be_stored_and_any_word_of_it_looked_for(corpus: tuple[Ledger, Ledger], text: str) -> None:
    for ledger in corpus:
        with ledger.begin() as uow:
            session = uow.sessions.create().session_id
            assert text == uow.messages.append(session, "user", text).content
            assert text == uow.messages.get(session, 1).content
            for word in text.split()[:3]:
                for hit in uow.search.messages(word, session_id=session):
                    assert 1 == hit.sequence_number
