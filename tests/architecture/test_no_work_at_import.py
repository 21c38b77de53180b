"""A program imports what it uses: an append SQLAlchemy's Core, Pydantic and little of ours, `chatledger --version` none
of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from chatledger import Ledger, __version__

_TOOLS = {
    "alembic", "click", "jinja2", "mako", "matplotlib", "numpy", "psycopg", "rich", "scipy", "snowballstemmer",
    "sqlalchemy.orm", "typer",
}  # fmt: skip
# Of ours, what is costly to import and of no use to an append.
_SUBJECTS = {
    f"chatledger.{name}"
    for name in (
        "aio", "backup.counts", "cli", "dialects.full_text", "dialects.maintenance", "dialects.postgresql.dialect",
        "exchange", "execution", "full_text.query", "integrity", "ledger.sweeper", "models.base", "schemas.backup",
        "schemas.page", "schemas.snapshot", "schemas.timeout", "services.audit", "services.messages.changes",
        "services.messages.copies", "services.search", "services.snapshots", "services.timeouts",
    )
}  # fmt: skip

_PROBE = """
import sys

opened = []
sys.addaudithook(lambda event, args: opened.append(args) if event == "sqlite3.connect" else None)

import chatledger

print(*sorted(name for name in sys.modules if name in sys.argv[1:] or name.startswith("chatledger.")), *opened)
"""
_APPEND = """
import sys
from pathlib import Path

from chatledger import Ledger

with Ledger(Path(sys.argv[1]), migrate="never") as ledger, ledger.begin() as uow:
    uow.messages.append("s", "user", "Hello")

print(*sorted(set(sys.modules) & set(sys.argv[2:])))
"""
_VERSION = """
import sys

from chatledger.cli import main

try:
    main(["--version"])
finally:
    print(*sorted(name for name in ("pydantic", "rich", "sqlalchemy", "chatledger.errors") if name in sys.modules))
"""


def test_importing_loads_no_tool_and_opens_no_database() -> None:
    assert "chatledger._lazy" == _output(_PROBE, *_TOOLS, "pydantic", "sqlalchemy")


def test_an_append_loads_neither_the_orm_nor_what_migrates(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, ledger.begin() as uow:
        uow.sessions.create("s")

    assert "" == _output(_APPEND, str(path), *_TOOLS, *_SUBJECTS)


def test_the_version_of_the_command_loads_nothing_of_the_ledger() -> None:
    assert f"chatledger {__version__}" == _output(_VERSION)


def _output(program: str, *arguments: str) -> str:
    """What a new interpreter prints."""
    # Coverage measures subprocesses by an import of its own, and keeps its data in a database.
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    found = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return found.stdout.strip()
