"""How a database finds the messages and sessions that a query asks for."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, Table, literal_column
from sqlalchemy.engine import Result

from chatledger.full_text.query import Groups, Query, Term

Execute = Callable[[Any, dict[str, Any]], Result[Any]]
"""Runs one statement."""

CANDIDATES = 2000
"""Messages that are ranked, newest first. A query that matches more is marked as truncated."""
LIMIT = literal_column(str(CANDIDATES + 1), Integer)
"""One more, which shows that there are more. Part of the statement and not bound, because the planner reads it."""
SPREAD = literal_column("20000", Integer)
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


@dataclass(frozen=True)
class Candidates:
    """A SELECT of session_id, sequence_number, created_at, score (higher is better) and looseness.

    `looseness` is 0 where the message has the words as they were typed, 1 where it has other forms of them, 2 where it
    has words that begin so. The SELECT is the same object each time for the same scope and shape of query.
    """

    statement: Select[Any]
    parameters: dict[str, Any]
    was_cut: Select[Any] | None = None
    """Returns true if older matches were not read. None if all of them were."""
    is_partial: bool = False
    """Whether only the newest messages are read: if fewer than `CANDIDATES` match, the next attempt reads more."""
    is_behind: bool = False
    """Whether there are messages that the index does not hold yet. They are among the candidates all the same."""


class FullText(ABC):
    """How a database finds messages."""

    @abstractmethod
    def candidates(
        self, query: Query, scope: Scope, parameters: Mapping[str, Any], size: int | None, execute: Execute
    ) -> Iterator[Candidates]:
        """The newest `CANDIDATES` matches within the scope and one more, by one attempt or more.

        `parameters` are those of the scope's filters. `size` is the number of messages in the scope, or None if there
        are no filters or too many messages to count.
        """

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
        self, group: Sequence[Term], number: int, scope: Scope, execute: Execute
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


_WORD_EDGE = re.compile("[a-z0-9]")


def edges(literal: str) -> tuple[bool, bool]:
    """Whether a literal begins and ends with a letter or digit, where another one must not go on."""
    return bool(_WORD_EDGE.match(literal[0])), bool(_WORD_EDGE.match(literal[-1]))
