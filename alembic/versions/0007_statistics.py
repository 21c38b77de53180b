"""Statistics.

Why: the place in the history is taken here, so that those who build on each other agree on it.
Unsafe: nothing.
Down: nothing.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP: dict[str, list[str]] = {"sqlite": [], "postgresql": []}

DOWN: dict[str, list[str]] = {"sqlite": [], "postgresql": []}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
