"""Words are the same however a text was typed, and where they are in it is known."""

# Letters that look like others are here on purpose.
# ruff: noqa: RUF001

from __future__ import annotations

import re
import sqlite3
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatledger import Ledger
from chatledger.full_text import normalization
from chatledger.full_text.normalization import INDEXED, indexed_text, placed_words, words_of
from tests.full_text.corpora import texts
from tests.support.raw import Raw

SAME = [
    ("ПРИВЕТ", "привет"),
    ("é", "e\u0301"),
    ("Ёлка", "Е\u0308лка"),
    ("가", "\u1100\u1161"),
    ("각", "가\u11a8"),
    ("が", "か\u3099"),
    ("ｶﾞ", "ガ"),
    ("ক\u09cb", "ক\u09c7\u09be"),
    ("\u0958", "\u0915\u093c"),
    ("น้ำ", "น้\u0e4d\u0e32"),
    ("Straße", "STRASSE"),
    ("Łódź", "lodz"),
    ("ﬁle", "file"),
    ("soft\u00adhyphen", "softhyphen"),
    ("zero\u200bwidth", "zerowidth"),
    ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
    ("ＡＢＣ１", "abc1"),
    ("كِتَاب", "كتاب"),
]
DIFFERENT = [("ぎ", "き"), ("ё", "е"), ("й", "и"), ("क", "क़"), ("ก", "กำ")]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_words_are_the_same_however_they_are_typed(one: str, other: str) -> None:
    assert words_of(one) == words_of(other) != []


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_letters_with_other_marks_are_other_letters(one: str, other: str) -> None:
    assert words_of(one) != words_of(other)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop-me_now, 3.14!", ["don", "t", "stop", "me", "now", "3", "14"]),
        ("数据库 test", ["数", "据", "库", "test"]),
        ("“quotes” — and… 🙂x", ["quotes", "and", "x"]),
        ("x² H₂O", ["x2", "h2o"]),
        (" \u00a0\n", []),
        ("", []),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert words == words_of(text)


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(max_size=30), st.text(st.sampled_from("aé\u0301 か\u3099ｶﾞกำ\u0e4d\u0e32น้\u1100\u1161\u11a8\u200b-ß数ﷺ"))
    )
)
def test_places_are_those_of_the_words(text: str) -> None:
    placed = list(placed_words(text))
    assert words_of(text) == [word for word, _, _ in placed]
    assert all(0 <= begin < end <= len(text) for _, begin, end in placed)
    assert sorted(placed, key=lambda place: place[1:]) == placed


@pytest.mark.parametrize(
    "text",
    [
        "\u0e4d\u3099\u0e32",  # SARA AM in two, with a mark between that is left out
        "\u0e19\u0e33 \u0e19\u0e4d\u0e32",
        "\u0d3b\u1ce2",  # marks of two scripts, which a normal form puts in another order
        "\u0e96\U000e012f\u0e47",  # a variation selector between a letter and its mark
    ],
)
def test_places_of_marks_that_meet_rarely(text: str) -> None:
    assert words_of(text) == [word for word, _, _ in placed_words(text)] != []


def test_places_in_the_texts_of_many_languages(shared_data: Path) -> None:
    for text in texts(shared_data)[::9]:
        assert words_of(text) == [word for word, _, _ in placed_words(text)]


def test_plain_text_is_indexed_as_it_is() -> None:
    for text in ("plain", "“quotes” — and… 😀", "a_b, c: 1.5 €\u00a0!"):
        assert indexed_text(text) is None


def test_encoded_data_is_left_out() -> None:
    data = "QUJD0123" * 100
    assert "before after" == " ".join(words_of(indexed_text(f"before {data} after") or ""))
    assert "an image" == " ".join(words_of(indexed_text(f"an image data:image/png;base64,{data}") or ""))
    assert indexed_text("x" * 300 + " and words") is None  # without a digit it is no data
    assert indexed_text("word " * 1000) is None


@pytest.mark.parametrize(
    "text", ["x" * 500_000, "data:" * 100_000, "data:a/b;" * 50_000, "é" * 500_000, "a\u0301" * 250_000]
)
def test_no_text_takes_long(text: str) -> None:
    begin = time.process_time()
    indexed_text(text)
    assert time.process_time() - begin < 5


def test_a_long_text_is_indexed_up_to_its_bound() -> None:
    assert "數" not in (indexed_text("é" * INDEXED + "數") or "")
    assert len(indexed_text("數" * INDEXED * 2) or "") <= 2 * INDEXED


def test_separators_are_separators_in_both_databases(raw: Raw, backend: str) -> None:
    """A text that is indexed as it is holds no character that a database takes for a letter."""
    every = "".join(chr(code) for code in range(128, 0x20000) if not 0xD800 <= code < 0xE000)
    plain = re.findall(f"[{normalization.SEPARATORS}]", every)
    assert len(plain) > 1500
    assert [] == [hex(ord(one)) for one in plain if words_of(f"aa{one}bb") != ["aa", "bb"]]
    with Ledger(str(raw.engine.url)) as ledger, ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", " ".join(f"aa{one}bb{number}" for number, one in enumerate(plain)))
        for number in range(0, len(plain), 97):
            assert 1 == len(uow.search.messages(f"bb{number}"))
    if backend == "sqlite":
        raw("CREATE VIRTUAL TABLE vocabulary USING fts5vocab(chatledger_messages_fts, row)")
        stored = {row[0] for row in raw("SELECT term FROM vocabulary")}
    else:
        stored = {row[0] for row in raw("SELECT unnest(tsvector_to_array(search_vector)) FROM chatledger_messages")}
    assert stored == {"aa", *(f"bb{number}" for number in range(len(plain)))}


def test_every_assigned_character_is_kept_whole_by_sqlite() -> None:
    """What is normalised has no character that SQLite's tables, which are older than Python's, take for a separator."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        """CREATE VIRTUAL TABLE f USING fts5(t, tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'")"""
    )
    connection.execute("CREATE VIRTUAL TABLE v USING fts5vocab(f, row)")
    expected = set()
    rows = []
    for code in range(128, 0x1F800, 7):
        if unicodedata.category(chr(code)) not in ("Cn", "Cs"):
            words = words_of(f"aa{chr(code)}bb")
            expected.update(words)
            rows.append((" ".join(words),))
    connection.executemany("INSERT INTO f (t) VALUES (?)", rows)
    assert expected == {row[0] for row in connection.execute("SELECT term FROM v")}
