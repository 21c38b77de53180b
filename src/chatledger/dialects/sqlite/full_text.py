"""Full text on SQLite: FTS5 over the text of messages."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from chatledger.dialects.full_text import (
    CANDIDATES,
    LIVE,
    Candidates,
    Execute,
    FullText,
    Query,
    Scope,
    Term,
    cut_prefixes,
)

#: In a scope of this many messages or fewer, the messages are walked and the index is asked about each.
_FEW = 2000
#: The same where the words are very common in the whole ledger.
_MANY = 20_000
#: Matches that a filtered search looks at, newest first, before it stops.
_SCANNED = 50_000
_OLDEST = (
    "(SELECT rowid FROM chatledger_messages_fts WHERE chatledger_messages_fts MATCH :match"
    f" ORDER BY rowid DESC LIMIT 1 OFFSET {_SCANNED})"
)


class SQLiteFullText(FullText):
    """Matches come newest first by rowid, which an append makes rise; ranking happens inside them."""

    def candidates(self, query: Query, scope: Scope, execute: Execute) -> Candidates | None:
        parameters = {**scope.parameters, "match": match_expression(query)}
        cut = ""
        columns = "m.session_id, m.sequence_number, m.created_at, -f.rank AS score"
        where = " AND ".join(["f.chatledger_messages_fts MATCH :match", LIVE, *scope.conditions])
        for number, prefix in enumerate(cut_prefixes(query, "porter")):
            parameters[f"prefix_{number}"] = f"*[^a-z0-9]{prefix}*"
            where += f" AND ' ' || lower(m.content) GLOB :prefix_{number}"
        if self._by_message(scope, parameters, execute):
            # CROSS JOIN keeps this order: sessions, their messages, then the index.
            tables = "chatledger_sessions AS s CROSS JOIN chatledger_messages AS m ON m.session_id = s.session_id"
            tables += " CROSS JOIN chatledger_messages_fts AS f ON f.rowid = m.message_id"
        else:
            tables = "chatledger_messages_fts AS f CROSS JOIN chatledger_messages AS m ON m.message_id = f.rowid"
            tables += " CROSS JOIN chatledger_sessions AS s ON s.session_id = m.session_id"
            where += f" AND f.rowid > coalesce({_OLDEST}, 0)"
            cut = f"{_OLDEST} IS NOT NULL" if scope.conditions else ""
        return Candidates(
            f"SELECT {columns} FROM {tables} WHERE {where} ORDER BY f.rowid DESC LIMIT {CANDIDATES + 1}",
            parameters,
            cut,
        )

    @staticmethod
    def _by_message(scope: Scope, parameters: dict[str, Any], execute: Execute) -> bool:
        """Whether to walk the scope and ask the index about each message, or the index and ask where each match lies."""
        size = scope.messages_in_scope
        if size is None or size > _MANY:
            return False
        if size <= _FEW:
            return True
        # Words that are common elsewhere would use up the matches that are looked at.
        probe = text(f"SELECT {_OLDEST} IS NOT NULL")
        return bool(execute(probe, {"match": parameters["match"]}).scalar_one())


def match_expression(query: Query) -> str:
    """FTS5's spelling. Every term stands in quotes, so that nothing in it is an operator."""
    wanted = " AND ".join(f"({' OR '.join(map(_quoted, group))})" for group in query.groups)
    if not query.excluded:
        return wanted
    return f"({wanted}) NOT ({' OR '.join(map(_quoted, query.excluded))})"


def _quoted(term: Term) -> str:
    return f'"{term.words}"{"*" if term.prefix else ""}'
