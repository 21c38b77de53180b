"""Snippets: the part of a text where a query was found, with the words between two marks.

Made here and not by the databases, whose own functions know nothing of folded accents (PostgreSQL) or of text cut into
characters (SQLite), and would give two answers to one question. The stemmers are the algorithms that the two indexes
use.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from snowballstemmer import stemmer  # type: ignore[import-untyped]  # ships no type information

from chatledger.dialects.fulltext import Query, Term, split_words
from chatledger.dialects.segmentation import character_at

#: Characters of text in a snippet, about.
_LENGTH = 160
_BEFORE = 50

_RUN = re.compile(
    r"[^\W_](?:[^\W_]|[\u0300-\u036f\u0900-\u0dff\u0e31-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ecd\u102b-\u103e\u17b4-\u17d3\u3099\u309a])*"
)
_STEMMERS = (stemmer("porter"), stemmer("english"))


class Highlighter:
    """Finds the terms of one query in texts."""

    def __init__(self, query: Query, marks: tuple[str, str]) -> None:
        self._terms = [_prepared(term) for term in query.terms()]
        self._start, self._end = marks

    def snippet(self, text: str) -> str:
        """The best place of a text, cut at words, with `…` where text was left out."""
        words = list(_words(text))
        spans = self._spans(text, words)
        begin, end = _window(text, words, spans)
        pieces, at = [], begin
        for first, last in spans:
            if first < at or last > end:
                continue
            pieces += [text[at:first], self._start, text[first:last], self._end]
            at = last
        pieces.append(text[at:end])
        body = " ".join("".join(pieces).split())
        return f"{'…' if begin else ''}{body}{'…' if end < len(text) else ''}"

    def _spans(self, text: str, words: list[tuple[int, int]]) -> list[tuple[int, int]]:
        folded = [_fold(text[start:end]) for start, end in words]
        found: list[tuple[int, int]] = []
        for term in self._terms:
            length = len(term)
            for place, word in enumerate(folded):
                if term[0].matches(word) and all(
                    place + step < len(folded) and term[step].matches(folded[place + step]) for step in range(1, length)
                ):
                    found.append((words[place][0], words[place + length - 1][1]))
        return _merged(sorted(found))


class _Word:
    """One word of a term."""

    def __init__(self, word: str, *, prefix: bool) -> None:
        self._word = _fold(word)
        self._prefix = prefix
        self._stems = _stems(self._word)
        self._head = self._word[:2]

    def matches(self, word: str) -> bool:
        if self._prefix and word.startswith(self._word):
            return True
        # Stemming is slow; a stem never changes the first two letters.
        return word == self._word or (word[:2] == self._head and not self._stems.isdisjoint(_stems(word)))


def _prepared(term: Term) -> list[_Word]:
    words = split_words(term.words)
    return [_Word(word, prefix=term.prefix and place == len(words) - 1) for place, word in enumerate(words)]


def _words(text: str) -> list[tuple[int, int]]:
    """The words of a text, each character of a text without spaces by itself."""
    found = []
    for run in _RUN.finditer(text):
        begin, end = run.span()
        if run[0].isascii():
            found.append((begin, end))
            continue
        at = start = begin
        while at < end:
            after = character_at(text, at)
            if after == at:
                at += 1
                continue
            if start < at:
                found.append((start, at))
            found.append((at, after))
            at = start = after
        if start < end:
            found.append((start, end))
    return found


def _fold(word: str) -> str:
    if word.isascii():
        return word.lower()
    plain = unicodedata.normalize("NFKD", word)
    return unicodedata.normalize("NFC", "".join(c for c in plain if not "\u0300" <= c <= "\u036f")).lower()


@lru_cache(maxsize=10_000)
def _stems(word: str) -> frozenset[str]:
    return frozenset(algorithm.stemWord(word) for algorithm in _STEMMERS)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in spans:
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _window(text: str, words: list[tuple[int, int]], spans: list[tuple[int, int]]) -> tuple[int, int]:
    """Where the snippet begins and ends: around the place with the most matches, at the edges of words."""
    if len(text) <= _LENGTH:
        return 0, len(text)
    begin = 0
    if spans:
        best = max(spans, key=lambda span: sum(span[0] <= other[0] < span[0] + _LENGTH - _BEFORE for other in spans))
        begin = max(0, min(best[0] - _BEFORE, len(text) - _LENGTH))
    if begin:
        begin = next((start for start, _ in words if start >= begin), begin)
    end = min(len(text), begin + _LENGTH)
    if end < len(text):
        end = max((stop for _, stop in words if begin < stop <= end), default=end)
    return begin, max([end, *(last for first, last in spans if begin <= first < end)])
