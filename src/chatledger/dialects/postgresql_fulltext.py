"""Full text on PostgreSQL: a stored tsvector under a GIN index."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from chatledger.dialects.fulltext import CANDIDATES, LIVE, Candidates, FullText, Query, Scope, Term

_ACCENTED = re.compile("([A-Za-z])[\u0300-\u036f]+")


class PostgreSQLFullText(FullText):
    """Matches come newest first by created_at; the planner walks that index for common words and GIN for rare ones."""

    def candidates(self, query: Query, scope: Scope) -> Candidates:
        parameters: dict[str, Any] = dict(scope.parameters)
        expression = _expression(query, parameters)
        tables = "messages AS m"
        tables += " JOIN sessions AS s ON s.session_id = m.session_id"
        where = " AND ".join([f"m.search_vector @@ ({expression})", LIVE, *scope.conditions])
        return Candidates(
            f"SELECT m.session_id, m.sequence_number, m.created_at, ts_rank(m.search_vector, {expression}) AS score"
            f" FROM {tables} WHERE {where}"
            f" ORDER BY m.created_at DESC LIMIT {CANDIDATES + 1}",
            parameters,
        )


def _expression(query: Query, parameters: dict[str, Any]) -> str:
    """The tsquery. Words travel as bound parameters; only operators are spelled here."""
    groups = [f"({' || '.join(_term(term, parameters) for term in group)})" for group in query.groups]
    # A group of which the configuration leaves nothing would fall out of the conjunction, and an exclusion that then
    # stood alone would match everything else.
    nothing = " OR ".join(f"numnode({group}) = 0" for group in groups)
    wanted = " && ".join([*groups, *(f"!!({_term(term, parameters)})" for term in query.excluded)])
    return f"CASE WHEN {nothing} THEN CAST('' AS tsquery) ELSE {wanted} END"


def _term(term: Term, parameters: dict[str, Any]) -> str:
    name = f"term_{len(parameters)}"
    if not term.prefix:
        parameters[name] = _folded(term.words)
        return f"phraseto_tsquery('chatledger', CAST(:{name} AS TEXT))"
    *before, last = _folded(term.words).split(" ")
    parameters[name] = " <-> ".join([*(f"'{word}'" for word in before), f"'{last}':*"])
    return f"to_tsquery('chatledger', CAST(:{name} AS TEXT))"


def _folded(text: str) -> str:
    """What migration 0004 does to a text before it is indexed, so that a query meets the same words."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _ACCENTED.sub(r"\1", unicodedata.normalize("NFD", text)))
