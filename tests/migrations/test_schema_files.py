"""`schema/*.sql` show the schema at head, and make a ledger when they are run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import Index
from sqlalchemy.engine import make_url

from chatledger import Ledger
from chatledger.models import Base
from tests.migrations import schema_files
from tests.migrations.contents import fill, fingerprint, found
from tests.support.raw import Raw


def test_the_files_are_those_that_make_schema_writes(backend: str, new_url: Callable[[], str]) -> None:
    url = new_url()
    written = _file(backend)
    if backend == "postgresql" and Raw(url)("SELECT current_setting('server_version_num')::int")[0][0] < 150000:
        written = written.replace(schema_files.SECURITY_INVOKER, "")
    generated = schema_files.sqlite(url) if backend == "sqlite" else schema_files.postgresql(url)
    assert written == generated, "run `make schema` and look at the difference"


@pytest.mark.parametrize("schema", ["public", "chat"])
def test_run_on_an_empty_database_they_make_a_ledger(
    url: str, backend: str, schema: str, new_url: Callable[[], str]
) -> None:
    empty = new_url()
    script = _file(backend)
    if backend == "sqlite":
        with closing(sqlite3.connect(str(make_url(empty).database))) as connection:
            connection.executescript(script)
    else:
        parsed = make_url(empty)
        with psycopg.connect(parsed.set(drivername="postgresql").render_as_string(hide_password=False)) as server:
            if server.info.server_version < 150000:
                script = script.replace(schema_files.SECURITY_INVOKER, "")
            server.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path TO {schema}, pg_temp".encode())
            server.execute(script.encode())
        empty = parsed.update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(hide_password=False)
    assert fingerprint(url) == fingerprint(empty)
    with closing(Ledger(empty)) as ledger:
        assert ledger.check()
    fill(empty)
    assert all(found(empty).values())


def test_no_name_of_a_schema_stands_in_them() -> None:
    assert "public." not in _file("postgresql")


def test_the_models_declare_the_conditions_that_indexes_have(migrated_sqlite_url: str) -> None:
    """Alembic never compares them, and the plugin compares the database with the revisions alone."""
    statements = Raw(migrated_sqlite_url)(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name LIKE 'chatledger%'"
    )
    existing = {name: " ".join(sql.split()).partition(" WHERE ")[2] for name, sql in statements}
    declared = {index.name: _condition(index) for table in Base.metadata.tables.values() for index in table.indexes}
    assert {name: condition for name, condition in existing.items() if condition} == {
        str(name): condition for name, condition in declared.items() if condition
    }


def _condition(index: Index) -> str:
    condition = index.info.get("where", index.dialect_options["sqlite"]["where"])
    return "" if condition is None else str(condition)


def _file(backend: str) -> str:
    return (schema_files.FOLDER / f"{backend}.sql").read_text("utf-8")
