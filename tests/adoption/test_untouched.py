"""The source stays as it is, byte for byte, and nothing appears beside it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import chatledger
from chatledger import Busy, Ledger
from chatledger.adoption import adopt
from chatledger.dialects import foreign_file
from tests.adoption.old import AI_ROUTER, fill_ai_router, made, put, state_of


def adopted(path: Path, **how: str) -> list[str]:
    """The texts that arrive."""
    with Ledger(":memory:") as ledger:
        adopt(ledger, path, **how)  # type: ignore[arg-type]  # orphans and timezone only
        with ledger.read() as uow:
            return [m.content for chat in uow.sessions.list() for m in uow.messages.history(chat.session_id)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "old"
    path.mkdir()
    return path


@pytest.mark.parametrize("wal", [False, True])
def test_a_settled_file(folder: Path, wal: bool) -> None:
    with made(folder / "old.db", AI_ROUTER, wal=wal) as connection:
        fill_ai_router(connection)
    before = state_of(folder)
    assert {"old.db"} == before.keys()
    assert ["Where?", "Lisbon."] == adopted(folder / "old.db")
    assert before == state_of(folder)


def left_with_wal(folder: Path) -> Path:
    """A database whose last rows, and whose last change, are in its `-wal` only, as a killed program leaves it."""
    live = folder.parent / "live"
    live.mkdir()
    with made(live / "old.db", AI_ROUTER, wal=True) as connection:
        fill_ai_router(connection, texts=("Where?",))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        put(connection, "messages", session_id="s", sequence_number=2, role="assistant", content="Only in the wal.")
        connection.execute("UPDATE sessions SET title = 'Changed in the wal', message_count = 2")
        for path in live.iterdir():
            shutil.copyfile(path, folder / path.name)
    return folder / "old.db"


def test_rows_of_the_wal_are_adopted_and_named(folder: Path, ledger: Ledger) -> None:
    path = left_with_wal(folder)
    before = state_of(folder)
    assert {"old.db", "old.db-shm", "old.db-wal"} == before.keys()
    report = adopt(ledger, path)
    found = report.finding("only_in_wal")
    assert found is not None
    assert ("messages", 1, (2,)) == (found.table, found.count, found.examples)
    with ledger.read() as uow:
        assert ["Where?", "Only in the wal."] == [m.content for m in uow.messages.history("s")]
        assert "Changed in the wal" == uow.sessions.get("s").title
    assert before == state_of(folder)


def test_the_private_copy_is_private_and_is_gone_afterwards(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = left_with_wal(folder)
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    with foreign_file.ForeignFile(path):
        rights = {file.name: oct(file.stat().st_mode & 0o777) for file in private.rglob("*")}
    assert {"0o700", "0o600"} == set(rights.values())
    assert {"source.db", "source.db-wal"} <= rights.keys()
    assert [] == list(private.iterdir())


def test_a_change_that_was_not_finished_is_undone_in_the_copy(folder: Path) -> None:
    """A hot journal: the program died while it wrote into the file."""
    live = folder.parent / "live.db"
    with made(live, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.execute("PRAGMA cache_size=1")
        connection.execute("BEGIN")
        connection.execute("UPDATE messages SET content = 'half done'")
        connection.executemany(
            "INSERT INTO session_metadata (session_id, key, value) VALUES ('s', ?, ?)",
            [(f"k{number}", "x" * 5000) for number in range(50)],
        )
        for end in ("", "-journal"):
            shutil.copyfile(f"{live}{end}", folder / f"old.db{end}")
        connection.execute("ROLLBACK")
    assert {"old.db", "old.db-journal"} == state_of(folder).keys()
    before = state_of(folder)
    assert ["Where?", "Lisbon."] == adopted(folder / "old.db")
    assert before == state_of(folder)


# The rehearsal loads every module first: somebody without rights may not reach them.
_AS_NOBODY = """
import json, os, sys
from chatledger import Ledger
from chatledger.adoption import adopt
with Ledger(":memory:") as ledger:
    for path in sys.argv[1:]:
        adopt(ledger, path, dry_run=True)
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    told = [[adopt(ledger, path).messages, os.access(os.path.dirname(path), os.W_OK)] for path in sys.argv[1:]]
    print(json.dumps(told))
"""


def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        closed = Path(name) / "closed"
        closed.mkdir()
        for file, wal in (("plain.db", False), ("settled.db", True)):
            with made(closed / file, AI_ROUTER, wal=wal) as connection:
                fill_ai_router(connection, session=file)
        left_with_wal(folder)
        for path in folder.iterdir():
            shutil.copyfile(path, closed / path.name)
        for path in closed.iterdir():
            path.chmod(0o444)
        closed.chmod(0o555)
        Path(closed.parent).chmod(0o755)
        before = state_of(closed)
        sources = [str(closed / file) for file in ("plain.db", "settled.db", "old.db")]
        done = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, *sources],
            env={name: value for name, value in os.environ.items() if "COV" not in name}
            | { "PYTHONPATH": str(Path(chatledger.__file__).parents[1])},
            cwd="/", capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (0, [[2, False]] * 3) == (done.returncode, json.loads(done.stdout or "null")), done.stderr
        assert before == state_of(closed)
        closed.chmod(0o755)


def test_a_file_that_another_program_has_open_and_locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_file, "_WAIT", 0.05)
    path = folder / "old.db"
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.execute("BEGIN EXCLUSIVE")
        with Ledger(":memory:") as ledger, pytest.raises(Busy, match="is being written"):
            adopt(ledger, path)
        connection.execute("ROLLBACK")
        assert ["Where?", "Lisbon."] == adopted(path)


def test_a_file_that_is_written_while_it_is_read(folder: Path, ledger: Ledger) -> None:
    path = folder / "old.db"
    with made(path, AI_ROUTER, wal=True) as connection:
        fill_ai_router(connection)

    def write(_: object) -> None:
        with made(path) as connection:
            put(connection, "messages", session_id="s", sequence_number=3, role="user", content="Meanwhile")

    with pytest.raises(Busy, match="was written while it was read"):
        adopt(ledger, path, progress=write)
    with ledger.read() as uow:
        assert [] == list(uow.sessions.list())


def test_locks_of_this_process_on_the_source_are_kept(folder: Path) -> None:
    """Closing a descriptor drops every POSIX lock that the process has on the file."""
    path = folder / "old.db"
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
        connection.execute("BEGIN IMMEDIATE")
        assert ["Where?", "Lisbon."] == adopted(path)
        locked = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
        other = subprocess.run([sys.executable, "-c", locked, str(path)], capture_output=True, check=False, timeout=60)
        assert b"database is locked" in other.stderr
        connection.execute("ROLLBACK")


def test_a_link_leads_to_the_file_and_its_wal(folder: Path, tmp_path: Path) -> None:
    path = left_with_wal(folder)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    assert ["Where?", "Only in the wal."] == adopted(link)


def test_a_name_of_any_shape(folder: Path) -> None:
    path = folder / "old? #1 100% ü.db"
    with made(path, AI_ROUTER) as connection:
        fill_ai_router(connection)
    before = state_of(folder)
    assert ["Where?", "Lisbon."] == adopted(path)
    assert before == state_of(folder)


def test_sqlite_itself_finds_the_source_sound_afterwards(folder: Path) -> None:
    path = left_with_wal(folder)
    adopted(path)
    connection = sqlite3.connect(path)
    assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
    assert (2,) == connection.execute("SELECT count(*) FROM messages").fetchone()
    connection.close()
