"""Full text on PostgreSQL: a stored tsvector under a GIN index."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Float, Select, bindparam, cast, column, func, select, text
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR

from chatledger.dialects.full_text import LIMIT, Candidates, Execute, FullText, Query, Scope, Term, cut_prefixes

_ACCENTED = re.compile("([A-Za-z])[\u0300-\u036f]+")

#: The generated column of messages, which only PostgreSQL has (the models do not declare it).
_vector = column("search_vector", TSVECTOR)
_wanted = cast(bindparam("wanted", type_=TSQUERY), TSQUERY)


class PostgreSQLFullText(FullText):
    """Matches come newest first by created_at; the planner walks that index for common words and GIN for rare ones."""

    def candidates(
        self, query: Query, scope: Scope, parameters: Mapping[str, Any], size: int | None, execute: Execute
    ) -> Candidates | None:
        wanted = self._resolved(query, execute)
        if not wanted:
            return None
        prefixes = {f"prefix_{place}": f"\\m{word}" for place, word in enumerate(cut_prefixes(query, "english"))}
        return Candidates(_newest(scope, len(prefixes)), {**parameters, **prefixes, "wanted": wanted})

    def _resolved(self, query: Query, execute: Execute) -> str:
        """The query in the server's own notation, or nothing where the configuration leaves nothing of it."""
        parameters: dict[str, Any] = {}
        groups = [f"({' || '.join(_term(term, parameters) for term in group)})" for group in query.groups]
        excluded = [f"!!({_term(term, parameters)})" for term in query.excluded]
        # A group of which nothing is left would fall out of the conjunction, and an exclusion that then stood alone
        # would match everything else.
        nothing = " OR ".join(f"numnode({group}) = 0" for group in groups)
        wanted = " && ".join([*groups, *excluded])
        # The planner has to see the words, to tell common ones from rare ones: no generic plan in this transaction.
        custom = "set_config('plan_cache_mode', 'force_custom_plan', true)"
        statement = text(f"SELECT CASE WHEN {nothing} THEN '' ELSE CAST({wanted} AS TEXT) END, {custom}")
        return str(execute(statement, parameters).one()[0])


@cache
def _newest(scope: Scope, prefixes: int) -> Select[Any]:
    messages, sessions = scope.messages, scope.sessions
    return (
        select(
            messages.c.session_id,
            messages.c.sequence_number,
            messages.c.created_at,
            func.ts_rank(_vector, _wanted, type_=Float).label("score"),
        )
        .select_from(messages.join(sessions, sessions.c.session_id == messages.c.session_id))
        .where(
            _vector.op("@@", is_comparison=True)(_wanted),
            scope.is_live,
            *(messages.c.content.regexp_match(bindparam(f"prefix_{n}"), flags="i") for n in range(prefixes)),
            *scope.filters,
        )
        .order_by(messages.c.created_at.desc())
        .limit(LIMIT)
    )


def _term(term: Term, parameters: dict[str, Any]) -> str:
    name = f"term_{len(parameters)}"
    if not term.prefix:
        parameters[name] = _folded(term.words)
        return f"phraseto_tsquery('chatledger', CAST(:{name} AS TEXT))"
    *before, last = _folded(term.words).split(" ")
    parameters[name] = " <-> ".join([*(f"'{word}'" for word in before), f"'{last}':*"])
    return f"to_tsquery('chatledger', CAST(:{name} AS TEXT))"


def _folded(words: str) -> str:
    """What migration 0004 does to a text before it is indexed, so that a query meets the same words."""
    if words.isascii():
        return words
    return unicodedata.normalize("NFC", _ACCENTED.sub(r"\1", unicodedata.normalize("NFD", words)))
