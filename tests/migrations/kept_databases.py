"""Ledgers at each released revision, kept as small files: `python -m tests.migrations.kept_databases` adds what is missing.

A released revision is frozen, and so are its files: they are made once, at the release, and never again. SQLite's is the
database file, compressed. PostgreSQL's is a script, compressed: the SQL of the migrations, then the rows. The ledger has
rows in every table; it is filled at the newest revision, and taken down to the others.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import chatledger
from chatledger import Ledger, migrate
from chatledger.dialects import dialect_of
from chatledger.migrate import REVISIONS
from tests.migrations.contents import TABLES, fill
from tests.support import sqlite
from tests.support.postgres import Server, running_server
from tests.support.raw import Raw

FOLDER = Path(__file__).parent / "kept"
ENDS = {"sqlite": ".db.gz", "postgresql": ".sql.gz"}


def index(folder: Path = FOLDER) -> dict[str, str]:
    """The kept revisions, oldest first, each with the version that made its files. Empty before the first release."""
    path = folder / "index.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def file_of(revision: str, backend: str, folder: Path = FOLDER) -> Path:
    return folder / f"{revision}{ENDS[backend]}"


def keep_sqlite(revisions: Sequence[str], folder: Path) -> None:
    """Write SQLite's file of each of the revisions."""
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "kept.db"
        url = sqlite.url_of(path)
        for revision in _down_from_head(url, revisions):
            raw = Raw(url)
            raw("PRAGMA wal_checkpoint(TRUNCATE)")
            raw("PRAGMA journal_mode = DELETE")
            _write(file_of(revision, "sqlite", folder), path.read_bytes())


def keep_postgresql(revisions: Sequence[str], folder: Path, server: Server) -> None:
    """Write PostgreSQL's file of each of the revisions."""
    with server.database() as url:
        for revision in _down_from_head(url, revisions):
            script = migrate.script(dialect_of("postgresql"), revision)
            text = "\n".join([script, "BEGIN;", *_rows(Raw(url)), "COMMIT;", ""])
            _write(file_of(revision, "postgresql", folder), text.encode())


def _down_from_head(url: str, revisions: Sequence[str]) -> Iterator[str]:
    Ledger(url).close()
    fill(url)
    for revision in sorted(revisions, reverse=True):
        with closing(Ledger(url, migrate="never")) as ledger:
            ledger.downgrade(revision)
        yield revision


def _rows(raw: Raw) -> Iterator[str]:
    """Statements that insert every row of the database, which triggers must not count again."""
    columns = raw(_COLUMNS)
    assert {column.table_name for column in columns} <= {*TABLES, "chatledger_version"}
    for table in TABLES:
        names = [column.column_name for column in columns if column.table_name == table]
        if not names:  # a table of a later revision
            continue
        yield f"ALTER TABLE {table} DISABLE TRIGGER USER;"
        literals = " || ', ' || ".join(f"quote_nullable({name}::text)" for name in names)
        for (values,) in raw(f"SELECT {literals} FROM {table} ORDER BY 1"):
            yield f"INSERT INTO {table} ({', '.join(names)}) OVERRIDING SYSTEM VALUE VALUES ({values});"
        yield f"ALTER TABLE {table} ENABLE TRIGGER USER;"
        for column in columns:
            if column.table_name == table and column.is_identity == "YES":
                name = column.column_name
                yield f"SELECT setval(pg_get_serial_sequence('{table}', '{name}'), (SELECT max({name}) FROM {table}));"


_COLUMNS = """
    SELECT c.table_name, c.column_name, c.is_identity FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE t.table_type = 'BASE TABLE' AND table_schema = current_schema() AND c.is_generated = 'NEVER'
    ORDER BY c.table_name, c.ordinal_position"""


def _write(path: Path, plain: bytes) -> None:
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write(plain)


def main() -> None:
    """Keep the revisions that are not kept yet, and write them into the index."""
    kept = index()
    missing = [revision for revision in REVISIONS if revision not in kept]
    if missing:
        FOLDER.mkdir(exist_ok=True)
        keep_sqlite(missing, FOLDER)
        with running_server() as server:
            keep_postgresql(missing, FOLDER, server)
        kept |= dict.fromkeys(missing, chatledger.__version__)
        (FOLDER / "index.json").write_text(json.dumps(kept, indent=2) + "\n", "utf-8")
    sys.stdout.write(f"{FOLDER.name}: {', '.join(missing) or 'nothing'} added, {', '.join(kept)} kept\n")


if __name__ == "__main__":
    main()
