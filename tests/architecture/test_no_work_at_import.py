"""A program that appends imports SQLAlchemy's Core, Pydantic and what an append needs; all else waits until it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from chatledger import Ledger

_LATER = {
    "alembic", "click", "jinja2", "mako", "matplotlib", "numpy", "psycopg", "rich", "scipy", "snowballstemmer",
    "sqlalchemy.orm", "typer",
}  # fmt: skip

_PROBE = """
import sys

opened = []
sys.addaudithook(lambda event, args: opened.append(args) if event == "sqlite3.connect" else None)

import chatledger

print(*sorted(set(sys.modules) & set(sys.argv[1:])), *opened)
"""
_APPEND = """
import sys
from pathlib import Path

from chatledger import Ledger

with Ledger(Path(sys.argv[1]), migrate="never") as ledger, ledger.begin() as uow:
    uow.messages.append("s", "user", "Hello")

print(*sorted(set(sys.modules) & set(sys.argv[2:])))
"""


def test_importing_loads_no_tool_and_opens_no_database() -> None:
    assert "" == _output(_PROBE, *_LATER)


def test_an_append_loads_neither_the_orm_nor_what_migrates(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, ledger.begin() as uow:
        uow.sessions.create("s")

    assert "" == _output(_APPEND, str(path), *_LATER)


def _output(program: str, *arguments: str) -> str:
    """What a new interpreter prints."""
    # Coverage measures subprocesses by an import of its own, and keeps its data in a database.
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    found = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return found.stdout.strip()
