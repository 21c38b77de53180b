"""Full text on SQLite: FTS5 over the texts of messages, and over those of sessions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    LIMIT,
    SPREAD,
    Candidates,
    Execute,
    FullText,
    Scope,
    edges,
    excluded_words,
    literal_tests,
    looseness_of,
    loosenesses,
)
from chatledger.dialects.sqlite.waiting import Waiting
from chatledger.full_text.query import Groups, Query, Term

# In a scope of this many messages or fewer, each message may be looked up in the index.
_MANY = 20_000
# To look a message up takes as long as to read this many matches.
_LOOKUP = 40
# Matches that a filtered search reads, newest first, before it stops.
_SCANNED = 50_000

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
_oldest = (
    select(_index.c.rowid)
    .where(_matches)
    .order_by(_index.c.rowid.desc())
    .limit(literal_column("1", Integer))
    .offset(bindparam("scanned", type_=Integer))
    .correlate(None)
    .scalar_subquery()
)
_more_than_scanned = select(_oldest.is_not(None))

# Number of stricter readings, looseness of the query's own, and the shapes of its literal tests.
_Shape = tuple[int, int, tuple[tuple[int, int, bool], ...]]


class SQLiteFullText(FullText):
    """Matches come newest first by rowid, which rises with each append; they are ranked afterwards."""

    def candidates(
        self, query: Query, scope: Scope, parameters: Mapping[str, Any], size: int | None, execute: Execute
    ) -> Iterator[Candidates]:
        tests, stricter = literal_tests(query), loosenesses(query)
        bound = {**parameters, "match": match_expression(query), "scanned": _SCANNED}
        bound.update({f"reading_{number}": match_expression(reading) for number, reading in enumerate(stricter)})
        for number, test in enumerate(tests):
            bound.update({f"literal_{number}_{n}": _glob(one) for n, one in enumerate(test.literals)})
            bound.update({f"other_{number}_{n}": _quoted(one) for n, one in enumerate(test.others)})
        shape = (len(stricter), looseness_of(query, len(stricter)), tuple(test.shape for test in tests))
        is_small = self._is_small(size, bound, execute)
        statement = _by_message(scope, shape) if is_small else _by_index(scope, shape)
        waiting = Waiting(execute)
        found = waiting.candidates(query, [test.others for test in tests], scored=not is_small)
        if found is not None:
            bound["waiting"] = found
            statement = _with_waiting(statement, scope, shape)
        was_cut = _more_than_scanned if scope.is_filtered and not is_small else None
        yield Candidates(statement, bound, was_cut, is_behind=bool(waiting))

    @staticmethod
    def _is_small(size: int | None, parameters: dict[str, Any], execute: Execute) -> bool:
        """Whether to look up each message of the scope in the index, instead of reading the index and filtering."""
        if size is None or size > _MANY:
            return False
        # Words that are common elsewhere would also use up the matches that are read.
        bound = min(_SCANNED, _LOOKUP * size)
        return bool(execute(_more_than_scanned, {**parameters, "scanned": bound}).scalar_one())

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
        self, group: Sequence[Term], number: int, scope: Scope, execute: Execute
    ) -> tuple[Select[Any], dict[str, Any]]:
        bound = {f"spread_{number}": match_expression(Query((tuple(group),)))}
        found = Waiting(execute).having(group)
        if found is None:
            return _spread(scope, number), bound
        return _spread_with_waiting(scope, number), {**bound, f"waiting_{number}": found}


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
def _by_message(scope: Scope, shape: _Shape) -> Select[Any]:
    """Read the sessions, their messages, and for each of them the index.

    Without BM25, which counts all matches of the ledger again for each message that is looked up: the newest come
    first.
    """
    messages, sessions = scope.messages, scope.sessions
    owned = _CrossJoin(sessions, messages, messages.c.session_id == sessions.c.session_id)
    joined = _CrossJoin(owned, _index, _index.c.rowid == _message_id)
    found = _selected(scope, shape, joined, score=literal_column("1.0", Float)).cte("found")

    def has(name: str) -> ColumnElement[bool]:
        return (
            select(_index.c.rowid)
            .where(_index.c.chatledger_messages_fts.match(bindparam(name)), _index.c.rowid == found.c.message_id)
            .correlate(found)
            .exists()
        )

    return _with_looseness(found, shape, has)


@cache
def _by_index(scope: Scope, shape: _Shape) -> Select[Any]:
    """Read the newest matches in the index, and for each of them its message and session."""
    messages, sessions = scope.messages, scope.sessions
    matched = _CrossJoin(_index, messages, _message_id == _index.c.rowid)
    joined = _CrossJoin(matched, sessions, sessions.c.session_id == messages.c.session_id)
    statement = _selected(scope, shape, joined, score=-_index.c.rank)
    if scope.is_filtered:
        statement = statement.where(_index.c.rowid > func.coalesce(_oldest, literal_column("0")))
    found = statement.cte("found")
    # The index is read down to the oldest candidate: all of a common word would take longer than the search itself.
    oldest = select(func.min(found.c.message_id)).scalar_subquery()

    def has(name: str) -> ColumnElement[bool]:
        matches = _index.c.chatledger_messages_fts.match(bindparam(name))
        return found.c.message_id.in_(select(_index.c.rowid).where(matches, _index.c.rowid >= oldest).correlate(None))

    return _with_looseness(found, shape, has)


@cache
def _with_waiting(indexed: Select[Any], scope: Scope, shape: _Shape) -> Select[Any]:
    """Also the messages of `Waiting.candidates`, which are newer than those in the index."""
    messages, sessions = scope.messages, scope.sessions
    waiting, value = _entries("waiting")

    def entry(place: int, kind: type[TypeEngine[Any]]) -> ColumnElement[Any]:
        return func.json_extract(value, literal_column(f"'$[{place}]'"), type_=kind)

    def has(number: int, _others: int) -> list[ColumnElement[bool]]:
        return [entry(3 + number, Integer) == literal_column("1")]

    joined = _CrossJoin(waiting, messages, _message_id == entry(0, Integer))
    found = (
        select(
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
    both = union_all(found, select(indexed.subquery("indexed"))).subquery("both")
    return select(*both.c).limit(LIMIT)


def _entries(name: str) -> tuple[FromClause, ColumnElement[Any]]:
    """A JSON array, given as a parameter of this name, as rows."""
    entries = func.json_each(bindparam(name)).table_valued("value", name=name)
    return entries, entries.c.value


def _with_looseness(found: Any, shape: _Shape, has: Any) -> Select[Any]:
    readings, own, _ = shape
    looseness: ColumnElement[int] = literal_column(str(own), Integer)
    if readings:
        looseness = case(*((has(f"reading_{number}"), number) for number in range(readings)), else_=own)
    names = ("session_id", "sequence_number", "created_at", "score")
    return select(*(found.c[name] for name in names), looseness.label("looseness"))


def _selected(scope: Scope, shape: _Shape, joined: FromClause, *, score: ColumnElement[Any]) -> Select[Any]:
    messages = scope.messages
    return (
        select(
            messages.c.session_id,
            messages.c.sequence_number,
            messages.c.created_at,
            score.label("score"),
            _index.c.rowid.label("message_id"),
        )
        .select_from(joined)
        .where(
            _matches,
            scope.is_live,
            *(_literal_condition(messages, number, *one, _has_in_index) for number, one in enumerate(shape[2])),
            *scope.of_session,
            *scope.of_message,
        )
        .order_by(_index.c.rowid.desc())
        .limit(LIMIT)
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
