"""Numbers of messages within their sessions: gaps, doubles, and those that begin at zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from chatledger.adoption.source.database import Source


class Oddity(NamedTuple):
    """Something about the numbers of one session."""

    kind: str
    session: Any
    number: int | str
    """The number, or the missing numbers of a gap, such as `3-7`."""


def oddities(source: Source, table: str, session: str, row: str, *, of: str) -> Iterator[Oddity]:
    """Gaps and doubles in `sequence_number`. `session` names the column; `of` limits it to sessions that are there.

    A gap counts once, however many numbers are missing in it: one message with a high number is one oddity.
    """
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
        first, last = max(before + 1, 1), number - 1
        if first <= last:
            yield Oddity("sequence_gaps", key, first if first == last else f"{first}-{last}")
