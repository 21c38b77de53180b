"""Snippets: the part of a text where a query was found, with the words between two marks.

Made here and not by the databases, whose own functions know nothing of folded accents (PostgreSQL) or of text cut into
characters (SQLite), and would give two answers to one question. Words are cut and folded by the rules of the index.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chatledger.full_text.matching import PLACES, PlainFinder, Span, phrase_at_end
from chatledger.full_text.normalization import is_plain, placed_words
from chatledger.full_text.parts import tool_word
from chatledger.full_text.query import Query

# Characters of text in a snippet, about.
_LENGTH = 160
_BEFORE = 50

# Words that hold anything beyond ASCII, with what is written next to them without a space.
_beyond_ascii = re.compile(r"\S*[^\x00-\x7f\s]\S*").finditer


class Highlighter:
    """Finds the terms of one query in texts."""

    def __init__(self, query: Query, marks: tuple[str, str]) -> None:
        terms = query.terms()
        self._start, self._end = marks
        self._words = {word for term in terms if len(term.words) == 1 for word in (*term.words, *term.inflections)}
        self._prefixes = tuple(term.words[0] for term in terms if term.prefix and len(term.words) == 1)
        self._phrases = [term for term in terms if len(term.words) > 1]
        codes = sorted({term.literal for term in terms if term.literal is not None}, key=len, reverse=True)
        self._plain = PlainFinder(self._words, self._prefixes, self._phrases)
        self._codes = re.compile("|".join(map(re.escape, codes)), re.IGNORECASE | re.ASCII) if codes else None

    def is_tool(self, name: str) -> bool:
        """Whether the query asks for the tool of this name."""
        word = tool_word(name)
        return word is not None and (word in self._words or bool(self._prefixes and word.startswith(self._prefixes)))

    def snippet(self, text: str) -> str:
        """The best place of a text, cut at words, with `…` where text was left out."""
        return self.shown(text, self.spans(text))

    def shown(self, text: str, spans: Sequence[Span]) -> str:
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

    def spans(self, text: str) -> list[Span]:
        """Where the terms are in a text."""
        found: list[Span] = []
        if self._codes is not None:
            found += [place.span() for place in self._codes.finditer(text)]
        if is_plain(text):
            found += self._plain.spans(text.lower())
        elif self._phrases:
            found += self._placed(text)
        else:
            found += self._mixed(text)
        return _merged(sorted(found)[:PLACES])

    def _mixed(self, text: str) -> list[Span]:
        """Single words in a text of which some are beyond ASCII."""
        found: list[Span] = []
        at = 0
        for piece in _beyond_ascii(text):
            if len(found) >= PLACES:
                return found
            found += self._plain.spans(text[at : piece.start()].lower(), at)
            found += [(begin, end) for word, begin, end in placed_words(text, piece.span()) if self._is_wanted(word)]
            at = piece.end()
        return found + self._plain.spans(text[at:].lower(), at)

    def _placed(self, text: str) -> list[Span]:
        """Word by word, for phrases that are not in ASCII alone."""
        found: list[Span] = []
        window: list[tuple[str, int, int]] = []
        longest = max((len(term.words) for term in self._phrases), default=1)
        for word, begin, end in placed_words(text):
            if self._is_wanted(word):
                found.append((begin, end))
            window = [*window[1 - longest :], (word, begin, end)]
            found += [span for term in self._phrases if (span := phrase_at_end(term, window))]
            if len(found) >= PLACES:
                break
        return found

    def _is_wanted(self, word: str) -> bool:
        return word in self._words or bool(self._prefixes and word.startswith(self._prefixes))


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for begin, end in spans:
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _window(text: str, spans: Sequence[Span]) -> Span:
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


def _densest(spans: Sequence[Span]) -> int:
    best, most, last = spans[0][0], 0, 0
    for place, (begin, _) in enumerate(spans):
        last = max(last, place)
        while last < len(spans) and spans[last][0] < begin + _LENGTH - _BEFORE:
            last += 1
        if last - place > most:
            best, most = begin, last - place
    return best
