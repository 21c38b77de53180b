"""The environment of Alembic's own commands in a checkout: what `alembic/env.py` runs."""

from __future__ import annotations

import os
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import TEXT, Connection, Engine

from chatledger.alembic_plugin import PLUGINS
from chatledger.dialects import dialect_of, parse_url
from chatledger.dialects.base import TABLE_PREFIX, VERSION_TABLE, Dialect
from chatledger.dialects.types import Identifier, OptionalIdentifier
from chatledger.models import Base
from chatledger.revisions import locked
from chatledger.settings import DEFAULT_URL, ENVIRONMENT_URL, Settings


def run_environment() -> None:
    """Migrate the connection or engine in `attributes["connection"]`, else the database that the URL names.

    The URL is `-x url=…`, else that of the environment variable, else the default.
    """
    handed = context.config.attributes.get("connection")
    if isinstance(handed, Connection):
        _migrate(handed, dialect_of(handed.dialect.name))
        return
    url = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get(ENVIRONMENT_URL) or DEFAULT_URL
    parsed = handed.url if isinstance(handed, Engine) else parse_url(url)
    dialect = dialect_of(parsed.get_backend_name())
    if context.is_offline_mode():
        # A URL without a place, to spell SQL with.
        _configure(dialect, url=f"{dialect.name}://", literal_binds=True, dialect_opts={"paramstyle": "named"})
        with context.begin_transaction():
            context.run_migrations()
        return
    if isinstance(handed, Engine):
        engine = handed
    else:
        dialect.prepare(parsed)
        engine = dialect.create_engine(parsed, Settings.preset("cli"))
    try:
        with locked(engine, dialect) as connection:
            _migrate(connection, dialect)
    finally:
        if engine is not handed:
            engine.dispose()


def _migrate(connection: Connection, dialect: Dialect) -> None:
    with dialect.own_schema(connection):
        _configure(dialect, connection=connection)
        # The transaction is the caller's: Alembic joins it and leaves the commit to it.
        with context.begin_transaction():
            context.run_migrations()


def _configure(dialect: Dialect, **how: Any) -> None:
    def include(thing: Any, name: str | None, type_: str, _reflected: bool, _compare_to: Any) -> bool:
        table = name if type_ == "table" else getattr(getattr(thing, "table", None), "name", None)
        return table in ours and dialect.is_ours(name)

    ours = frozenset(name for name in Base.metadata.tables if name.startswith(TABLE_PREFIX))
    context.configure(
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        drop_content=_may_drop_content(),
        transactional_ddl=True,
        transaction_per_migration=False,
        include_object=include,
        compare_type=_type_differs,
        autogenerate_plugins=PLUGINS,
        **how,
    )


def _may_drop_content() -> bool:
    """What a revision asks before it drops rows: `alembic -x drop_content=yes`."""
    said = context.get_x_argument(as_dictionary=True).get("drop_content", "no")
    if said not in ("yes", "no"):
        raise CommandError("-x drop_content must be yes or no")
    return said == "yes"


def _type_differs(
    _context: Any, _inspected: Any, _declared: Any, inspected_type: Any, declared_type: Any
) -> bool | None:
    """Alembic's own comparison, but for identifiers: it does not see that their collation is the same."""
    if isinstance(declared_type, Identifier | OptionalIdentifier):
        return not isinstance(inspected_type, TEXT)
    return None
