"""${message}

Why: which promise or query needs this, and what it costs an append.
Unsafe: what a running older release would notice; how long a large table is locked.
Down: what the downgrade keeps, and what it must recount or rebuild on the way up again.

A revision that has landed is frozen. It imports nothing of ours, names both databases side by side, and uses
ALTER TABLE … ADD/DROP COLUMN where it can: rebuilding a table on SQLite drops its triggers and, with foreign keys on,
its children.

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None

UP: dict[str, list[str]] = {
    "sqlite": [],
    "postgresql": [],
}

DOWN: dict[str, list[str]] = {
    "sqlite": [],
    "postgresql": [],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
