"""A small application with tables, an Alembic environment and a version table of its own, written into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alembic.config import Config

_ENV = """
from alembic import context
from sqlalchemy import MetaData, Table, Column, Integer, Text, create_engine

from chatledger.alembic_plugin import include_object

metadata = MetaData()
for name in ("orders", *context.config.attributes["tables"]):
    Table(name, metadata, Column("id", Integer, primary_key=True), Column("state", Text, index=True))

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object if context.config.attributes.get("beside", True) else None,
        autogenerate_plugins=context.config.attributes["plugins"],
    )
    context_before = context.get_context()
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""

_TEMPLATE = """
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
"""

_FIRST = """
from alembic import context, op
import sqlalchemy as sa

revision = "a1"
down_revision = None


tables = ("orders", *context.config.attributes["tables"])


def upgrade():
    for name in tables:
        op.create_table(name, sa.Column("id", sa.Integer, primary_key=True), sa.Column("state", sa.Text))
        op.create_index(f"ix_{name}_state", name, ["state"])


def downgrade():
    for name in tables:
        op.drop_table(name)
"""


def application(folder: Path, url: str, *, plugin: bool = False, tables: Sequence[str] = ()) -> Config:
    """Write the application's environment and return its configuration.

    `plugin` names ours in it; `tables` are made beside `orders`.
    """
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(_ENV, "utf-8")
    (folder / "script.py.mako").write_text(_TEMPLATE, "utf-8")
    (folder / "versions" / "a1_orders.py").write_text(_FIRST, "utf-8")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    config.attributes["tables"] = tuple(tables)
    config.attributes["plugins"] = ["alembic.autogenerate.*", *(["chatledger"] if plugin else [])]
    return config
