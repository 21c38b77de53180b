"""Triggers, views, indexes and the like, recreated as a freshly migrated database has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import exc as sa
from sqlalchemy import text

from chatledger.dialects.integrity import Definition
from chatledger.services.base import ServiceContext


def recreate(
    context: ServiceContext, differences: Iterable[str], definitions: Mapping[str, Definition], kinds: Sequence[str]
) -> list[str]:
    """Make what is missing or changed, of some kinds in their order; what was made.

    What cannot be made, such as a unique index over rows that are not, is left as it was.
    """
    wanted = [line.partition(": ") for line in differences]
    made = []
    for kind in kinds:
        for how, _, name in wanted:
            definition = definitions.get(name)
            if how == "unknown" or definition is None or not name.startswith(f"{kind} "):
                continue
            if how == "changed" and definition.drop is None:
                continue
            if _make(context, definition):
                made.append(name)
    return made


def _make(context: ServiceContext, definition: Definition) -> bool:
    connection = context.connected()
    try:
        # A recreated function remembers the search path: the ledger's schema, not that of whoever repairs.
        with connection.begin_nested(), context.dialect.own_schema(connection):
            for statement in (definition.drop, definition.create):
                if statement:
                    connection.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
    except sa.DBAPIError as error:
        if error.connection_invalidated:
            raise
        return False
    return True
