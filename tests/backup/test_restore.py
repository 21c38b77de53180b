"""A backup becomes a ledger again, in the place of another where that was asked for."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatledger import (
    AsyncLedger,
    Busy,
    Conflict,
    InvalidInput,
    Ledger,
    NotALedger,
    RestoreReport,
    SchemaAhead,
    Unavailable,
)
from chatledger.migrate import HEAD
from tests.backup.rows import counts, fill, stored, without_restoration
from tests.faults.truth import require_sound
from tests.support.flavors import LoopThread
from tests.support.raw import Raw
from tests.support.sqlite import url_of


@pytest.fixture(params=["sync", "async"])
def restore(request: pytest.FixtureRequest) -> Any:
    """`Ledger.restore` sync and async."""
    if request.param == "sync":
        return Ledger.restore

    def blocking(*arguments: Any, **how: Any) -> RestoreReport:
        loop = LoopThread()
        try:
            report = loop.call(AsyncLedger.restore, *arguments, **how)
            assert isinstance(report, RestoreReport)
            return report
        finally:
            loop.close()

    return blocking


def test_a_new_place_gets_everything(restore: Any, filled: str, empty_url: str, tmp_path: Path) -> None:
    with Ledger(filled) as ledger:
        ledger.backup(tmp_path / "b.db")
    before = stored(filled)
    target = url_of(tmp_path / "new.db")
    report = restore(tmp_path / "b.db", target)
    after = stored(target)
    assert without_restoration(before) == without_restoration(after)
    assert (len(after["chatledger_audit_log"]), True, None, ()) == (
        len(before["chatledger_audit_log"]) + 1,
        report.by_manifest,
        report.erasures_known,
        report.erased_users_returning,
    )
    require_sound(target)
    with Ledger(target) as ledger:
        assert ledger.check()
        assert "wal" == ledger.info()["pragmas"]["journal_mode"]
        with ledger.read() as uow:
            noted = uow.audit.list().items[0]
            assert ("ledger.restored", HEAD) == (noted.action, (noted.details or {})["revision"])
    assert 0o600 == stat.S_IMODE((tmp_path / "new.db").stat().st_mode)


def test_a_backup_goes_to_a_server_and_back(filled: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with Ledger(filled) as ledger:
        ledger.backup(tmp_path / "b.db")
    with request.getfixturevalue("postgres_server").database() as server:
        Ledger.restore(tmp_path / "b.db", server)
        assert without_restoration(stored(filled)) == without_restoration(stored(server))
        with pytest.raises(Conflict, match="holds rows already"):
            Ledger.restore(tmp_path / "b.db", server)
        with Ledger(server) as ledger:
            assert ledger.check()
            ledger.run(lambda uow: uow.sessions.create("since"))
        report = Ledger.restore(tmp_path / "b.db", server, overwrite=True)
        assert without_restoration(stored(filled)) == without_restoration(stored(server))
        assert True is report.erasures_known
        with Ledger(server) as ledger:
            assert ledger.check()


def test_the_old_ledger_stays_unless_asked(old: Path, backup: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(Conflict, match="exists already"):
        Ledger.restore(backup, url_of(old))
    assert before == old.read_bytes()
    Ledger.restore(backup, url_of(old), overwrite=True)
    with Ledger(url_of(old)) as ledger, ledger.read() as uow:
        assert uow.sessions.find("since the backup") is None
        assert uow.sessions.find("trip") is not None
    assert ["chat.db"] == [entry.name for entry in old.parent.iterdir()]


def test_the_rights_of_the_old_file_are_kept(old: Path, backup: Path) -> None:
    old.chmod(0o640)
    Ledger.restore(backup, url_of(old), overwrite=True)
    assert 0o640 == stat.S_IMODE(old.stat().st_mode)


def test_a_link_stays_a_link(old: Path, backup: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(old)
    Ledger.restore(backup, url_of(link), overwrite=True)
    assert link.is_symlink()
    assert counts(url_of(old)) == counts(url_of(backup))


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_an_older_backup_is_upgraded_and_itself_not_touched(tmp_path: Path, revision: str) -> None:
    path = tmp_path / "chat.db"
    with Ledger(path) as ledger:
        fill(ledger)
        ledger.downgrade(revision)
        ledger.backup(tmp_path / "b.db")
    before = (tmp_path / "b.db").read_bytes()
    report = Ledger.restore(tmp_path / "b.db", path, overwrite=True)
    assert (revision, HEAD) == (report.revision_of_backup, report.revision)
    assert before == (tmp_path / "b.db").read_bytes()
    with Ledger(path) as ledger:
        assert ledger.check()


@pytest.mark.parametrize("how", ["idle", "reading", "writing", "another program", "rollback journal"])
def test_a_ledger_in_use_is_not_replaced(old: Path, backup: Path, how: str) -> None:
    with Ledger(url_of(old)) as ledger:
        ledger.run(lambda uow: uow.messages.append("trip", "user", "not yet in the file"))
        if how in ("another program", "rollback journal"):
            ledger.close()
            with closing(sqlite3.connect(old, isolation_level=None)) as other:
                if how == "rollback journal":
                    other.execute("PRAGMA journal_mode=DELETE")
                    other.execute("BEGIN")
                other.execute("SELECT count(*) FROM chatledger_sessions").fetchall()
                with pytest.raises(Busy, match="is in use"):
                    Ledger.restore(backup, url_of(old), overwrite=True)
        elif how == "idle":
            with pytest.raises(Busy, match="is in use"):
                Ledger.restore(backup, url_of(old), overwrite=True)
        else:
            block = ledger.read() if how == "reading" else ledger.begin()
            with block, pytest.raises(Busy, match="is in use"):
                Ledger.restore(backup, url_of(old), overwrite=True)
    with Ledger(url_of(old)) as ledger, ledger.read() as uow:
        assert "not yet in the file" == uow.messages.history("trip", last=1)[0].content
        assert uow.sessions.find("since the backup") is not None


def test_who_opens_the_old_file_at_the_last_moment_cannot_write_into_nowhere(old: Path, backup: Path) -> None:
    late: list[sqlite3.Connection] = []

    def open_it(what: str, done: int, total: int | None) -> None:
        if what == "renaming":
            late.append(sqlite3.connect(old, isolation_level=None, timeout=0))

    Ledger.restore(backup, url_of(old), overwrite=True, progress=open_it)
    with closing(late[0]) as connection:
        for statement in ("PRAGMA journal_mode=WAL", "DELETE FROM chatledger_messages"):
            with pytest.raises(sqlite3.OperationalError) as caught:
                connection.execute(statement)
            assert "SQLITE_READONLY_DBMOVED" == caught.value.sqlite_errorname
    assert counts(url_of(old)) == counts(url_of(backup))


def test_a_log_that_was_left_behind_is_not_played_into_the_new_ledger(old: Path, backup: Path) -> None:
    # A ledger whose file was deleted, and its log was not.
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("UPDATE chatledger_sessions SET title = 'of the old ledger'")
        log = old.with_name("chat.db-wal").read_bytes()
    old.unlink()
    old.with_name("chat.db-wal").write_bytes(log)
    Ledger.restore(backup, url_of(old))
    assert [] == Raw(url_of(old))("SELECT session_id FROM chatledger_sessions WHERE title = 'of the old ledger'")
    assert [log] == [path.read_bytes() for path in old.parent.glob("chat.db.left-*-wal")]
    require_sound(url_of(old))


def test_what_a_crash_left_in_the_log_counts_as_the_old_ledger(old: Path, backup: Path) -> None:
    """The erasure that only the log knows of is carried over."""
    pid = os.fork()
    if pid == 0:
        ledger = Ledger(url_of(old))
        ledger.erase_user("bob", include_held=True, scrub=False)
        os._exit(0)
    os.waitpid(pid, 0)
    assert old.with_name("chat.db-wal").stat().st_size
    report = Ledger.restore(backup, url_of(old), overwrite=True)
    assert ("bob",) == report.erased_users_returning
    assert ["chat.db"] == [entry.name for entry in old.parent.iterdir()]


def test_an_erased_user_does_not_come_back_unnoticed(filled: str, backend: str, tmp_path: Path) -> None:
    with Ledger(filled) as ledger:
        ledger.backup(tmp_path / "b.db")
        ledger.erase_user("bob", include_held=True, reason="asked to", actor="clerk")
    report = Ledger.restore(tmp_path / "b.db", filled, overwrite=True)
    assert (("bob",), 1, True) == (
        report.erased_users_returning,
        report.erasures_carried_over,
        report.erasures_known,
    )
    with Ledger(filled) as ledger:
        with ledger.read() as uow:
            carried = uow.audit.list(action="user.erased").items
            # lin's was in the backup already; both keep their time, reason and digest.
            assert ({"asked to"}, {"clerk", None}, 2) == (
                {entry.reason for entry in carried},
                {entry.actor for entry in carried},
                len(carried),
            )
        assert 3 == ledger.erase_user("bob", include_held=True).sessions
        ledger.backup(tmp_path / "clean.db")
    # Erased again: who restores that one is told of nobody.
    assert () == Ledger.restore(tmp_path / "clean.db", filled, overwrite=True).erased_users_returning


def test_one_who_was_erased_and_came_again_is_not_meant(tmp_path: Path) -> None:
    with Ledger(tmp_path / "chat.db") as ledger:
        ledger.run(lambda uow: uow.sessions.create("before", user_id="bob"))
        ledger.backup(tmp_path / "before.db")
        ledger.erase_user("bob")
        ledger.run(lambda uow: uow.sessions.create("after", user_id="bob"))
        ledger.backup(tmp_path / "after.db")
    assert () == Ledger.restore(tmp_path / "after.db", tmp_path / "chat.db", overwrite=True).erased_users_returning
    report = Ledger.restore(tmp_path / "before.db", tmp_path / "chat.db", overwrite=True)
    assert (("bob",), 1) == (report.erased_users_returning, report.erasures_carried_over)
    # The erasure went along: a later backup of this ledger tells on its own, to a place where nothing is replaced.
    with Ledger(tmp_path / "chat.db") as ledger:
        ledger.backup(tmp_path / "again.db")
    assert ("bob",) == Ledger.restore(tmp_path / "again.db", tmp_path / "new.db").erased_users_returning


def test_a_damaged_ledger_is_replaced_and_kept_aside(old: Path, backup: Path) -> None:
    broken = bytearray(old.read_bytes())
    broken[4096 * 3 :] = b"\xa5" * len(broken[4096 * 3 :])
    broken[0:16] = b"\0" * 16
    old.write_bytes(broken)
    report = Ledger.restore(backup, url_of(old), overwrite=True)
    assert report.kept_aside is not None
    assert (False, bytes(broken)) == (report.erasures_known, Path(report.kept_aside).read_bytes())
    assert counts(url_of(backup)) == counts(url_of(old))


def test_an_emptied_ledger_is_replaced(old: Path, backup: Path) -> None:
    old.write_bytes(b"")
    Ledger.restore(backup, url_of(old), overwrite=True)
    assert counts(url_of(backup)) == counts(url_of(old))


def test_a_damaged_ledger_in_use_is_not_replaced(old: Path, backup: Path) -> None:
    broken = bytearray(old.read_bytes())
    broken[0:16] = b"\0" * 16
    reading = sqlite3.connect(old, isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM chatledger_sessions").fetchall()
    with closing(reading), old.open("r+b", buffering=0) as file:
        file.write(broken)
        with pytest.raises(Busy, match="is in use"):
            Ledger.restore(backup, url_of(old), overwrite=True)


@pytest.mark.parametrize("kind", ["text", "database"])
def test_a_file_of_something_else_is_not_overwritten(old: Path, backup: Path, kind: str) -> None:
    target = old.with_name("notes")
    if kind == "text":
        target.write_text("my notes\n" * 1000)
    else:
        with closing(sqlite3.connect(target)) as connection:
            connection.execute("CREATE TABLE bookmarks (url TEXT)")
            connection.commit()
    before = target.read_bytes()
    with pytest.raises(NotALedger, match="not overwritten"):
        Ledger.restore(backup, target, overwrite=True)
    assert before == target.read_bytes()


def test_a_database_of_something_else_on_a_server_gets_the_ledger_beside_it(backup: Path, postgres_url: str) -> None:
    Raw(postgres_url)("CREATE TABLE bookmarks (url TEXT)")
    Raw(postgres_url)("INSERT INTO bookmarks VALUES ('https://example.org')")
    Ledger.restore(backup, postgres_url, overwrite=True)
    assert counts(url_of(backup)) == counts(postgres_url)
    assert 1 == Raw(postgres_url).count("bookmarks")


def test_a_table_that_refers_to_the_ledger_on_a_server_is_not_emptied(backup: Path, migrated_postgres_url: str) -> None:
    with Ledger(migrated_postgres_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("mine"))
    raw = Raw(migrated_postgres_url)
    raw("CREATE TABLE bookings (session_id TEXT REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE)")
    raw("INSERT INTO bookings VALUES ('mine')")
    with pytest.raises(Conflict, match="of an application"):
        Ledger.restore(backup, migrated_postgres_url, overwrite=True)
    assert (1, (1, 0)) == (raw.count("bookings"), counts(migrated_postgres_url))


def test_a_newer_ledger_is_not_overwritten_on_a_server(backup: Path, migrated_postgres_url: str) -> None:
    Raw(migrated_postgres_url)("UPDATE chatledger_version SET version_num = '9999'")
    with pytest.raises(SchemaAhead):
        Ledger.restore(backup, migrated_postgres_url, overwrite=True)


def test_a_server_in_use_is_replaced_under_its_readers_or_waits(backup: Path, migrated_postgres_url: str) -> None:
    with Ledger(migrated_postgres_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("mine"))
        inside, done = threading.Event(), threading.Event()

        def write() -> None:
            with ledger.begin() as uow:
                uow.sessions.create("meanwhile")
                inside.set()
                done.wait(1)

        writer = threading.Thread(target=write)
        writer.start()
        inside.wait(5)
        threading.Timer(0.3, done.set).start()
        Ledger.restore(backup, migrated_postgres_url, overwrite=True)
        writer.join()
        assert counts(url_of(backup)) == counts(migrated_postgres_url)


def test_places_that_cannot_be(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="in memory"):
        Ledger.restore(backup, ":memory:")
    with pytest.raises(Unavailable, match="does not exist"):
        Ledger.restore(backup, tmp_path / "missing" / "chat.db")
    with pytest.raises(Unavailable, match="cannot be read"):
        Ledger.restore(tmp_path / "tpyo.db", tmp_path / "new.db")
    with pytest.raises(InvalidInput, match="is not a file"):
        Ledger.restore(tmp_path, tmp_path / "new.db")
    with pytest.raises(InvalidInput, match="the ledger itself"):
        Ledger.restore(backup, backup, overwrite=True)
    assert not (tmp_path / "new.db").exists()
