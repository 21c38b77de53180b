"""Which schema of a PostgreSQL database names resolve to: the ledger's own, or an empty one for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from chatledger import errors, ids


@contextmanager
def own_schema(connection: Connection) -> Iterator[None]:
    """Let the search path be the current schema, and temporary tables behind it: unnamed, they come first.

    With "chat, public", Alembic would take a version table in public for that of a new ledger in chat.
    """
    before = _path(connection)
    # Names that the server quotes without need are not recognised, for example as those of types.
    alone = """
        SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true),
            set_config('quote_all_identifiers', 'off', true)"""
    if connection.execute(text("SELECT current_schema()")).scalar_one() is None:
        raise errors.Unavailable("no schema of the search path exists: create it first (CREATE SCHEMA …)")
    connection.execute(text(alone))
    yield
    _set_path(connection, before)


@contextmanager
def scratch_schema(connection: Connection) -> Iterator[Connection]:
    """An empty schema in the search path, gone afterwards."""
    name = f"chatledger_scratch_{ids.new_id().replace('-', '')}"
    before = _path(connection)
    allowed = "SELECT has_database_privilege(current_database(), 'CREATE')"
    if not connection.execute(text(allowed)).scalar_one():
        raise errors.ReadOnly("a check makes a schema for a moment: this user needs CREATE on the database for it")
    savepoint = connection.begin_nested()
    try:
        connection.execute(text(f"CREATE SCHEMA {name}"))
        connection.execute(text(f"SET LOCAL search_path TO {name}"))
        yield connection
    finally:
        savepoint.rollback()
        _set_path(connection, before)


def _path(connection: Connection) -> str:
    return str(connection.execute(text("SELECT current_setting('search_path')")).scalar_one())


def _set_path(connection: Connection, path: str) -> None:
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": path})
