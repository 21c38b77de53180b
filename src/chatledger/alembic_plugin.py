"""An Alembic plugin: autogenerate and `alembic check` also compare what Alembic itself does not.

These are the conditions of partial indexes, triggers, functions, views and full text. Importing this module registers
the plugin under the name `chatledger`. In an application's `env.py`:

    from chatledger.alembic_plugin import include_object

    context.configure(
        …,
        include_object=include_object,
        autogenerate_plugins=["alembic.autogenerate.*", "chatledger"],
    )
"""

from __future__ import annotations

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrateOperation, OpContainer, UpgradeOps
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, PriorityDispatchResult
from sqlalchemy import Connection

from chatledger.dialects import dialect_of
from chatledger.errors import ChatledgerError
from chatledger.migrate import differences, expected, include_object, require_head

__all__ = ["NAME", "PLUGINS", "LedgerDifference", "LedgerDifferences", "include_object"]

NAME = "chatledger"
"""The name for `autogenerate_plugins`."""
PLUGINS = ("alembic.autogenerate.*", NAME)
"""A value for `autogenerate_plugins`: Alembic's own comparisons and ours."""


class LedgerDifference(MigrateOperation):
    """One difference between the ledger and a freshly migrated one. No revision can repair it."""

    def __init__(self, difference: str) -> None:
        self.difference = difference

    def to_diff_tuple(self) -> tuple[str, str]:
        return NAME, self.difference


class LedgerDifferences(OpContainer):
    """All of them, rendered as comments."""

    def reverse(self) -> LedgerDifferences:
        return LedgerDifferences()


def compare_ledger(
    autogen_context: AutogenContext, upgrade_ops: UpgradeOps, _schemas: set[str | None]
) -> PriorityDispatchResult:
    """Add the differences between the ledger in the database and a freshly migrated one."""
    connection = autogen_context.connection
    assert connection is not None
    found = _differences(connection)
    if found:
        upgrade_ops.ops.append(LedgerDifferences([LedgerDifference(line) for line in found]))
    return PriorityDispatchResult.CONTINUE


def _differences(connection: Connection) -> list[str]:
    dialect = dialect_of(connection.dialect.name)
    state = dialect.state(connection)
    try:
        require_head(state)
    except ChatledgerError as error:
        return [str(error)] if state.ours else ["there is no ledger in the database: run `chatledger db upgrade`"]
    try:
        return differences(connection, dialect, expected(connection, dialect))
    except ChatledgerError as error:
        # Alembic's command prints this one as a line.
        raise CommandError(f"chatledger: {error}") from error


@renderers.dispatch_for(LedgerDifferences)
def _render(_context: AutogenContext, differences: LedgerDifferences) -> list[str]:
    if not differences.ops:
        return []
    found = [f"# chatledger: {one.difference}" for one in differences.ops if isinstance(one, LedgerDifference)]
    # A function of comments alone is a syntax error.
    return [*found, "# A revision does not repair this: run `chatledger db repair` or `chatledger db upgrade`.", "pass"]


Plugin(NAME).add_autogenerate_comparator(compare_ledger, "schema")
