"""Numbers of messages within their sessions: holes, doubles, and those that begin at zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from chatledger.adoption.source import Source

#: Numbers of one hole that are named.
_NAMED = 1000


class Oddity(NamedTuple):
    """Something about the numbers of one session."""

    kind: str
    session: Any
    number: int
    #: How many numbers it stands for: the rest of a very long hole.
    times: int = 1


def oddities(source: Source, table: str, session: str, row: str, *, of: str) -> Iterator[Oddity]:
    """Holes and doubles in `sequence_number`. `session` names the column; `of` limits it to sessions that are there."""
    sql = (
        f"SELECT {session}, sequence_number, lag(sequence_number) OVER w, row_number() OVER w FROM {table}"
        f" WHERE {session} IN ({of}) AND typeof(sequence_number) = 'integer'"
        f" WINDOW w AS (PARTITION BY {session} ORDER BY sequence_number, {row})"
    )
    for key, number, before, place in source.query(sql):
        if place == 1:
            if number == 0:
                yield Oddity("zero_based_sequence", key, 0)
            before = 0
        elif number == before:
            yield Oddity("duplicate_sequence", key, number)
        missing = number - before - 1
        for hole in range(before + 1, before + 1 + min(missing, _NAMED)):
            yield Oddity("sequence_gaps", key, hole)
        if missing > _NAMED:
            yield Oddity("sequence_gaps", key, before + 1 + _NAMED, missing - _NAMED)
