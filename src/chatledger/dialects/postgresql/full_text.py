"""Full text on PostgreSQL: a stored tsvector of each message under a GIN index, and GIN indexes on the texts of
sessions.

A query is expanded to many words, most of which no message has. The planner knows nothing of such a word and takes it
to be in one message of 200, so that it would rather walk through all messages, newest first: 5 seconds at a million. So
the form of a statement is chosen here, by the statistics that ANALYZE has left:

- of rare words, all matches are read from the GIN index, behind a fence (OFFSET 0) that the planner cannot see through;
- of common words, the newest part of the messages is read, as large as it takes for enough matches;
- words that are in most messages are looked for in the newest messages one by one;
- in a filter that leaves few messages, these are read.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    ColumnElement,
    Engine,
    Float,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR

from chatledger.dialects.constructs import hour_of, json_text
from chatledger.dialects.full_text import (
    CANDIDATES,
    LIMIT,
    SPREAD,
    SPREAD_MATCHES,
    Asked,
    FullText,
    Reader,
    Scope,
    Wanted,
    excluded_words,
    literal_tests,
    looseness_of,
    loosenesses,
)
from chatledger.dialects.postgresql import ranking
from chatledger.dialects.types import Timestamp
from chatledger.full_text.matching import edges
from chatledger.full_text.normalization import INDEXED, SEPARATORS
from chatledger.full_text.query import Groups, Query, Term

# In a ledger with more messages than this, words are never computed again for a whole table.
_LARGE = 20_000
# More matches than these are not all read, and a filter that leaves so few messages is answered by reading them.
_MANY_MATCHES = 8_000
_FEW = 3000
_LEAST = 200
# Words in this part of all messages are looked for one message after the other.
_MOST = 0.3
# The newest part that is read holds so many matches, as far as the statistics tell; then two to sixteen times as many,
# by how many were found, until a filtered search has read this many.
_WANTED = 1.5 * CANDIDATES
_WIDER, _WIDEST = 2, 16
_SCANNED = 40_000
# A filter on messages leaves one in so many, before anything is known of it.
_OF_SOME = 3
# A filter on sessions whose messages were too many to count leaves this part of all.
_OF_OWNERS = 0.1
# Seconds for which statistics are kept.
_FRESH = 10.0

# The generated column of messages, which only PostgreSQL has (the models do not declare it).
_vector = column("search_vector", TSVECTOR)
_fence = literal_column("0", Integer)

# Number of stricter readings, looseness of the query's own, and the shapes of its literal tests.
_Shape = tuple[int, int, tuple[tuple[int, int, bool], ...]]


class PostgreSQLFullText(FullText):
    """Matches come newest first by created_at."""

    def __init__(self) -> None:
        self._statistics: WeakKeyDictionary[Engine, _Statistics] = WeakKeyDictionary()

    def messages(self, reader: Reader, asked: Asked, wanted: Wanted) -> tuple[list[Sequence[Any]], bool]:
        bound = {"limit": wanted.limit, "offset": wanted.offset}

        def page(candidates: Select[Any]) -> Select[Any]:
            return ranking.page(candidates, asked.scope, wanted.columns, of_one_session=wanted.of_one_session)

        rows, is_cut = self._found(reader, asked, page, bound)
        return [row[:-1] for row in rows], is_cut

    def sessions(self, reader: Reader, asked: Asked, *, newest: bool = False) -> tuple[Sequence[Sequence[Any]], bool]:
        return self._found(reader, asked, ranking.newest_of_sessions if newest else ranking.best_of_sessions, {})

    def _found(
        self, reader: Reader, asked: Asked, ranked: Callable[[Select[Any]], Select[Any]], more: Mapping[str, Any]
    ) -> tuple[Sequence[Sequence[Any]], bool]:
        """Rows of a statement over the candidates, whose last column says how many candidates there were; and whether
        there are older matches that were not read.
        """
        query, scope = asked.query, asked.scope
        tests, stricter = literal_tests(query), loosenesses(query)
        bound = {**asked.filters, **more, "wanted": tsquery(query)}
        bound.update({f"reading_{number}": tsquery(reading) for number, reading in enumerate(stricter)})
        for number, test in enumerate(tests):
            bound.update({f"literal_{number}_{n}": _pattern(one) for n, one in enumerate(test.literals)})
            bound.update({f"other_{number}_{n}": _alternatives(one) for n, one in enumerate(test.others)})
        shape = (len(stricter), looseness_of(query, len(stricter)), tuple(test.shape for test in tests))

        def run(candidates: Select[Any], **also: Any) -> tuple[Sequence[Sequence[Any]], int]:
            rows = reader.rows(ranked(candidates), {**bound, **also})
            return rows, int(rows[0][-1]) if rows else 0

        statistics = self._statistics_of(reader)
        share = statistics.share(query)
        matches = share * statistics.messages
        few = _FEW if matches > (asked.size or 0) else _LEAST
        if asked.size is not None and asked.size <= few:
            rows, matched = run(_in_sessions(scope, shape, is_bounded=False))
        elif matches <= _MANY_MATCHES:
            rows, matched = run(_behind_a_fence(scope, shape, is_bounded=False))
        elif share >= _MOST and not scope.is_filtered:
            rows, matched = run(_one_by_one(scope, shape))
        else:
            form = _in_sessions if scope.of_session else _behind_a_fence
            since, before = asked.filters.get("since"), asked.filters.get("until")
            unknown = _OF_OWNERS if scope.of_session else 1.0
            held = matches * (min(1.0, asked.size / statistics.messages) if asked.size else unknown)
            part = _WANTED / held * (_OF_SOME if scope.is_about_messages else 1)
            while (cutoff := statistics.newest(min(part, most := _SCANNED / held), before)) is not None:
                rows, matched = run(form(scope, shape, is_bounded=True), cutoff=cutoff)
                if matched > CANDIDATES or (since is not None and since >= cutoff):
                    return rows, matched > CANDIDATES
                if part >= most and scope.is_filtered:
                    return rows, True
                part *= min(max(_WANTED / max(matched, 1), _WIDER), _WIDEST)
            rows, matched = run(form(scope, shape, is_bounded=False))
        return rows, matched > CANDIDATES

    def _statistics_of(self, reader: Reader) -> _Statistics:
        known = self._statistics.get(reader.engine)
        if known is None or known.read_at + _FRESH < time.monotonic():
            known = self._statistics[reader.engine] = _Statistics.read(reader)
        return known

    def is_computed(self, reader: Reader) -> bool:
        # The planner takes it to cost little, and reads the table of sessions for a word that is in many of them.
        return self._statistics_of(reader).messages > _LARGE

    def sessions_with(
        self, groups: Groups, column: str | None, scope: Scope, key: str
    ) -> tuple[Select[Any], dict[str, Any]]:
        query = Query(groups)
        readings = loosenesses(query)
        # Together, a word may be in the title and another in the prompt, so each group is looked for by itself.
        bound = {f"{key}_wanted_{n}": tsquery(Query((group,))) for n, group in enumerate(groups)}
        if readings:
            bound |= {f"{key}_exact_{n}": tsquery(Query((group,))) for n, group in enumerate(readings[0].groups)}
        return _sessions_with(scope, column, key, len(groups), has_readings=bool(readings)), bound

    def spread(
        self, reader: Reader, group: Sequence[Term], number: int, scope: Scope
    ) -> tuple[Select[Any], dict[str, Any]]:
        query = Query((tuple(group),))
        statistics = self._statistics_of(reader)
        bound: dict[str, Any] = {f"spread_{number}": tsquery(query)}
        if (matches := statistics.share(query) * statistics.messages) > SPREAD_MATCHES:
            bound["cutoff"] = statistics.newest(SPREAD_MATCHES / matches)
            if bound["cutoff"] is not None:
                bound[f"cutoff_{number}"] = bound.pop("cutoff")
        return _spread(scope, number, is_bounded=f"cutoff_{number}" in bound), bound


@dataclass(frozen=True)
class _Statistics:
    """What ANALYZE knows of the words of a query, and of the times of the messages."""

    read_at: float
    messages: float
    frequencies: Mapping[str, float]
    """Of the most common words: the part of all messages that have it."""
    times: Sequence[Any]

    @classmethod
    def read(cls, reader: Reader) -> _Statistics:
        messages, words, frequencies, times = reader.rows(_STATISTICS, {})[0]
        found = dict(zip(words or (), frequencies or (), strict=True))
        return cls(time.monotonic(), max(float(messages or 0), 0), found, times or ())

    def share(self, query: Query) -> float:
        """The part of all messages that match, at most, as far as it is known. Rare words are not counted."""
        if not self.frequencies:
            return 0
        return min(min(sum(map(self._share_of, group)), 1.0) for group in query.groups)

    def _share_of(self, term: Term) -> float:
        if term.prefix:
            prefix = lexemes(term.words[-1])[-1]
            last = sum(share for word, share in self.frequencies.items() if word.startswith(prefix))
            others = [lexeme for word in term.words[:-1] for lexeme in lexemes(word)]
            return min([last, *(self.frequencies.get(other, 0) for other in others)])
        own = min(self.frequencies.get(lexeme, 0) for word in term.words for lexeme in lexemes(word))
        return own + sum(self.frequencies.get(word, 0) for word in term.inflections)

    def newest(self, part: float, before: datetime | None = None) -> Any:
        """The time since when this part of the messages was written, of those before a time; None if it is not known or
        most of them.
        """
        steps = len(self.times) - 1
        if steps < 1:
            return None
        end = steps if before is None else bisect_left(self.times, before)
        if part >= 0.7 * end / steps:
            return None
        return self.times[max(0, min(steps - 1, int(end - part * steps)))]


# Statistics of a partitioned table are those that it has with its partitions.
_STATISTICS = text(
    """
    WITH stored AS MATERIALIZED (
        SELECT DISTINCT ON (attname) attname, most_common_elems, most_common_elem_freqs, histogram_bounds
        FROM pg_stats
        WHERE schemaname = current_schema() AND tablename = 'chatledger_messages'
            AND attname IN ('search_vector', 'created_at')
        ORDER BY attname, inherited DESC
    )
    SELECT
        (SELECT reltuples FROM pg_class
         WHERE relname = 'chatledger_messages' AND relnamespace = CAST(current_schema() AS regnamespace)) AS messages,
        (SELECT CAST(CAST(most_common_elems AS text) AS text[]) FROM stored WHERE attname = 'search_vector') AS words,
        -- Three more than words: the smallest, the largest, and that of no word at all.
        (SELECT most_common_elem_freqs[1:array_length(CAST(CAST(most_common_elems AS text) AS text[]), 1)]
         FROM stored WHERE attname = 'search_vector') AS frequencies,
        (SELECT CAST(CAST(histogram_bounds AS text) AS timestamptz[]) FROM stored WHERE attname = 'created_at') AS times
    """
)


def _conditions(scope: Scope, shape: _Shape) -> list[ColumnElement[bool]]:
    """What a message must be. Its session is asked for by a subquery with one value: PostgreSQL would read all sessions
    for a join or an EXISTS.
    """
    messages, sessions = scope.messages, scope.sessions
    is_found = (
        select(literal_column("1", Integer))
        .where(sessions.c.session_id == messages.c.session_id, scope.is_live, *scope.of_session)
        .correlate(messages)
        .scalar_subquery()
    )
    return [*_on_messages(scope, shape), is_found.is_not(None)]


def _on_messages(scope: Scope, shape: _Shape) -> list[ColumnElement[bool]]:
    """Those on the message alone. The planner keeps the order of conditions that it takes to be as cheap as each other,
    and to look into a vector takes the longest.
    """
    return [
        *scope.of_message,
        _matches("wanted"),
        *(_literal_condition(scope.messages, number, *one) for number, one in enumerate(shape[2])),
    ]


def _matches(name: str, vector: ColumnElement[Any] = _vector) -> ColumnElement[bool]:
    return vector.op("@@", is_comparison=True)(cast(bindparam(name, type_=TSQUERY), TSQUERY))


def _columns(messages: Table) -> list[ColumnElement[Any]]:
    return [messages.c.session_id, messages.c.sequence_number, messages.c.created_at, _vector]


@cache
def _behind_a_fence(scope: Scope, shape: _Shape, *, is_bounded: bool) -> Select[Any]:
    messages = scope.messages
    matching = select(*_columns(messages)).select_from(messages).where(*_conditions(scope, shape))
    if is_bounded:
        matching = matching.where(messages.c.created_at >= bindparam("cutoff", type_=Timestamp()))
    found = matching.offset(_fence).subquery("matching")
    return _ranked(select(*found.c).order_by(found.c.created_at.desc()).limit(LIMIT), shape)


@cache
def _one_by_one(scope: Scope, shape: _Shape) -> Select[Any]:
    messages = scope.messages
    found = select(*_columns(messages)).select_from(messages).where(*_conditions(scope, shape))
    return _ranked(found.order_by(messages.c.created_at.desc()).limit(LIMIT), shape)


@cache
def _in_sessions(scope: Scope, shape: _Shape, *, is_bounded: bool) -> Select[Any]:
    """Read the sessions of the scope, and all messages of each, or the newest ones."""
    messages, sessions = scope.messages, scope.sessions
    of_session = select(*_columns(messages)).where(messages.c.session_id == sessions.c.session_id)
    found = of_session.where(*_on_messages(scope, shape)).correlate(sessions).offset(_fence).lateral("of_session")
    statement = (
        select(*found.c)
        .select_from(sessions.join(found, literal_column("true")))
        .where(scope.is_live, *scope.of_session)
    )
    if is_bounded:
        cutoff = bindparam("cutoff", type_=Timestamp())
        # Of the messages outside of the fence: inside, the index of their times would be read again for each session.
        is_new = (found.c.created_at >= cutoff, sessions.c.last_activity >= cutoff)
        statement = statement.where(*is_new, sessions.c.activity_hour >= hour_of(cutoff))
    return _ranked(statement.order_by(found.c.created_at.desc()).limit(LIMIT), shape)


def _ranked(newest: Select[Any], shape: _Shape) -> Select[Any]:
    readings, own, _ = shape
    # Ranked after the limit, and not for each match.
    found = newest.offset(_fence).subquery("newest")
    vector = found.c.search_vector
    looseness: ColumnElement[int] = literal_column(str(own), Integer)
    if readings:
        cases = ((_matches(f"reading_{number}", vector), number) for number in range(readings))
        looseness = case(*cases, else_=own)
    wanted = cast(bindparam("wanted", type_=TSQUERY), TSQUERY)
    return select(
        found.c.session_id,
        found.c.sequence_number,
        found.c.created_at,
        func.ts_rank(vector, wanted, type_=Float).label("score"),
        looseness.label("looseness"),
    )


def _literal_condition(messages: Table, number: int, literals: int, others: int, excluded: bool) -> ColumnElement[bool]:
    space = literal(" ")
    whole = (
        space
        + messages.c.content
        + space
        + func.coalesce(json_text(messages.c.payload), "")
        + space
        + func.coalesce(messages.c.name, "")
        + space
    )
    lower: ColumnElement[Any] = func.lower(whole.collate("C"))
    held = [lower.op("~", is_comparison=True)(bindparam(f"literal_{number}_{n}")) for n in range(literals)]
    if excluded:
        return and_(*map(not_, held))
    return or_(*held, *(_matches(f"other_{number}_{n}") for n in range(others)))


@cache
def _sessions_with(scope: Scope, column: str | None, key: str, groups: int, *, has_readings: bool) -> Select[Any]:
    sessions = scope.sessions
    names = ("title", "system_prompt") if column is None else (column,)

    def has_all(kind: str) -> ColumnElement[bool]:
        return and_(*(or_(*(_matches(f"{key}_{kind}_{n}", _vector_of(one)) for one in names)) for n in range(groups)))

    looseness: ColumnElement[int] = literal_column("0", Integer)
    if has_readings:
        looseness = case((has_all("exact"), 0), else_=1)
    found = (
        select(sessions.c.session_id, sessions.c.created_at, looseness.label("looseness"))
        .where(has_all("wanted"), scope.is_live, *scope.of_session)
        .offset(_fence)
        .subquery("matching")
    )
    return select(*found.c).order_by(found.c.created_at.desc()).limit(LIMIT)


def _vector_of(name: str) -> ColumnElement[Any]:
    """The expression of an index on sessions (migration 0003)."""
    plain = f"lower(regexp_replace(left({name}, {INDEXED}), '[{_PUNCTUATION}]+', ' ', 'g') COLLATE \"C\")"
    return literal_column(f"to_tsvector('pg_catalog.simple', coalesce(search_{name}, {plain}))", TSVECTOR)


# What separates words besides spaces: ASCII punctuation, and what is beyond ASCII in a text that is indexed as it is.
_PUNCTUATION = r"!-/:-@\[-`{-~" + re.sub(
    "[^\x00-\x7f]", lambda found: found[0].encode("unicode_escape").decode().replace(r"\x", r"\u00"), SEPARATORS
)


@cache
def _spread(scope: Scope, number: int, *, is_bounded: bool) -> Select[Any]:
    messages = scope.messages
    matching = (
        select(messages.c.session_id, messages.c.created_at)
        .where(_matches(f"spread_{number}"), *scope.of_message)
        .offset(_fence)
    )
    if is_bounded:
        matching = matching.where(messages.c.created_at >= bindparam(f"cutoff_{number}", type_=Timestamp()))
    found = matching.subquery(f"matching_{number}")
    newest = select(found.c.session_id).order_by(found.c.created_at.desc()).limit(SPREAD).subquery(f"newest_{number}")
    return select(newest.c.session_id)


def tsquery(query: Query) -> str:
    """The server's own notation. Words are letters and digits in quotes, so that nothing in them is an operator."""
    wanted = " & ".join(f"({' | '.join(map(_alternatives, group))})" for group in query.groups)
    excluded = excluded_words(query)
    return wanted if not excluded else f"{wanted} & !({' | '.join(map(_alternatives, excluded))})"


def _alternatives(term: Term) -> str:
    cut = [lexeme for word in term.words for lexeme in lexemes(word)]
    own = " <-> ".join(f"'{lexeme}'" for lexeme in cut) + (":*" if term.prefix else "")
    return " | ".join([f"({own})", *(f"'{word}'" for word in term.inflections)])


_NUMBER = re.compile(r"[0-9]+e[0-9]+(?=[^0-9])")


def lexemes(word: str) -> list[str]:
    """A word as the server's parser cuts it: it takes the beginning of 43e1f65f for a number."""
    found = []
    while number := _NUMBER.match(word):
        found.append(number[0])
        word = word[number.end() :]
    return [*found, word] if word else found


_SPECIAL = re.compile(r"[^a-z0-9 ]")


def _pattern(code: str) -> str:
    before, after = edges(code)
    inner = _SPECIAL.sub(lambda found: f"[{found[0]}]" if found[0] not in "^\\]" else f"\\{found[0]}", code)
    return f"{'[^a-z0-9]' if before else ''}{inner}{'[^a-z0-9]' if after else ''}"
