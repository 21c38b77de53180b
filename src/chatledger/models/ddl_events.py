"""What SQLAlchemy's `create_all`, `drop_all` and `Table.create` do with our tables.

Tables alone are no ledger: without triggers, views and full text, messages are not counted and not found. So our tables
are created and dropped by the migrations, all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table

from chatledger.dialects.base import TABLE_PREFIX
from chatledger.errors import InvalidInput
from chatledger.revisions import install, uninstall

_TOGETHER = (
    "the tables of chatledger need their triggers, views and full text, and are created and dropped together: "
    "call Base.metadata.create_all or drop_all without tables=, open Ledger(url), or run `chatledger db upgrade`"
)


class LedgerMetaData(MetaData):
    """A MetaData whose `create_all` and `drop_all` run the migrations for our tables.

    Tables that an application declares on the same base are created and dropped as SQLAlchemy does.
    """

    def create_all(self, bind: Any, tables: Sequence[Table] | None = None, checkfirst: Any = True) -> None:
        """Create everything that the migrations create, and note the revision.

        A ledger at this release's newest revision is left alone, whatever `checkfirst` says. On a connection, the
        caller commits; `await connection.run_sync(Base.metadata.create_all)` works, too.

        Raises:
            InvalidInput: only some of our tables are given, or `bind` is not an engine or a connection.
            SchemaBehind, SchemaAhead: there is a ledger of another release.
            NotALedger: there are tables with our names, and no revision.
        """
        ours, others = self._split(tables)
        if ours:
            install(_usable(bind))
        if others:
            super().create_all(bind, tables=others, checkfirst=checkfirst)

    def drop_all(self, bind: Any, tables: Sequence[Table] | None = None, checkfirst: Any = True) -> None:
        """Drop everything that the migrations create, with its rows. Does nothing where there is no ledger.

        Raises:
            InvalidInput: only some of our tables are given, or `bind` is not an engine or a connection.
            SchemaAhead: there is a ledger of a newer release.
        """
        ours, others = self._split(tables)
        if others:
            super().drop_all(bind, tables=others, checkfirst=checkfirst)
        if ours:
            uninstall(_usable(bind))

    def _split(self, tables: Sequence[Table] | None) -> tuple[bool, list[Table]]:
        """Whether all of our tables are meant, and the others."""
        chosen = list(self.tables.values()) if tables is None else list(tables)
        ours = {table.name for table in chosen if table.name.startswith(TABLE_PREFIX)}
        if ours and ours != {name for name in self.tables if name.startswith(TABLE_PREFIX)}:
            raise InvalidInput("tables", _TOGETHER)
        return bool(ours), [table for table in chosen if table.name not in ours]


def refuse_creation(*_: Any, **_options: Any) -> None:
    """A listener to `before_create` of one of our tables."""
    raise InvalidInput("tables", _TOGETHER)


def _usable(bind: Any) -> Engine | Connection:
    if not isinstance(bind, Engine | Connection):
        raise InvalidInput(
            "bind",
            "must be an Engine or a Connection (on an AsyncConnection, await run_sync(Base.metadata.create_all)); "
            "for the SQL as text, run `chatledger db upgrade --sql`",
        )
    if bind.get_execution_options().get("schema_translate_map"):
        raise InvalidInput("bind", "chatledger does not follow schema_translate_map: set the search_path instead")
    return bind
