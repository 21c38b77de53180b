"""The query language of search, and what each database makes of it.

    lisbon may          both words, anywhere in the message
    "last train"        the words in a row
    -hotel              without this word (or -"this phrase")
    train OR bus        either
    port*               words that begin so (three characters or more)

Nothing that is typed is an error: what cannot be searched for is left out, and a query of which nothing is left (or
that only excludes) finds nothing.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, Table, literal_column
from sqlalchemy.engine import Result

from chatledger.dialects.word_segmentation import segment

#: Runs one statement.
Execute = Callable[[Any, dict[str, Any]], Result[Any]]

#: Messages that are ranked, newest first. A query that matches more is marked as truncated.
CANDIDATES = 2000
#: One more, which shows that there are more. Part of the statement and not bound, because the planner reads it.
LIMIT = literal_column(str(CANDIDATES + 1), Integer)

_MAX_LENGTH = 2000
_MAX_TERMS = 32
_MIN_PREFIX = 3

_SEARCHABLE = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})

_TOKEN = re.compile(r'(?P<minus>-(?=\S))?(?:"(?P<phrase>[^"]*)(?:"(?P<star>\*)?|$)|(?P<word>[^\s"]+))')


@dataclass(frozen=True)
class Term:
    """A word or words in a row. With `prefix`, the last one may go on."""

    words: str
    prefix: bool = False


@dataclass(frozen=True)
class Query:
    """All of the groups, any term of a group, none of the excluded."""

    groups: tuple[tuple[Term, ...], ...]
    excluded: tuple[Term, ...]

    def terms(self) -> list[Term]:
        return [term for group in self.groups for term in group]


def parse(text: str) -> Query:
    """Read what a user typed. Never raises."""
    clean = text[:_MAX_LENGTH].encode("utf-8", "ignore").decode().replace("\x00", " ")
    groups: list[list[Term]] = []
    excluded: list[Term] = []
    either = False
    for count, token in enumerate(_TOKEN.finditer(clean)):
        if count >= _MAX_TERMS:
            break
        word = token["word"]
        if word in ("OR", "|"):
            either = bool(groups)
            continue
        if word == "AND":
            continue
        term = _term(token["phrase"] if word is None else word, starred=bool(token["star"]))
        if term is None:
            continue
        if token["minus"]:
            excluded.append(term)
        elif either:
            groups[-1].append(term)
        else:
            groups.append([term])
        either = False
    return Query(tuple(map(tuple, groups)), tuple(excluded))


def _term(raw: str, *, starred: bool) -> Term | None:
    prefix = starred or raw.endswith("*")
    words = split_words(segment(raw) or raw)
    # Fractions and circled numbers are letters to nobody: one database indexes them, the other does not.
    if not any(unicodedata.category(character) in _SEARCHABLE for word in words for character in word):
        return None
    # A syllable of Hangul is two or three letters.
    return Term(" ".join(words), prefix and len(unicodedata.normalize("NFD", words[-1])) >= _MIN_PREFIX)


#: Marks stay with their letter; the underscore separates, as it does in the indexes.
_WORD = re.compile(
    r"[^\W_](?:[^\W_]|[\u0300-\u036f\u0900-\u0dff\u0e31-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ecd\u102b-\u103e\u17b4-\u17d3\u3099\u309a])*"
)


def split_words(text: str) -> list[str]:
    return _WORD.findall(text)


def cut_prefixes(query: Query, algorithm: str) -> list[str]:
    """Prefixes that an index stems before it looks for them, so that `bags*` would find "bagpipe".

    The text must have a word that begins with them besides. Not told of prefixes that stand beside an OR.
    """
    if not any(term.prefix for term in query.terms()):
        return []
    from snowballstemmer import stemmer  # type: ignore[import-untyped]  # noqa: PLC0415 - for prefixes alone; untyped

    stem = stemmer(algorithm).stemWord
    lasts = [group[0].words.split(" ")[-1].lower() for group in query.groups if len(group) == 1 and group[0].prefix]
    return [last for last in lasts if last.isascii() and len(stem(last)) < len(last)]


@dataclass(frozen=True, eq=False)
class Scope:
    """Which messages a search reads: conditions on the columns of two tables, with named parameters.

    There is one object for each combination of filters, so that statements are built once for each of them.
    """

    messages: Table
    sessions: Table
    #: On the session, in every search.
    is_live: ColumnElement[bool]
    filters: tuple[ColumnElement[bool], ...]


@dataclass(frozen=True)
class Candidates:
    """A SELECT of session_id, sequence_number, created_at and score (higher is better), with its parameters.

    The SELECT is the same object each time for the same scope and shape of query.
    """

    statement: Select[Any]
    parameters: dict[str, Any]
    #: Returns true if older matches were not read. None if all of them were.
    was_cut: Select[Any] | None = None


class FullText(ABC):
    """How a database finds messages."""

    @abstractmethod
    def candidates(
        self, query: Query, scope: Scope, parameters: Mapping[str, Any], size: int | None, execute: Execute
    ) -> Candidates | None:
        """The newest `CANDIDATES` matches within the scope and one more; None if the query cannot match anything.

        `parameters` are those of the scope's filters. `size` is the number of messages in the scope, or None if there are
        no filters or too many messages to count.
        """
