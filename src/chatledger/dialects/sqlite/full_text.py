"""Full text on SQLite: FTS5 over the texts of messages, and over those of sessions.

Where a search reads depends on how many messages match and how many it may find:

- the index, newest first, and the message and the session of each match;
- in a large ledger with a filter that leaves few of the matches: the index, and only the messages of the filter;
- in a filter that leaves few messages, and for beginnings of words that are in most messages: the messages themselves,
  because FTS5 takes as long to look one message up as to match fifty texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Join,
    Select,
    Table,
    and_,
    bindparam,
    case,
    column,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    table,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from chatledger.dialects.constructs import json_text
from chatledger.dialects.full_text import (
    CANDIDATES,
    LIMIT,
    SPREAD,
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
from chatledger.dialects.sqlite.waiting import Waiting
from chatledger.full_text.matching import Matcher, edges
from chatledger.full_text.normalization import INDEXED
from chatledger.full_text.query import Groups, Query, Term

# A ledger with more messages than this is large: BM25, which counts all matches of each word, is computed for rare words
# only, and the way to search is chosen by how often the words are in the newest messages.
_LARGE = 50_000
_SAMPLE = 2000
# Words in more messages than this are ranked by time alone in a large ledger.
_COMMON = 50_000
# A filter that leaves so few messages is answered by reading them, and one that leaves so few by their numbers, if the
# words are in several times as many messages.
_FEW = 3000
_SOME = 30_000
_SEVERAL = 4
# Matches that a filtered search reads, newest first, before it stops: with their messages, or their numbers alone.
_SCANNED = 50_000
_SCANNED_NUMBERS = 150_000
# Beginnings of words are looked for in the newest messages if they are in this part of the sample.
_MOST = 0.35
_PREFIX_SAMPLE = 200

_index = table(
    "chatledger_messages_fts",
    column("rowid", Integer),
    column("rank", Float),
    column("chatledger_messages_fts"),  # the table's own name as a column is what FTS5 matches against
)
_sessions_index = table("chatledger_sessions_fts", column("rowid", Integer), column("chatledger_sessions_fts"))
_numbers = table("chatledger_session_numbers", column("number", Integer), column("session_id"))
# The integer key of messages, which only SQLite has (the models do not declare it).
_message_id: ColumnElement[int] = column("message_id", Integer)
_matches: ColumnElement[bool] = _index.c.chatledger_messages_fts.match(bindparam("match"))
_unscored: ColumnElement[Any] = literal_column("0.0", Float)
_floor: ColumnElement[int] = bindparam("floor", type_=Integer)

_COUNT = select(func.count()).select_from(_index).where(_matches, _index.c.rowid > _floor)
_IS_BELOW = select(_index.c.rowid).where(_matches, _index.c.rowid <= _floor).limit(literal_column("1", Integer))
_SCORES = select(_index.c.rowid, -_index.c.rank).where(_matches).limit(LIMIT)

# Number of stricter readings, looseness of the query's own, and the shapes of its literal tests.
_Shape = tuple[int, int, tuple[tuple[int, int, bool], ...]]
# message_id, session_id, sequence_number, created_at, score, looseness: as each way to search gives them.
_Candidate = Sequence[Any]
_MESSAGE_ID, _SESSION_ID, _SEQUENCE_NUMBER, _CREATED_AT, _SCORE, _LOOSENESS = range(6)


class SQLiteFullText(FullText):
    """Matches come newest first by rowid, which rises with each append; they are ranked afterwards."""

    def messages(self, reader: Reader, asked: Asked, wanted: Wanted) -> tuple[list[Sequence[Any]], bool]:
        found, is_cut = self._candidates(reader, asked)
        if not wanted.of_one_session:
            found = _each_session_first(found)
        page = found[wanted.offset : wanted.offset + wanted.limit]
        if not page:
            return [], is_cut
        ids = f"[{','.join(str(row[_MESSAGE_ID]) for row in page)}]"
        shown = {row[0]: row[1:] for row in reader.rows(_shown(asked.scope, wanted.columns), {"ids": ids})}
        return [[*row[_SESSION_ID:], *shown[row[_MESSAGE_ID]]] for row in page if row[_MESSAGE_ID] in shown], is_cut

    def sessions(self, reader: Reader, asked: Asked, *, newest: bool = False) -> tuple[Sequence[Sequence[Any]], bool]:
        found, is_cut = self._candidates(reader, asked)
        if newest:
            found = sorted(found, key=lambda row: row[_CREATED_AT], reverse=True)
            found.sort(key=lambda row: row[_LOOSENESS])
        best: dict[str, Sequence[Any]] = {}
        hits: dict[str, int] = {}
        for row in found:
            session_id = row[_SESSION_ID]
            best.setdefault(session_id, row)
            hits[session_id] = hits.get(session_id, 0) + 1
        return [[*row[_SESSION_ID:], hits[session_id]] for session_id, row in best.items()], is_cut

    def _candidates(self, reader: Reader, asked: Asked) -> tuple[list[_Candidate], bool]:
        """The newest matches by looseness, score and time, and whether there are older ones that were not read."""
        (newest,) = reader.rows(_newest(asked.scope.messages), {})[0]
        search = _Search.of(asked)
        if newest is None:
            return [], False
        is_large = newest > _LARGE
        # Words that begin so would be merged to be counted. They are merged however few messages are looked for.
        matching = None
        if asked.scope.is_filtered and not (search.has_prefix and is_large):
            matching = self._matching(reader, search.match, newest)
        is_few = asked.size is not None and asked.size <= _FEW
        if is_few and (matching is None or matching > min(_SEVERAL * (asked.size or 0), _SCANNED)):
            statement = _texts(asked.scope, from_sessions=True, has_code=search.has_code)
            return search.matched(reader.rows(statement, search.bound), CANDIDATES)
        if is_large and search.has_prefix:
            return self._with_prefix(reader, search, newest)
        has_score = not is_large or self._matching(reader, search.any_word, newest) <= _COMMON
        return self._by_index(reader, search, newest, matching, has_score=has_score)

    def _with_prefix(self, reader: Reader, search: _Search, newest: int) -> tuple[list[_Candidate], bool]:
        """In a large ledger. An index that is asked for its scores would be merged a second time."""
        statement = _texts(search.asked.scope, from_sessions=False, has_code=search.has_code)
        rows = reader.rows(statement, {**search.bound, "floor": newest - _PREFIX_SAMPLE})
        share = len(search.matched(rows, CANDIDATES)[0]) / _PREFIX_SAMPLE
        if share >= _MOST:
            floor = newest - int(1.2 * CANDIDATES / share)
            found, is_cut = search.matched(reader.rows(statement, {**search.bound, "floor": floor}), CANDIDATES)
            if is_cut:
                return found, True
        found, is_cut = self._by_index(reader, search, newest, None, has_score=False)
        if is_cut or not found or search.asked.scope.is_filtered:
            return found, is_cut
        scores: dict[int, float] = dict(map(tuple, reader.rows(_SCORES, search.bound)))
        scores |= {row[_MESSAGE_ID]: row[_SCORE] for row in self._waiting(reader, search, has_score=True)}
        return _sorted([*row[:_SCORE], scores.get(row[_MESSAGE_ID], 0.0), row[_LOOSENESS]] for row in found), False

    def _by_index(
        self, reader: Reader, search: _Search, newest: int, matching: int | None, *, has_score: bool
    ) -> tuple[list[_Candidate], bool]:
        asked, floor, by_number = search.asked, 0, False
        if matching is not None:
            by_number = asked.size is not None and asked.size <= _SOME and matching > _SEVERAL * asked.size
            if matching > (most := _SCANNED_NUMBERS if by_number else _SCANNED):
                floor = newest - int(newest * most / matching)
        statement = _by_index(asked.scope, search.shape, has_score=has_score, by_number=by_number)
        bound = {**search.bound, "floor": floor}
        # First, because without a common snapshot, as on an application's connection, they may be indexed meanwhile.
        waiting = self._waiting(reader, search, has_score=has_score)
        found = list(reader.rows(statement, bound))
        if waiting:
            known = {row[_MESSAGE_ID] for row in waiting}
            found = _sorted([*waiting, *(row for row in found if row[_MESSAGE_ID] not in known)])
        if len(found) > CANDIDATES:
            return found, True
        return found, bool(floor and reader.rows(_IS_BELOW, bound))

    @staticmethod
    def _waiting(reader: Reader, search: _Search, *, has_score: bool) -> Sequence[_Candidate]:
        """The matches among the messages that are not indexed yet."""
        others = [test.others for test in literal_tests(search.asked.query)]
        found = Waiting(reader).candidates(search.asked.query, others, scored=has_score)
        if found is None:
            return ()
        return reader.rows(_waiting(search.asked.scope, search.shape), {**search.bound, "waiting": found})

    @staticmethod
    def _matching(reader: Reader, match: str, newest: int) -> int:
        """How many messages match, about: as often as among the newest ones."""
        sample = min(newest, _SAMPLE)
        (count,) = reader.rows(_COUNT, {"match": match, "floor": newest - sample})[0]
        return int(count * newest / sample)

    def sessions_with(
        self, groups: Groups, column: str | None, scope: Scope, key: str
    ) -> tuple[Select[Any], dict[str, Any]]:
        query = Query(groups)
        where = "" if column is None else f"{{{column}}} : "
        readings = [match_expression(one) for one in loosenesses(query)]
        bound = {f"{key}_match": f"{where}({match_expression(query)})"}
        if readings:
            bound[f"{key}_exact"] = f"{where}({readings[0]})"
        return _sessions_with(scope, key, has_readings=bool(readings)), bound

    def spread(
        self, reader: Reader, group: Sequence[Term], number: int, scope: Scope
    ) -> tuple[Select[Any], dict[str, Any]]:
        bound = {f"spread_{number}": match_expression(Query((tuple(group),)))}
        waiting = Waiting(reader).having(group)
        if waiting is None:
            return _spread(scope, number), bound
        return _spread_with_waiting(scope, number), {**bound, f"waiting_{number}": waiting}


@dataclass(frozen=True)
class _Search:
    """A query in the forms in which it is asked."""

    asked: Asked
    shape: _Shape
    match: str
    bound: Mapping[str, Any]

    @classmethod
    def of(cls, asked: Asked) -> _Search:
        query = asked.query
        tests, stricter, match = literal_tests(query), loosenesses(query), match_expression(query)
        bound = {**asked.filters, "match": match}
        bound.update({f"reading_{number}": match_expression(reading) for number, reading in enumerate(stricter)})
        for number, test in enumerate(tests):
            bound.update({f"literal_{number}_{n}": _glob(one) for n, one in enumerate(test.literals)})
            bound.update({f"other_{number}_{n}": _quoted(one) for n, one in enumerate(test.others)})
        shape = (len(stricter), looseness_of(query, len(stricter)), tuple(test.shape for test in tests))
        return cls(asked, shape, match, bound)

    @property
    def has_prefix(self) -> bool:
        return any(term.prefix for term in (*self.asked.query.terms(), *self.asked.query.excluded))

    @property
    def has_code(self) -> bool:
        return bool(self.shape[2])

    @property
    def any_word(self) -> str:
        """Matches each message that BM25 would count."""
        query = self.asked.query
        return " OR ".join(map(_quoted, (*query.terms(), *excluded_words(query))))

    def matched(self, rows: Sequence[Sequence[Any]], most: int) -> tuple[list[_Candidate], bool]:
        """The candidates among messages that come with their texts, without scores, and whether there are more."""
        query = self.asked.query
        matcher, own = Matcher(query), self.shape[1]
        readings = [Matcher(reading) for reading in loosenesses(query)]
        found: list[_Candidate] = []
        for message_id, session_id, number, created_at, text, extra, *written in rows:
            texts = (text,) if extra is None else (text, extra)
            code = " ".join(part for part in written if part is not None)
            if matcher.matches(*texts, written=code):
                looseness = next((n for n, one in enumerate(readings) if one.matches(*texts, written=code)), own)
                found.append((message_id, session_id, number, created_at, 0.0, looseness))
        return _sorted(found[:most]), len(found) > most


def _sorted(found: Any) -> list[_Candidate]:
    """By looseness, score and time."""
    ranked = sorted(found, key=lambda row: (row[_SESSION_ID], row[_SEQUENCE_NUMBER]))
    ranked.sort(key=lambda row: row[_CREATED_AT], reverse=True)
    ranked.sort(key=lambda row: (row[_LOOSENESS], -row[_SCORE]))
    return ranked


def _each_session_first(found: Sequence[_Candidate]) -> list[_Candidate]:
    """The best of each session before the others of any, within the same looseness."""
    seen: set[str] = set()
    ranked: dict[int, tuple[list[_Candidate], list[_Candidate]]] = {}
    for row in found:
        first, again = ranked.setdefault(row[_LOOSENESS], ([], []))
        session_id = row[_SESSION_ID]
        if session_id in seen:
            again.append(row)
        else:
            seen.add(session_id)
            first.append(row)
    return [row for first, again in ranked.values() for row in (*first, *again)]


@cache
def _newest(messages: Table) -> Select[Any]:
    return select(func.max(_message_id)).select_from(messages)


@cache
def _shown(scope: Scope, columns: tuple[ColumnElement[Any], ...]) -> Select[Any]:
    """What a page shows of its messages."""
    messages, sessions = scope.messages, scope.sessions
    these, value = _entries("ids")
    return select(_message_id, *columns).select_from(
        _CrossJoin(
            _CrossJoin(these, messages, _message_id == value),
            sessions,
            sessions.c.session_id == messages.c.session_id,
        )
    )


@cache
def _sessions_with(scope: Scope, key: str, *, has_readings: bool) -> Select[Any]:
    matches = _sessions_index.c.chatledger_sessions_fts
    looseness: ColumnElement[int] = literal_column("0", Integer)
    if has_readings:
        exact = select(_sessions_index.c.rowid).where(matches.match(bindparam(f"{key}_exact"))).correlate(None)
        looseness = case((_sessions_index.c.rowid.in_(exact), 0), else_=1)
    sessions = scope.sessions
    numbered = _CrossJoin(_sessions_index, _numbers, _numbers.c.number == _sessions_index.c.rowid)
    return (
        select(sessions.c.session_id, sessions.c.created_at, looseness.label("looseness"))
        .select_from(_CrossJoin(numbered, sessions, sessions.c.session_id == _numbers.c.session_id))
        .where(matches.match(bindparam(f"{key}_match")), scope.is_live, *scope.of_session)
        .order_by(_sessions_index.c.rowid.desc())
        .limit(LIMIT)
    )


@cache
def _spread(scope: Scope, number: int) -> Select[Any]:
    newest = (
        select(_index.c.rowid.label("number"))
        .where(_index.c.chatledger_messages_fts.match(bindparam(f"spread_{number}")))
        .order_by(_index.c.rowid.desc())
        .limit(SPREAD)
        .subquery(f"newest_{number}")
    )
    messages = scope.messages
    return (
        select(messages.c.session_id)
        .select_from(_CrossJoin(newest, messages, _message_id == newest.c.number))
        .where(*scope.of_message)
    )


@cache
def _spread_with_waiting(scope: Scope, number: int) -> Select[Any]:
    waiting, value = _entries(f"waiting_{number}")
    messages = scope.messages
    found = (
        select(messages.c.session_id)
        .select_from(_CrossJoin(waiting, messages, _message_id == value))
        .where(*scope.of_message)
    )
    indexed = select(_spread(scope, number).subquery(f"indexed_{number}"))
    return select(*union_all(found, indexed).subquery(f"both_{number}").c)


@cache
def _waiting(scope: Scope, shape: _Shape) -> Select[Any]:
    """The messages of `Waiting.candidates` that are in the scope."""
    messages, sessions = scope.messages, scope.sessions
    waiting, value = _entries("waiting")

    def entry(place: int, kind: type[TypeEngine[Any]]) -> ColumnElement[Any]:
        return func.json_extract(value, literal_column(f"'$[{place}]'"), type_=kind)

    def has(number: int, _others: int) -> list[ColumnElement[bool]]:
        return [entry(3 + number, Integer) == literal_column("1")]

    joined = _CrossJoin(waiting, messages, _message_id == entry(0, Integer))
    return (
        select(
            _message_id,
            messages.c.session_id,
            messages.c.sequence_number,
            messages.c.created_at,
            entry(1, Float).label("score"),
            entry(2, Integer).label("looseness"),
        )
        .select_from(_CrossJoin(joined, sessions, sessions.c.session_id == messages.c.session_id))
        .where(
            scope.is_live,
            *(_literal_condition(messages, number, *one, has) for number, one in enumerate(shape[2])),
            *scope.of_session,
            *scope.of_message,
        )
    )


def _entries(name: str) -> tuple[FromClause, ColumnElement[Any]]:
    """A JSON array, given as a parameter of this name, as rows."""
    entries = func.json_each(bindparam(name)).table_valued("value", name=name)
    return entries, entries.c.value


@cache
def _texts(scope: Scope, *, from_sessions: bool, has_code: bool) -> Select[Any]:
    """The messages of the scope with what the index holds of them, and with what was written: all of them, or those
    above a floor.
    """
    messages, sessions = scope.messages, scope.sessions
    this = messages.c.session_id == sessions.c.session_id
    joined = _CrossJoin(sessions, messages, this) if from_sessions else _CrossJoin(messages, sessions, this)
    statement = (
        select(
            _message_id,
            messages.c.session_id,
            messages.c.sequence_number,
            messages.c.created_at,
            func.coalesce(messages.c.search_text, func.substr(messages.c.content, 1, INDEXED)),
            messages.c.search_extra,
            *([messages.c.content, json_text(messages.c.payload), messages.c.name] if has_code else []),
        )
        .select_from(joined)
        .where(scope.is_live, *scope.of_session, *scope.of_message)
        .order_by(_message_id.desc())
    )
    return statement if from_sessions else statement.where(_message_id > _floor)


@cache
def _by_index(scope: Scope, shape: _Shape, *, has_score: bool, by_number: bool) -> Select[Any]:
    """Read the newest matches in the index, and for each of them its message and session."""
    messages, sessions = scope.messages, scope.sessions
    joined = _CrossJoin(_index, messages, _message_id == _index.c.rowid)
    conditions = [_matches, *scope.of_message]
    conditions += [_literal_condition(messages, number, *one, _has_in_index) for number, one in enumerate(shape[2])]
    if by_number:
        owned = (
            select(_message_id)
            .select_from(_CrossJoin(sessions, messages, messages.c.session_id == sessions.c.session_id))
            .where(scope.is_live, *scope.of_session)
            .correlate(None)
            .cte("owned")
        )
        # An expression, for FTS5 would look each of the numbers up.
        conditions.append((_index.c.rowid + literal_column("0")).in_(select(owned.c.message_id)))
        oldest_owned = select(func.min(owned.c.message_id)).scalar_subquery()
        conditions.append(_index.c.rowid >= oldest_owned)
    else:
        joined = _CrossJoin(joined, sessions, sessions.c.session_id == messages.c.session_id)
        conditions += [scope.is_live, *scope.of_session]
    if scope.is_filtered:
        conditions.append(_index.c.rowid > _floor)
    found = (
        select(
            _index.c.rowid.label("message_id"),
            messages.c.session_id,
            messages.c.sequence_number,
            messages.c.created_at,
            (-_index.c.rank if has_score else _unscored).label("score"),
        )
        .select_from(joined)
        .where(*conditions)
        .order_by(_index.c.rowid.desc())
        .limit(LIMIT)
        .cte("found")
    )
    readings, own, _ = shape
    looseness: ColumnElement[int] = literal_column(str(own), Integer)
    # The index is read down to the oldest candidate: all of a common word would take longer than the search itself.
    oldest = select(func.min(found.c.message_id)).scalar_subquery()

    def has(name: str) -> ColumnElement[bool]:
        matches = _index.c.chatledger_messages_fts.match(bindparam(name))
        return found.c.message_id.in_(select(_index.c.rowid).where(matches, _index.c.rowid >= oldest).correlate(None))

    if readings:
        looseness = case(*((has(f"reading_{number}"), number) for number in range(readings)), else_=own)
    ranked = looseness.label("looseness")
    return select(*found.c, ranked).order_by(
        ranked, found.c.score.desc(), found.c.created_at.desc(), found.c.session_id, found.c.sequence_number
    )


_Has = Callable[[int, int], list[ColumnElement[bool]]]
"""The conditions that a message has one of the alternatives without code: of the test of a number, which has so many."""


def _literal_condition(
    messages: Table, number: int, literals: int, others: int, excluded: bool, has: _Has
) -> ColumnElement[bool]:
    space = literal(" ")
    text = (
        space
        + func.lower(messages.c.content)
        + space
        + func.lower(func.coalesce(json_text(messages.c.payload), ""))
        + space
        + func.lower(func.coalesce(messages.c.name, ""))
        + space
    )
    held = [text.op("GLOB", is_comparison=True)(bindparam(f"literal_{number}_{n}")) for n in range(literals)]
    if excluded:
        return and_(*map(not_, held))
    return or_(*held, *(has(number, others) if others else ()))


def _has_in_index(number: int, others: int) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for n in range(others):
        matches = _index.c.chatledger_messages_fts.match(bindparam(f"other_{number}_{n}"))
        conditions.append(_index.c.rowid.in_(select(_index.c.rowid).where(matches).correlate(None)))
    return conditions


class _CrossJoin(Join):
    """A join whose left side is read first: SQLite's planner does not reorder a CROSS JOIN, which may have an ON."""

    inherit_cache = True


