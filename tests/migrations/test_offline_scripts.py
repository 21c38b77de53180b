"""`alembic … --sql`: a script that a database administrator runs makes the same database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import psycopg
from sqlalchemy.engine import make_url

from chatledger import Ledger
from chatledger.migrate import HEAD
from tests.migrations.commands import succeed
from tests.migrations.contents import contents, fill, fingerprint, found, names, revision


def test_the_script_of_an_upgrade_makes_the_same_database(url: str, new_url: Callable[[], str]) -> None:
    empty_url = new_url()
    execute(empty_url, succeed("upgrade", "head", "--sql", url=_kind(empty_url)))
    assert HEAD == revision(empty_url)
    assert fingerprint(url) == fingerprint(empty_url)
    fill(empty_url)
    assert all(found(empty_url).values())
    with closing(Ledger(empty_url)) as ledger:
        assert ledger.check()


def test_the_script_of_an_upgrade_in_two_parts_keeps_rows(filled_url: str) -> None:
    rows, hits, schema = contents(filled_url), found(filled_url), fingerprint(filled_url)
    with closing(Ledger(filled_url)) as ledger:
        ledger.downgrade("0001")
    execute(filled_url, succeed("upgrade", "0001:0003", "--sql", environment=_kind(filled_url)))
    assert "0003" == revision(filled_url)
    execute(filled_url, succeed("upgrade", "0003:head", "--sql", environment=_kind(filled_url)))
    assert (rows, schema, hits) == (contents(filled_url), fingerprint(filled_url), found(filled_url))


def test_the_script_of_a_downgrade_leaves_nothing_of_ours(filled_url: str) -> None:
    execute(filled_url, succeed("downgrade", "head:base", "--sql", url=_kind(filled_url)))
    assert {"chatledger_version"} >= {name for name in names(filled_url) if not name.startswith("sqlite_")}


def _kind(url: str) -> str:
    """A URL that says only which database to spell for: a script is written without one."""
    return "sqlite:///nowhere.db" if url.startswith("sqlite") else "postgresql://nobody@127.0.0.1:1/nowhere"


def execute(url: str, script: str) -> None:
    """Run a script as the database's own shell would: whole, without parameters."""
    assert "BEGIN;" in script
    assert "COMMIT;" in script
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parsed.database), isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.executescript(script)
    else:
        plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as server:
            server.execute(script.encode())
