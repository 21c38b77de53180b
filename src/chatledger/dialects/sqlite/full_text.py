"""Full text on SQLite: FTS5 over the text of messages."""

from __future__ import annotations

from collections.abc import Mapping
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
    bindparam,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from chatledger.dialects.full_text import LIMIT, Candidates, Execute, FullText, Query, Scope, Term, cut_prefixes

#: In a scope of this many messages or fewer, each message is looked up in the index.
_FEW = 2000
#: The same if the words are very common in the whole ledger.
_MANY = 20_000
#: Matches that a filtered search reads, newest first, before it stops.
_SCANNED = 50_000

_index = table(
    "chatledger_messages_fts",
    column("rowid", Integer),
    column("rank", Float),
    column("chatledger_messages_fts"),  # the table's own name as a column is what FTS5 matches against
)
#: The integer key of messages, which only SQLite has (the models do not declare it).
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


class SQLiteFullText(FullText):
    """Matches come newest first by rowid, which rises with each append; they are ranked afterwards."""

    def candidates(
        self, query: Query, scope: Scope, parameters: Mapping[str, Any], size: int | None, execute: Execute
    ) -> Candidates | None:
        bound = {**parameters, "match": match_expression(query), "scanned": _SCANNED}
        prefixes = cut_prefixes(query, "porter")
        bound.update({f"prefix_{number}": f"*[^a-z0-9]{prefix}*" for number, prefix in enumerate(prefixes)})
        if self._is_small(size, bound, execute):
            return Candidates(_by_message(scope, len(prefixes)), bound)
        return Candidates(_by_index(scope, len(prefixes)), bound, _more_than_scanned if scope.filters else None)

    @staticmethod
    def _is_small(size: int | None, parameters: dict[str, Any], execute: Execute) -> bool:
        """Whether to look up each message of the scope in the index, instead of reading the index and filtering."""
        if size is None or size > _MANY:
            return False
        if size <= _FEW:
            return True
        # Words that are common elsewhere would use up the matches that are read.
        return bool(execute(_more_than_scanned, parameters).scalar_one())


@cache
def _by_message(scope: Scope, prefixes: int) -> Select[Any]:
    """Read the sessions, their messages, and for each of them the index."""
    messages, sessions = scope.messages, scope.sessions
    owned = _CrossJoin(sessions, messages, messages.c.session_id == sessions.c.session_id)
    return _selected(scope, prefixes, _CrossJoin(owned, _index, _index.c.rowid == _message_id))


@cache
def _by_index(scope: Scope, prefixes: int) -> Select[Any]:
    """Read the newest matches in the index, and for each of them its message and session."""
    messages, sessions = scope.messages, scope.sessions
    matched = _CrossJoin(_index, messages, _message_id == _index.c.rowid)
    joined = _CrossJoin(matched, sessions, sessions.c.session_id == messages.c.session_id)
    return _selected(scope, prefixes, joined).where(_index.c.rowid > func.coalesce(_oldest, literal_column("0")))


def _selected(scope: Scope, prefixes: int, joined: FromClause) -> Select[Any]:
    messages = scope.messages
    text = literal(" ") + func.lower(messages.c.content)
    return (
        select(
            messages.c.session_id,
            messages.c.sequence_number,
            messages.c.created_at,
            (-_index.c.rank).label("score"),
        )
        .select_from(joined)
        .where(
            _matches,
            scope.is_live,
            *(text.op("GLOB", is_comparison=True)(bindparam(f"prefix_{number}")) for number in range(prefixes)),
            *scope.filters,
        )
        .order_by(_index.c.rowid.desc())
        .limit(LIMIT)
    )


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
    """FTS5's spelling. Every term stands in quotes, so that nothing in it is an operator."""
    wanted = " AND ".join(f"({' OR '.join(map(_quoted, group))})" for group in query.groups)
    if not query.excluded:
        return wanted
    return f"({wanted}) NOT ({' OR '.join(map(_quoted, query.excluded))})"


def _quoted(term: Term) -> str:
    return f'"{term.words}"{"*" if term.prefix else ""}'
