"""`import chatledger` costs what SQLAlchemy and Pydantic cost; all else waits until it is used."""

from __future__ import annotations

import os
import subprocess
import sys

_LATER = {"alembic", "jinja2", "mako", "matplotlib", "numpy", "psycopg", "rich", "scipy", "typer"}

_PROBE = """
import sys

opened = []
sys.addaudithook(lambda event, args: opened.append(args) if event == "sqlite3.connect" else None)

import chatledger

print(*sorted(set(sys.modules) & set(sys.argv[1:])), *opened)
"""


def test_importing_loads_no_tool_and_opens_no_database() -> None:
    # Coverage measures subprocesses by an import of its own, and keeps its data in a database.
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    found = subprocess.run(
        [sys.executable, "-c", _PROBE, *_LATER],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "" == found.stdout.strip()
