"""Ledgers as each release made them, kept as small files: `python -m tests.migrations.keeping 0004` adds one.

A released revision is frozen, and so are its files: they are made once, at the release, and never again. SQLite's is
the database file, compressed; PostgreSQL's is the SQL of the migrations and of the rows.
"""

from __future__ import annotations

import gzip
import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from chatledger import Ledger, migrate
from chatledger.dialects import dialect_of
from tests.support.raw import Raw

FOLDER = Path(__file__).parent / "kept"

RELEASED: tuple[str, ...] = ()
"""The newest revision of each release, oldest first. Nothing has been released yet."""

ROWS = (
    "INSERT INTO chatledger_projects (project_id) VALUES ('travel')",
    "INSERT INTO chatledger_models (model_id, provider) VALUES ('m-1', 'somebody')",
    (
        "INSERT INTO chatledger_sessions (session_id, user_id, project_id, model_id, title, context, created_at, last_activity)"
        " VALUES ('trip', 'ada', 'travel', 'm-1', 'Lisbon', '{\"a\": 1e16}', {moment}, {moment}),"
        " ('empty', NULL, NULL, NULL, NULL, '{}', {moment}, {moment})"
    ),
    (
        "INSERT INTO chatledger_messages (session_id, sequence_number, role, content, payload, input_tokens, output_tokens, cost,"
        " key, search_text, created_at) VALUES"
        " ('trip', 1, 'user', 'Where to in May? Zürich?', NULL, 8, NULL, NULL, 'k', 'where to in may zurich', {moment}),"
        " ('trip', 2, 'assistant', 'A quiet harbour.', '[1.0, null]', NULL, 3, 1, NULL, NULL, {moment})"
    ),
    "INSERT INTO chatledger_session_metadata (session_id, key, value) VALUES ('trip', 'tags', '[\"sea\"]')",
    (
        "INSERT INTO chatledger_session_timeouts (session_id, idle_limit, hard_limit, next_check_at)"
        " VALUES ('trip', 3600, 86400, {moment})"
    ),
    "INSERT INTO chatledger_audit_log (action, session_id, user_id) VALUES ('session.deleted', 'gone', 'ada')",
)
"""What each of them holds, in columns that every revision has."""
MOMENT = "2026-05-01 10:00:00.000000"


def sqlite_of(revision: str) -> Path:
    return FOLDER / f"{revision}.db.gz"


def postgresql_of(revision: str) -> Path:
    return FOLDER / f"{revision}.sql"


def keep(revision: str) -> None:
    """Write both files of a revision."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kept.db"
        with closing(Ledger(f"sqlite:///{path}", migrate="never")) as ledger:
            ledger.upgrade(revision)
        raw = Raw(f"sqlite:///{path}")
        for row in ROWS:
            raw(_spelled(row, f"'{MOMENT}'").replace(":", r"\:"))
        raw("PRAGMA wal_checkpoint(TRUNCATE)")
        raw("PRAGMA journal_mode = DELETE")
        with path.open("rb") as plain, gzip.GzipFile(sqlite_of(revision), "wb", mtime=0) as packed:
            shutil.copyfileobj(plain, packed)
    script = migrate.script(dialect_of("postgresql"), revision)
    moment = f"'{MOMENT}+00'"
    rows = "".join(f"{_spelled(row, moment)};\n\n" for row in ROWS)
    postgresql_of(revision).write_text(f"{script}\n{rows}", encoding="utf-8")


def _spelled(row: str, moment: str) -> str:
    return row.replace("{moment}", moment)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        keep(name)
