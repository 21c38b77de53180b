"""Terms are found in plain text by their first letters, and elsewhere word by word: the places are the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from chatledger.full_text.matching import Matcher
from chatledger.full_text.normalization import words_of
from chatledger.full_text.query import parse
from chatledger.services.search.snippets import Highlighter, _merged
from tests.full_text.corpora import texts

_MARKS = ("[", "]")


@pytest.mark.parametrize(
    ("query", "text", "shown"),
    [
        ("the", "The other, the-one; bathe THE", "[The] other, [the]-one; bathe [THE]"),
        ("go", "goes went ago go", "[goes] [went] ago [go]"),
        ("run*", "runner rerun RUN_x", "[runner] rerun [RUN]_x"),
        ('"to be"', "To be, or not to\u2026be to bed", "[To be], or not [to\u2026be] to bed"),
        ('"a a"', "xa a a a", "xa [a a a]"),
        ('"last tra"*', "the last train, last bus", "the [last train], last bus"),
        ("a_b", "A_B and a b", "[A_B] and [a b]"),
        ("cafe", "cafe \u2014 caf\u00e9 xcafe", "[cafe] \u2014 [caf\u00e9] xcafe"),
        ("new york", "caf\u00e9-new York new", "caf\u00e9-[new] [York] [new]"),
        ("\u756a\u8304", "\u6709\u756a\u8304 ok", "\u6709[\u756a\u8304] ok"),
    ],
)
def test_the_words_of_a_query_are_marked(query: str, text: str, shown: str) -> None:
    assert shown == Highlighter(parse(query), _MARKS).snippet(text)


def test_places_are_the_same_however_they_are_looked_for(shared_data: Path) -> None:
    _compare(shared_data, 300)


@pytest.mark.soak
def test_places_are_the_same_in_all_texts(shared_data: Path) -> None:
    _compare(shared_data, 20_000)


def _compare(data: Path, count: int) -> None:
    draw = random.Random(5)
    every = [text for text in texts(data) if len(text) < 3000 and words_of(text)]
    for _ in range(count):
        text = draw.choice(every)
        have = words_of(text)
        place = draw.randrange(len(have))
        word = have[place]
        for query in (
            word,
            f"{word[: draw.randint(3, 6)]}*",
            f'"{" ".join(have[place : place + 2])}"',
            f"{word} OR {have[-1]}",
        ):
            asked = parse(query)
            highlighter = Highlighter(asked, _MARKS)
            expected = _merged(sorted(highlighter._placed(text)))
            found = highlighter.spans(text)
            if len(expected) < 200:
                assert (query, expected) == (query, found)
            assert (query, bool(expected)) == (query, Matcher(asked).matches(text))
