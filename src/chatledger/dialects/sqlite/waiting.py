"""Messages that wait to be indexed: a search reads them by itself, and scores them as the index would.

There are 31 at most (revision 0003). They are cut into words as FTS5 cuts them, and compared with the query in Python,
because nothing may be indexed in a snapshot that is only read.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from sqlalchemy import text

from chatledger.dialects.full_text import Reader, excluded_words, looseness_of, loosenesses
from chatledger.dialects.sqlite.rebuild import MARK
from chatledger.full_text.query import Query, Term

_READ = text(
    "SELECT message_id, coalesce(search_text, substr(content, 1, 100000)), search_extra"
    f" FROM chatledger_messages WHERE message_id > {MARK}"
)
# FTS5's own totals, and in how many messages each phrase is.
_STATISTICS = text(
    "SELECT (SELECT block FROM chatledger_messages_fts_data WHERE id = 1), (SELECT count(*)"
    " FROM chatledger_messages_fts WHERE chatledger_messages_fts MATCH phrase.value)"
    " FROM json_each(:phrases) AS phrase ORDER BY phrase.key"
)
# The parameters of FTS5's BM25.
_K1, _B = 1.2, 0.75
_LEAST_WEIGHT = 1e-6

_ascii_words = re.compile("[a-z0-9]+").findall


class _Table(dict[int, str]):
    """For `str.translate`: each character as FTS5 folds it, a space for what belongs to no word."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        is_part = category[0] in "LN" or category in ("Co", "Mn", "Mc")
        self[code] = folded = character.lower()[0] if is_part else " "
        return folded


_TABLE = _Table()


def words_of(stored: str | None) -> list[str]:
    """The words of a text as the index would hold them, in order."""
    if not stored:
        return []
    if stored.isascii():
        return _ascii_words(stored.lower())
    return stored.translate(_TABLE).split()


class Phrase(NamedTuple):
    """Words in a row. With `prefix`, the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False

    def __str__(self) -> str:
        return f'"{" ".join(self.words)}"{"*" if self.prefix else ""}'

    def count(self, words: Sequence[str]) -> int:
        """How often the phrase is in a text."""
        *before, last = self.words
        if not before:
            return sum(word.startswith(last) for word in words) if self.prefix else words.count(last)
        return sum(
            (word.startswith(last) if self.prefix else word == last)
            and list(words[place - len(before) : place]) == before
            for place, word in enumerate(words)
            if place >= len(before)
        )


def phrases_of(term: Term) -> Iterator[Phrase]:
    """A term in all of its forms."""
    yield Phrase(term.words, term.prefix)
    for word in term.inflections:
        yield Phrase((word,))


class _Message:
    """A message that waits."""

    def __init__(self, message_id: int, content: str | None, extra: str | None) -> None:
        self.message_id = message_id
        self._columns = (words_of(content), words_of(extra))

    @cached_property
    def size(self) -> int:
        """Number of its words."""
        return sum(map(len, self._columns))

    def count(self, phrase: Phrase) -> int:
        """How often it has a phrase, which does not reach from one column into the other."""
        return sum(phrase.count(words) for words in self._columns)

    def has(self, term: Term) -> bool:
        return any(map(self.count, phrases_of(term)))

    def matches(self, query: Query) -> bool:
        """All of the groups, any term of a group, none of the excluded."""
        return all(any(map(self.has, group)) for group in query.groups) and not any(
            map(self.has, excluded_words(query))
        )


class Waiting:
    """All messages that wait, as the transaction sees them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._messages = [_Message(*row) for row in reader.rows(_READ, {})]
        if self._messages:
            reader.note_waiting()

    def candidates(self, query: Query, tests: Sequence[Sequence[Term]], *, scored: bool) -> str | None:
        """The messages that match, as a JSON array of arrays, or None if there are none.

        Each is its number, score and looseness, and for each test whether it has one of the test's terms. Without
        `scored`, the score is 0.
        """
        found = [message for message in self._messages if message.matches(query)]
        if not found:
            return None
        stricter = loosenesses(query)
        own = looseness_of(query, len(stricter))
        scores = self._scores(query, found) if scored else [0.0] * len(found)
        return json.dumps(
            [
                [
                    message.message_id,
                    score,
                    next((number for number, reading in enumerate(stricter) if message.matches(reading)), own),
                    *(any(map(message.has, terms)) for terms in tests),
                ]
                for message, score in zip(found, scores, strict=True)
            ]
        )

    def having(self, group: Sequence[Term]) -> str | None:
        """The numbers of the messages with one of the terms, as a JSON array, or None if there are none."""
        found = [message.message_id for message in self._messages if any(map(message.has, group))]
        return json.dumps(found) if found else None

    def _scores(self, query: Query, found: Sequence[_Message]) -> list[float]:
        """BM25 of messages, higher for better ones, as FTS5 would compute it after it had indexed all that wait."""
        phrases = list(chain.from_iterable(map(phrases_of, query.terms())))
        rows = self._reader.rows(_STATISTICS, {"phrases": json.dumps(list(map(str, phrases)))})
        messages, *sizes = _numbers(rows[0][0])
        messages += len(self._messages)
        average = (sum(sizes) + sum(message.size for message in self._messages)) / messages
        weights = []
        for phrase, (_, hits) in zip(phrases, rows, strict=True):
            hits += sum(1 for message in self._messages if message.count(phrase))
            weight = math.log((messages - hits + 0.5) / (hits + 0.5))
            weights.append(weight if weight > 0 else _LEAST_WEIGHT)
        return [
            sum(
                weight * often * (_K1 + 1) / (often + _K1 * (1 - _B + _B * message.size / average))
                for phrase, weight in zip(phrases, weights, strict=True)
                if (often := message.count(phrase))
            )
            for message in found
        ]


def _numbers(block: bytes | None) -> list[int]:
    """The whole numbers of a record of FTS5: seven bits in a byte, and a ninth byte has eight."""
    found: list[int] = []
    value = size = 0
    for byte in block or b"\0":
        size += 1
        if size == 9:
            value, byte = value << 8 | byte, 0
        else:
            value = value << 7 | byte & 0x7F
        if byte < 0x80:  # the upper bit says that there is more
            found.append(value)
            value = size = 0
    return found
