"""Finds the terms of a query in texts, word by word, as an index would."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from chatledger.full_text.normalization import is_plain, words_of
from chatledger.full_text.query import Query, Term

PLACES = 500
"""Places of a text that are looked for."""
# Shorter beginnings of words are in most other words, too.
_SHORT_BEGINNING = 3

Span = tuple[int, int]

_words_in = re.compile("[a-z0-9]+").finditer
_rest_of_word = re.compile("[a-z0-9]*").match
_next_word = re.compile("[^a-z0-9]*([a-z0-9]+)").match


class PlainFinder:
    """Finds terms in plain text in lower case by their first letters, which is quicker than to look at each word."""

    def __init__(self, words: Collection[str], prefixes: tuple[str, ...], phrases: Sequence[Term]) -> None:
        self._words = {word for word in words if word.isascii()}
        self._prefixes = tuple(prefix for prefix in prefixes if prefix.isascii())
        self._phrases = [term for term in phrases if "".join(term.words).isascii()]
        firsts = [term.words[0] for term in self._phrases]
        self._beginnings = _beginnings([*self._words, *self._prefixes, *firsts])

    def is_in(self, lower: str) -> bool:
        """Whether a term is in a text."""
        return any(True for _ in self._found(lower))

    def spans(self, lower: str, offset: int = 0) -> list[Span]:
        """Where the terms are in a text, which is itself so far into another one."""
        return [(begin + offset, end + offset) for begin, end in islice(self._found(lower), PLACES)]

    def _found(self, lower: str) -> Iterator[Span]:
        words, prefixes, phrases = self._words, self._prefixes, self._phrases
        for begin, end in self._candidates(lower):
            word = lower[begin:end]
            if word in words or (prefixes and word.startswith(prefixes)):
                yield begin, end
            for term in phrases:
                if word == term.words[0] and (last := _phrase_from(term, lower, end)):
                    yield begin, last

    def _candidates(self, lower: str) -> Iterator[Span]:
        """Words that begin like a wanted one."""
        if self._beginnings is None:
            yield from (word.span() for word in _words_in(lower))
            return
        for beginning in self._beginnings:
            at = lower.find(beginning)
            while at >= 0:
                rest = _rest_of_word(lower, at)
                end = rest.end() if rest is not None else at
                if not at or not _is_word_character(lower[at - 1]):
                    yield at, end
                at = lower.find(beginning, end)


def _beginnings(words: Sequence[str]) -> list[str] | None:
    """What each of the words begins with, or None if that is too short to look for."""
    groups: dict[str, str] = {}
    for word in words:
        if len(word) < _SHORT_BEGINNING:
            return None
        known = groups.setdefault(word[:_SHORT_BEGINNING], word)
        groups[word[:_SHORT_BEGINNING]] = _shared_beginning(known, word)
    return list(groups.values())


def _shared_beginning(one: str, other: str) -> str:
    size = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:size]


def _is_word_character(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _phrase_from(term: Term, lower: str, end: int) -> int | None:
    """Where the phrase ends whose first word ends here."""
    for number, word in enumerate(term.words[1:], 2):
        found = _next_word(lower, end)
        if found is None:
            return None
        is_last = number == len(term.words)
        if not (found[1].startswith(word) if term.prefix and is_last else found[1] == word):
            return None
        end = found.end()
    return end


class Matcher:
    """Tells whether a message is what a query asks for, where there is no index to ask."""

    def __init__(self, query: Query) -> None:
        self._groups = [[_TermTest(term) for term in group] for group in query.groups]
        self._excluded = [_TermTest(term) for term in query.excluded]

    def matches(self, *texts: str, written: str | None = None) -> bool:
        """All of the groups, any term of a group, none of the excluded. No phrase goes from one text to the next.

        `written` is where code is looked for: the texts as they were written, by default the first one.
        """
        said = [_Text(text) for text in texts]
        code = texts[0] if written is None else written
        return all(any(test.holds(said, code) for test in group) for group in self._groups) and not any(
            test.holds(said, code) for test in self._excluded
        )


class _Text:
    """A text with what tests ask of it."""

    __slots__ = ("is_plain", "lower", "words")

    def __init__(self, text: str) -> None:
        self.is_plain = is_plain(text)
        self.lower = text.lower() if self.is_plain else ""
        self.words: list[str] = [] if self.is_plain else words_of(text)


class _TermTest:
    def __init__(self, term: Term) -> None:
        is_phrase = len(term.words) > 1
        prefixes = term.words if term.prefix and not is_phrase else ()
        self._term = term
        self._words = frozenset(() if is_phrase or prefixes else (*term.words, *term.inflections))
        self._plain = PlainFinder(self._words, prefixes, [term] if is_phrase else ())
        self._code = None if term.literal is None else _code(term.literal)

    def holds(self, texts: Sequence[_Text], written: str) -> bool:
        if self._code is not None and self._code.search(written) is None:
            return False
        return any(self._plain.is_in(text.lower) if text.is_plain else self._is_among(text.words) for text in texts)

    def _is_among(self, words: Sequence[str]) -> bool:
        term = self._term
        if size := len(term.words) - 1:
            return any(_is_phrase(term, words[at : at + size + 1]) for at in range(len(words) - size))
        if term.prefix:
            return any(word.startswith(term.words[0]) for word in words)
        return not self._words.isdisjoint(words)


def _code(literal: str) -> re.Pattern[str]:
    """Code as it was typed, in any case of its letters, where no further letter or digit follows its own."""
    before, after = edges(literal)
    inner = re.escape(literal)
    return re.compile(
        f"{'(?<![a-z0-9])' if before else ''}{inner}{'(?![a-z0-9])' if after else ''}", re.IGNORECASE | re.ASCII
    )


def edges(literal: str) -> tuple[bool, bool]:
    """Whether a literal begins and ends with a letter or digit, where another one must not go on."""
    return literal[0].isalnum(), literal[-1].isalnum()


def _is_phrase(term: Term, words: Sequence[str]) -> bool:
    *before, last = term.words
    if list(words[:-1]) != before:
        return False
    return words[-1].startswith(last) if term.prefix else words[-1] == last


def phrase_at_end(term: Term, window: Sequence[tuple[str, int, int]]) -> Span | None:
    last = window[-len(term.words) :]
    if len(last) < len(term.words) or not _is_phrase(term, [word for word, _, _ in last]):
        return None
    return last[0][1], last[-1][2]
