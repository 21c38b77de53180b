"""Snippets: the part of a text where a query was found, with the words between two marks.

Made here and not by the databases, whose own functions know nothing of folded accents (PostgreSQL) or of text cut into
characters (SQLite), and would give two answers to one question. Words are cut and folded by the rules of the index.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chatledger.full_text.normalization import placed_words, words_of
from chatledger.full_text.parts import tool_word
from chatledger.full_text.query import Query, Term

# Characters of text in a snippet, about.
_LENGTH = 160
_BEFORE = 50
# Places that are looked at to find the densest.
_PLACES = 500

_Span = tuple[int, int]


class Highlighter:
    """Finds the terms of one query in texts."""

    def __init__(self, query: Query, marks: tuple[str, str]) -> None:
        terms = query.terms()
        self._start, self._end = marks
        self._words = {word for term in terms if len(term.words) == 1 for word in (*term.words, *term.inflections)}
        self._prefixes = tuple(term.words[0] for term in terms if term.prefix and len(term.words) == 1)
        self._phrases = [term for term in terms if len(term.words) > 1]
        codes = sorted({term.literal for term in terms if term.literal is not None}, key=len, reverse=True)
        self._codes = re.compile("|".join(map(re.escape, codes)), re.IGNORECASE | re.ASCII) if codes else None

    def is_tool(self, name: str) -> bool:
        """Whether the query asks for the tool of this name."""
        word = tool_word(name)
        return word is not None and (word in self._words or bool(self._prefixes and word.startswith(self._prefixes)))

    def snippet(self, text: str) -> str:
        """The best place of a text, cut at words, with `…` where text was left out."""
        return self.shown(text, self.spans(text))

    def shown(self, text: str, spans: Sequence[_Span]) -> str:
        """The best place of a text in which the terms were found."""
        begin, end = _window(text, spans)
        pieces, at = [], begin
        for first, last in spans:
            if at <= first and last <= end:
                pieces += [text[at:first], self._start, text[first:last], self._end]
                at = last
        pieces.append(text[at:end])
        body = " ".join("".join(pieces).split())
        return f"{'…' if begin else ''}{body}{'…' if end < len(text) else ''}"

    def best(self, texts: Iterable[str]) -> str:
        """The snippet of the first text in which a term was found, else of the first."""
        first: str | None = None
        for text in texts:
            spans = self.spans(text)
            if spans:
                return self.shown(text, spans)
            first = text if first is None else first
        return "" if first is None else self.shown(first, ())

    def spans(self, text: str) -> list[_Span]:
        """Where the terms are in a text."""
        found: list[_Span] = []
        if self._codes is not None:
            found += [place.span() for place in self._codes.finditer(text)]
        window: list[tuple[str, int, int]] = []
        longest = max((len(term.words) for term in self._phrases), default=1)
        for word, begin, end in placed_words(text):
            if word in self._words or (self._prefixes and word.startswith(self._prefixes)):
                found.append((begin, end))
            if self._phrases:
                window = [*window[1 - longest :], (word, begin, end)] if longest > 1 else [(word, begin, end)]
                found += [span for term in self._phrases if (span := _phrase_at_end(term, window))]
            if len(found) >= _PLACES:
                break
        return _merged(sorted(found))


class Matcher:
    """Tells whether a text is what a query asks for, where there is no index to ask."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def matches(self, text: str) -> bool:
        """All of the groups, any term of a group, none of the excluded."""
        words = words_of(text)
        have, lower = set(words), text.lower()
        return all(any(_holds(term, words, have, lower) for term in group) for group in self._query.groups) and not any(
            _holds(term, words, have, lower) for term in self._query.excluded
        )


def _holds(term: Term, words: Sequence[str], have: set[str], lower: str) -> bool:
    if term.literal is not None and term.literal not in lower:
        return False
    if len(term.words) > 1:
        size = len(term.words)
        return any(_is_phrase(term, words[at : at + size]) for at in range(len(words) - size + 1))
    if term.prefix:
        return any(word.startswith(term.words[0]) for word in have)
    return not have.isdisjoint((*term.words, *term.inflections))


def _is_phrase(term: Term, words: Sequence[str]) -> bool:
    *before, last = term.words
    if list(words[:-1]) != before:
        return False
    return words[-1].startswith(last) if term.prefix else words[-1] == last


def _phrase_at_end(term: Term, window: Sequence[tuple[str, int, int]]) -> _Span | None:
    last = window[-len(term.words) :]
    if len(last) < len(term.words) or not _is_phrase(term, [word for word, _, _ in last]):
        return None
    return last[0][1], last[-1][2]


def _merged(spans: list[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for begin, end in spans:
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _window(text: str, spans: Sequence[_Span]) -> _Span:
    """Where the snippet begins and ends: around the place with the most matches, at the edges of words."""
    if len(text) <= _LENGTH:
        return 0, len(text)
    begin, best = 0, 0
    if spans:
        best = _densest(spans)
        begin = max(0, min(best - _BEFORE, len(text) - _LENGTH))
    # Never past the match that the window is for.
    if begin and (space := re.compile(r"\s").search(text, begin, min(begin + _BEFORE, best))):
        begin = space.end()
    end = min(len(text), begin + _LENGTH)
    if end < len(text) and (cut := max(text.rfind(" ", begin + 1, end), text.rfind("\n", begin + 1, end))) > begin:
        end = cut
    shown = [last for first, last in spans if begin <= first < end]
    if best >= end:  # the only space was in front of the match
        end = min(len(text), best + _LENGTH - _BEFORE)
        shown = [last for first, last in spans if first == best]
    # A match is never cut, but one that is longer than the snippet is not shown whole either.
    return begin, min(max([end, *shown]), begin + 4 * _LENGTH) if shown else end


def _densest(spans: Sequence[_Span]) -> int:
    best, most, last = spans[0][0], 0, 0
    for place, (begin, _) in enumerate(spans):
        last = max(last, place)
        while last < len(spans) and spans[last][0] < begin + _LENGTH - _BEFORE:
            last += 1
        if last - place > most:
            best, most = begin, last - place
    return best
