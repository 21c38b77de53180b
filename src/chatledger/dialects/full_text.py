"""How a database finds the messages and sessions that a query asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Engine, Executable, Integer, Select, Table, literal_column

from chatledger.full_text.query import Groups, Query, Term

CANDIDATES = 2000
"""Messages that are ranked, newest first. A query that matches more is marked as truncated."""
LIMIT = literal_column(str(CANDIDATES + 1), Integer)
"""One more, which shows that there are more. Part of the statement and not bound, because the planner reads it."""
SPREAD_MATCHES = 20_000
SPREAD = literal_column(str(SPREAD_MATCHES), Integer)
"""Matches of each word that a search for conversations reads, newest first."""


@dataclass(frozen=True, eq=False)
class Scope:
    """Which messages a search reads: conditions on the columns of two tables, with named parameters.

    There is one object for each combination of filters, so that statements are built once for each of them.
    """

    messages: Table
    sessions: Table
    is_live: ColumnElement[bool]
    """On the session, in every search."""
    of_session: tuple[ColumnElement[bool], ...]
    """On the session, for the filters that are about it."""
    of_message: tuple[ColumnElement[bool], ...]
    """On the message."""
    is_filtered: bool = False
    """Whether the caller has asked for a part of the ledger."""
    is_about_messages: bool = False
    """Whether the caller has asked for messages of a kind, such as those of one role."""


class Reader(Protocol):
    """The transaction in which a search reads."""

    @property
    def engine(self) -> Engine: ...

    def rows(
        self, statement: Executable, parameters: Mapping[str, Any], *, by_index: bool = False
    ) -> Sequence[Sequence[Any]]:
        """Run a statement, which is the same object each time. Rows are in stored form.

        `by_index` says that to compute what an index holds takes long: a server does not know it.
        """

    def note_waiting(self) -> None:
        """Say that there are messages that the index does not hold yet."""


@dataclass(frozen=True)
class Asked:
    """What a search looks for."""

    query: Query
    scope: Scope
    filters: Mapping[str, Any]
    """The parameters of the scope."""
    size: int | None
    """The number of messages in the scope, or None if there are no filters or too many messages to count."""


@dataclass(frozen=True)
class Wanted:
    """Which part of the matches is shown, and what of each."""

    limit: int
    offset: int
    of_one_session: bool
    """Whether all matches are in one session."""
    columns: tuple[ColumnElement[Any], ...]
    """Of the message and its session. The same object each time."""


class FullText(ABC):
    """How a database finds messages.

    The newest `CANDIDATES` matches are ranked. The looseness of a match is 0 where the message has the words as they
    were typed, 1 where it has other forms of them, 2 where it has words that begin so.
    """

    @abstractmethod
    def messages(self, reader: Reader, asked: Asked, wanted: Wanted) -> tuple[list[Sequence[Any]], bool]:
        """A page of messages, best first, and whether there are older matches that were not read.

        Rows are session_id, sequence_number, created_at, score (higher is better) and looseness, then what is wanted.
        """

    @abstractmethod
    def sessions(self, reader: Reader, asked: Asked, *, newest: bool = False) -> tuple[Sequence[Sequence[Any]], bool]:
        """Each session with a match once, by its best (or newest) message, and whether older matches were not read.

        Rows are session_id, sequence_number, created_at, score, looseness and the number of messages that match.
        """

    def is_computed(self, reader: Reader) -> bool:
        """Whether the database may compute the words of many texts, instead of reading the index that holds them."""
        return False

    @abstractmethod
    def sessions_with(
        self, groups: Groups, column: str | None, scope: Scope, key: str
    ) -> tuple[Select[Any], dict[str, Any]]:
        """A SELECT of session_id, created_at and looseness: sessions with all of the groups in their title or system
        prompt.

        `column` is "title" or "system_prompt", or None for both together. The newest `CANDIDATES`, of the scope.
        `key` tells parameters apart.
        """

    @abstractmethod
    def spread(
        self, reader: Reader, group: Sequence[Term], number: int, scope: Scope
    ) -> tuple[Select[Any], dict[str, Any]]:
        """A SELECT of session_id: sessions with a message that has one of the terms. `number` tells parameters apart."""


@dataclass(frozen=True)
class LiteralTest:
    """Code that a message must hold as it was typed, or must not. `others` are the alternatives without code."""

    literals: tuple[str, ...]
    others: tuple[Term, ...] = ()
    excluded: bool = False

    @property
    def shape(self) -> tuple[int, int, bool]:
        """What the condition looks like, whatever its values."""
        return len(self.literals), len(self.others), self.excluded


def literal_tests(query: Query) -> tuple[LiteralTest, ...]:
    """The tests that an index of words cannot answer."""
    found = []
    for group in query.groups:
        literals = tuple(term.literal for term in group if term.literal is not None)
        if literals:
            found.append(LiteralTest(literals, tuple(term for term in group if term.literal is None)))
    excluded = tuple(term.literal for term in query.excluded if term.literal is not None)
    return (*found, LiteralTest(excluded, excluded=True)) if excluded else tuple(found)


def excluded_words(query: Query) -> tuple[Term, ...]:
    """The excluded terms that an index answers."""
    return tuple(term for term in query.excluded if term.literal is None)


def loosenesses(query: Query) -> tuple[Query, ...]:
    """The query in stricter readings, the strictest first, where they differ from its own."""
    terms = query.terms()
    readings = []
    if any(term.is_loose for term in terms):
        readings.append(_stricter(query, inflections=False))
        if any(term.prefix for term in terms) and any(term.inflections for term in terms):
            readings.append(_stricter(query, inflections=True))
    return tuple(readings)


def looseness_of(query: Query, stricter: int) -> int:
    """The looseness of what matches none of the stricter readings."""
    if not stricter:
        return 0
    return 2 if any(term.prefix for term in query.terms()) else 1


def _stricter(query: Query, *, inflections: bool) -> Query:
    groups = tuple(
        tuple(Term(term.words, inflections=term.inflections if inflections else ()) for term in group)
        for group in query.groups
    )
    return Query(groups, query.excluded)