@compiles(_CrossJoin)
def _cross_join(join: _CrossJoin, compiler: SQLCompiler, from_linter: Any = None, **kw: Any) -> str:
    kw["asfrom"] = True
    if from_linter is not None:
        from_linter.edges.update(product(join.left._from_objects, join.right._from_objects))
    assert join.onclause is not None
    left, right, condition = (
        compiler.process(part, from_linter=from_linter, **kw) for part in (join.left, join.right, join.onclause)
    )
    return f"{left} CROSS JOIN {right} ON {condition}"


def match_expression(query: Query) -> str:
    """FTS5's spelling. Every word stands in quotes, so that nothing in it is an operator."""
    wanted = " AND ".join(f"({' OR '.join(map(_quoted, group))})" for group in query.groups)
    excluded = excluded_words(query)
    if not excluded:
        return wanted
    return f"({wanted}) NOT ({' OR '.join(map(_quoted, excluded))})"


def _quoted(term: Term) -> str:
    own = f'"{" ".join(term.words)}"{"*" if term.prefix else ""}'
    return " OR ".join([own, *(f'"{word}"' for word in term.inflections)])


_SPECIAL = re.compile(r"[*?\[]")


def _glob(code: str) -> str:
    before, after = edges(code)
    inner = _SPECIAL.sub(r"[\g<0>]", code)
    return f"*{'[^a-z0-9]' if before else ''}{inner}{'[^a-z0-9]' if after else ''}*"
