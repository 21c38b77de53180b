"""Snippets: the part of a text where a query was found, with the words between two marks.

Made here and not by the databases, whose own functions know nothing of folded accents (PostgreSQL) or of text cut into
characters (SQLite), and would give two answers to one question. The stemmers are the algorithms that the two indexes
use.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

from chatledger.dialects.full_text import Query, Term, split_words
from chatledger.dialects.word_segmentation import UNSPACED, UNSPACED_MARKS

#: Characters of text in a snippet, about.
_LENGTH = 160
_BEFORE = 50

#: A letter or digit of a text with spaces, then one character of a text without.
_LETTER = f"(?:(?![{UNSPACED}])[^\\W_])"
_MARK = "\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd\u0b82\u0bbe-\u0bcd\u0c00-\u0c04\u0c3e-\u0c4d"
_WORD = re.compile(f"[{UNSPACED}][{UNSPACED_MARKS}]*|{_LETTER}(?:{_LETTER}|[{_MARK}])*")
_MARKS = re.compile("[\u0300-\u036f]")


class Highlighter:
    """Finds the terms of one query in texts."""

    def __init__(self, query: Query, marks: tuple[str, str]) -> None:
        self._terms = [words for term in query.terms() if (words := _prepared(term))]
        self._start, self._end = marks
        # Where a term may begin: a stem never changes the first two letters, so most words are passed over unread.
        heads = sorted({term[0].head for term in self._terms}, key=len, reverse=True)
        self._heads = re.compile("|".join(map(re.escape, heads)) or "(?!)")

    def snippet(self, text: str) -> str:
        """The best place of a text, cut at words, with `…` where text was left out."""
        spans = self._spans(text.translate(_FOLDING))
        begin, end = _window(text, spans)
        pieces, at = [], begin
        for first, last in spans:
            if at <= first and last <= end:
                pieces += [text[at:first], self._start, text[first:last], self._end]
                at = last
        pieces.append(text[at:end])
        body = " ".join("".join(pieces).split())
        return f"{'…' if begin else ''}{body}{'…' if end < len(text) else ''}"

    def found_in(self, folded: str) -> bool:
        """Whether any of the terms stands in a folded text."""
        return bool(self._spans(folded))

    def _spans(self, folded: str) -> list[tuple[int, int]]:
        """Where the terms stand in a folded text, which has the length of the text itself."""
        found = []
        for head in self._heads.finditer(folded):
            begin = head.start()
            if begin and not _begins_a_word(folded, begin):
                continue
            found += [(begin, end) for term in self._terms if (end := _end_of(term, folded, begin))]
        return _merged(sorted(found))


class Matcher:
    """Tells whether a text is what a query asks for, where there is no index to ask."""

    def __init__(self, query: Query) -> None:
        self._groups = [[_finder(term) for term in group] for group in query.groups]
        self._excluded = [_finder(term) for term in query.excluded]

    def matches(self, text: str) -> bool:
        """All of the groups, any term of a group, none of the excluded."""
        folded = text.translate(_FOLDING)
        return all(any(term.found_in(folded) for term in group) for group in self._groups) and not any(
            term.found_in(folded) for term in self._excluded
        )


def _finder(term: Term) -> Highlighter:
    return Highlighter(Query(((term,),), ()), ("", ""))


class _Word:
    """One word of a term."""

    def __init__(self, word: str, *, prefix: bool) -> None:
        self._word = _MARKS.sub("", word.translate(_FOLDING))
        self._prefix = prefix
        self._stems: frozenset[str] | None = None
        self.head = self._word[:2]

    def matches(self, word: str) -> bool:
        if word == self._word or (self._prefix and word.startswith(self._word)):
            return True
        if not word.isalpha() or word[:2] != self.head:
            return False
        if self._stems is None:
            self._stems = _stems(self._word)
        return not self._stems.isdisjoint(_stems(word))


def _prepared(term: Term) -> list[_Word]:
    words = split_words(term.words)
    return [_Word(word, prefix=term.prefix and place == len(words) - 1) for place, word in enumerate(words)]


def _begins_a_word(text: str, place: int) -> bool:
    before = _WORD.match(text, place - 1)
    return before is None or before.end() <= place


def _end_of(term: list[_Word], text: str, begin: int) -> int | None:
    """Where a term that begins here ends, or None where it is not here."""
    end = begin
    for place, wanted in enumerate(term):
        word = _WORD.match(text, begin) if place == 0 else _WORD.search(text, end)
        if word is None or not wanted.matches(_MARKS.sub("", word[0])):
            return None
        end = word.end()
    return end


class _Folding(dict[int, str | int]):
    """For `str.translate`: every character as one character, small and without its accent."""

    def __missing__(self, code: int) -> str | int:
        character = chr(code)
        plain = unicodedata.normalize("NFKD", character)[0].lower()
        self[code] = folded = plain if len(plain) == 1 and not unicodedata.combining(character) else character
        return folded


_FOLDING = _Folding()


@lru_cache(maxsize=10_000)
def _stems(word: str) -> frozenset[str]:
    return frozenset(algorithm.stemWord(word) for algorithm in _stemmers())


@cache
def _stemmers() -> tuple[Any, ...]:
    from snowballstemmer import stemmer  # type: ignore[import-untyped]  # noqa: PLC0415 - for searches alone; untyped

    return stemmer("porter"), stemmer("english")


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in spans:
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _window(text: str, spans: list[tuple[int, int]]) -> tuple[int, int]:
    """Where the snippet begins and ends: around the place with the most matches, at the edges of words."""
    if len(text) <= _LENGTH:
        return 0, len(text)
    begin = 0
    if spans:
        begin = max(0, min(_densest(spans) - _BEFORE, len(text) - _LENGTH))
    if begin and (space := re.compile(r"\s").search(text, begin, begin + _BEFORE)):
        begin = space.end()
    end = min(len(text), begin + _LENGTH)
    if end < len(text) and (cut := max(text.rfind(" ", begin + 1, end), text.rfind("\n", begin + 1, end))) > begin:
        end = cut
    return begin, max([end, *(last for first, last in spans if begin <= first < end)])


def _densest(spans: list[tuple[int, int]]) -> int:
    best, most, last = spans[0][0], 0, 0
    for place, (begin, _) in enumerate(spans):
        last = max(last, place)
        while last < len(spans) and spans[last][0] < begin + _LENGTH - _BEFORE:
            last += 1
        if last - place > most:
            best, most = begin, last - place
    return best
