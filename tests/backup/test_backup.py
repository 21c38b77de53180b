"""A backup is whole, says what it is, and disturbs nobody."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatledger import (
    Conflict,
    CorruptDatabase,
    InvalidInput,
    Ledger,
    NotALedger,
    SchemaAhead,
    SchemaBehind,
    Unavailable,
)
from chatledger.migrate import HEAD
from tests.backup.rows import counts, fill, stored, without_restoration
from tests.faults.nursery import ChildFailed, Nursery
from tests.faults.truth import require_sound
from tests.support.clock import StoppedClock
from tests.support.raw import Raw
from tests.support.sqlite import url_of


def test_a_backup_holds_everything_and_is_one_file(any_ledger: Ledger, url: str, tmp_path: Path) -> None:
    with Ledger(url) as ledger:
        fill(ledger)
    folder = tmp_path / "backups"
    folder.mkdir()
    report = any_ledger.backup(folder / "b.db")
    assert {"b.db", "b.db.json"} == {entry.name for entry in folder.iterdir()}
    assert 0o600 == stat.S_IMODE((folder / "b.db").stat().st_mode)
    assert 0o600 == stat.S_IMODE((folder / "b.db.json").stat().st_mode)
    assert stored(url) == stored(url_of(folder / "b.db"))
    assert report.rows == {name: len(rows) for name, rows in stored(url).items() if name in report.rows}
    require_sound(url_of(folder / "b.db"))


def test_the_manifest_says_what_was_written(ledger: Ledger, tmp_path: Path) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))
    report = ledger.backup(tmp_path / "b.db")
    manifest = json.loads(Path(report.manifest).read_text("utf-8"))
    content = (tmp_path / "b.db").read_bytes()
    assert {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "revision": HEAD,
        "head": HEAD,
        "file": "b.db",
        "sqlite_version": sqlite3.sqlite_version,
    }.items() <= manifest.items()
    assert (1, 0) == (manifest["rows"]["chatledger_sessions"], manifest["rows"]["chatledger_messages"])
    assert (report.sha256, report.bytes) == (manifest["sha256"], manifest["bytes"])


def test_a_backup_can_be_read_where_nothing_can_be_written(ledger: Ledger, tmp_path: Path) -> None:
    ledger.backup(tmp_path / "b.db")
    with closing(sqlite3.connect(f"file:{tmp_path / 'b.db'}?mode=ro&immutable=1", uri=True)) as connection:
        assert [("delete",)] == connection.execute("PRAGMA journal_mode").fetchall()
        assert [(HEAD,)] == connection.execute("SELECT version_num FROM chatledger_version").fetchall()


def test_writers_go_on_while_a_backup_is_made(url: str, tmp_path: Path) -> None:
    with Ledger(url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        for _ in range(20):
            ledger.run(
                lambda uow: uow.messages.append_many("s", [{"role": "user", "content": "x" * 3000} for _ in range(200)])
            )
        done = threading.Event()
        longest, written, failures = [0.0], [0], []

        def write() -> None:
            while not done.is_set():
                began = time.monotonic()
                try:
                    ledger.run(lambda uow: uow.messages.append("s", "user", "meanwhile"))
                except Exception as error:  # noqa: BLE001 - told to the test
                    failures.append(error)
                longest[0] = max(longest[0], time.monotonic() - began)
                written[0] += 1

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        reports = [ledger.backup(tmp_path / f"{number}.db") for number in range(4)]
        done.set()
        for writer in writers:
            writer.join()
        assert ([], True) == (failures, written[0] > 20)
        assert longest[0] < 8
        sizes = [report.rows["chatledger_messages"] for report in reports]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[-1]
    for number, report in enumerate(reports):
        copy = url_of(tmp_path / f"{number}.db")
        require_sound(copy)
        # A moment of the ledger: as many rows as the counter of that moment says, numbered without a gap.
        assert [(report.rows["chatledger_messages"],) * 2] == [
            tuple(row) for row in Raw(copy)("SELECT message_count, last_sequence FROM chatledger_sessions")
        ]
        assert report.rows["chatledger_messages"] == Raw(copy).count("chatledger_messages")


def test_a_backup_of_pages_tells_how_far_it_is_and_is_never_begun_anew(
    migrated_sqlite_url: str, tmp_path: Path
) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        many = [{"role": "user", "content": "y" * 60_000} for _ in range(400)]
        ledger.run(lambda uow: uow.messages.append_many("s", many))
        told: list[tuple[int, int | None]] = []

        def write(what: str, done: int, total: int | None) -> None:
            if what == "copying pages":
                told.append((done, total))
                ledger.run(lambda uow: uow.messages.append("s", "user", "meanwhile"))

        report = ledger.backup(tmp_path / "b.db", progress=write)
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert 400 == report.rows["chatledger_messages"]


def test_a_name_is_made_in_a_folder_and_old_ones_are_deleted(url: str, tmp_path: Path) -> None:
    clock = StoppedClock(datetime(2026, 5, 1, 9, 0, tzinfo=UTC))
    for name in ("chatledger-20200101T000000.000000Z-r0001.db.kept", "chatledger.db.mine", "notes.txt"):
        (tmp_path / name).write_text("not a backup of the pattern")
    others = {entry.name for entry in tmp_path.iterdir()} - {"chat.db"}
    made = []
    with Ledger(url, clock=clock) as ledger:
        for _ in range(5):
            made.append(ledger.backup(tmp_path, keep=3))
            clock.advance(hours=1)
        clock.advance(days=-30)  # a clock that was put back: the new one is the oldest by its name, and stays
        made.append(ledger.backup(tmp_path, keep=2))
    assert f"chatledger-20260501T090000.000000Z-r{HEAD}.db" == Path(made[0].path).name
    assert [(), (), (), (made[0].path,), (made[1].path,), (made[2].path, made[3].path)] == [
        report.removed for report in made
    ]
    left = {entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("chat.db")} - others
    assert left == {Path(name).name for report in (made[4], made[5]) for name in (report.path, report.manifest)}


def test_only_backups_of_the_same_ledger_are_deleted(
    migrated_sqlite_url: str, migrated_postgres_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    clock = StoppedClock(datetime(2026, 5, 1, 9, 0, tzinfo=UTC))
    fake = folder / f"chatledger-20200101T000000.000000Z-r{HEAD}.db"
    fake.write_text("looks like a backup", "utf-8")
    changed = folder / f"chatledger-20200102T000000.000000Z-r{HEAD}.db"
    left = {fake, changed}
    for url in (migrated_sqlite_url, migrated_postgres_url, url_of(tmp_path / "third.db")):
        with Ledger(url, clock=clock) as ledger:
            first = Path(ledger.backup(folder).path)
            clock.advance(hours=1)
            if not changed.exists():  # a file that somebody else has written under the name of a backup
                changed.write_text("as long as this", "utf-8")
                manifest = json.loads(Path(f"{first}.json").read_text("utf-8"))
                Path(f"{changed}.json").write_text(json.dumps({**manifest, "file": changed.name}), "utf-8")
        with Ledger(url, clock=clock) as again:  # another process, later: the same ledger
            second = again.backup(folder, keep=1)
            clock.advance(hours=1)
        assert (str(first),) == second.removed
        left.add(Path(second.path))
    assert left == {entry for entry in folder.iterdir() if entry.suffix == ".db"}


def test_a_ledger_at_the_same_path_after_another_keeps_its_predecessors_backups(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with Ledger(tmp_path / "chat.db") as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        old = ledger.backup(folder)
    (tmp_path / "chat.db").rename(tmp_path / "lost.db")
    with Ledger(tmp_path / "chat.db") as empty:
        assert () == empty.backup(folder, keep=1).removed
    assert Path(old.path).exists()


def test_a_file_with_the_name_of_the_manifest_is_not_overwritten(ledger: Ledger, tmp_path: Path) -> None:
    note = tmp_path / "b.db.json"
    note.write_text('{"mine": true}', "utf-8")
    for overwrite in (False, True):
        with pytest.raises(Conflict, match=r"b\.db\.json"):
            ledger.backup(tmp_path / "b.db", overwrite=overwrite)
    assert '{"mine": true}' == note.read_text("utf-8")
    assert not (tmp_path / "b.db").exists()


def test_only_a_regular_file_is_overwritten(ledger: Ledger, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "device").symlink_to("/dev/null")
    (tmp_path / "c.db.json").mkdir()
    for name in ("fifo", "device", "c.db"):
        with pytest.raises(InvalidInput, match="regular file"):
            ledger.backup(tmp_path / name, overwrite=True)
    assert stat.S_ISFIFO(fifo.lstat().st_mode)
    assert (tmp_path / "device").is_symlink()


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_a_part_of_a_ledger_is_not_overwritten(migrated_sqlite_url: str, tmp_path: Path, suffix: str) -> None:
    with Ledger(migrated_sqlite_url) as ledger, Ledger(tmp_path / "other.db") as other:
        ledger.run(lambda uow: uow.sessions.create("s"))
        other.run(lambda uow: uow.sessions.create("s"))
        backup = ledger.backup(tmp_path / "b.db").path
        for number in range(11):
            ledger.run(lambda uow, number=number: uow.messages.append("s", "user", str(number)))  # type: ignore[misc]
        for name in (f"chat.db{suffix}", f"other.db{suffix}"):
            for overwrite in (False, True):
                with pytest.raises(InvalidInput, match="belongs to the database"):
                    ledger.backup(tmp_path / name, overwrite=overwrite)
                with pytest.raises(InvalidInput, match="a part of the database"):
                    Ledger.restore(backup, tmp_path / name, overwrite=overwrite)
    with Ledger(migrated_sqlite_url) as again, again.read() as uow:
        assert 11 == uow.sessions.get("s").message_count


def test_nothing_is_overwritten_unless_asked(ledger: Ledger, tmp_path: Path) -> None:
    first = ledger.backup(tmp_path / "b.db")
    ledger.run(lambda uow: uow.sessions.create("later"))
    before = (tmp_path / "b.db").read_bytes()
    with pytest.raises(Conflict, match="exists already"):
        ledger.backup(tmp_path / "b.db")
    assert before == (tmp_path / "b.db").read_bytes()
    second = ledger.backup(tmp_path / "b.db", overwrite=True)
    assert (0, 1) == (first.rows["chatledger_sessions"], second.rows["chatledger_sessions"])
    assert second.sha256 == json.loads((tmp_path / "b.db.json").read_text("utf-8"))["sha256"]


def test_a_ledger_is_not_overwritten_by_a_backup(migrated_sqlite_url: str, tmp_path: Path) -> None:
    with Ledger(migrated_sqlite_url) as ledger, Ledger(tmp_path / "other.db") as other:
        with pytest.raises(InvalidInput, match="the ledger itself"):
            ledger.backup(tmp_path / "chat.db", overwrite=True)
        other.run(lambda uow: uow.sessions.create("mine"))
        with pytest.raises(Conflict, match="in use"):
            ledger.backup(tmp_path / "other.db", overwrite=True)
        assert 1 == other.run(lambda uow: len(uow.sessions.list()))


def test_what_cannot_be_is_refused_before_anything_is_written(ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(InvalidInput, match=r"keep: is for a folder"):
        ledger.backup(folder / "b.db", keep=3)
    with pytest.raises(InvalidInput, match="keep"):
        ledger.backup(folder, keep=0)
    with pytest.raises(Unavailable, match="does not exist"):
        ledger.backup(folder / "missing" / "b.db")
    with pytest.raises(Unavailable, match="does not exist"):
        ledger.backup(f"{folder}/missing/")
    assert [] == list(folder.iterdir())


def test_a_file_of_an_older_revision_is_backed_up_as_it_is(migrated_sqlite_url: str, tmp_path: Path) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        ledger.downgrade("0003")
        assert ("0003", 1) == ((made := ledger.backup(tmp_path / "b.db")).revision, made.rows["chatledger_sessions"])


def test_a_server_of_an_older_revision_is_refused_by_name(migrated_postgres_url: str, tmp_path: Path) -> None:
    with Ledger(migrated_postgres_url) as ledger:
        ledger.downgrade("0003")
        with pytest.raises(SchemaBehind):
            ledger.backup(tmp_path / "b.db")
    assert [] == list(tmp_path.iterdir())


def test_what_is_no_ledger_of_this_release_is_not_backed_up(ledger: Ledger, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    Raw(url)("UPDATE chatledger_version SET version_num = '9999'")
    with pytest.raises(SchemaAhead):
        ledger.backup(folder)
    Raw(url)("DELETE FROM chatledger_version")
    with pytest.raises(NotALedger):
        ledger.backup(folder)
    assert [] == list(folder.iterdir())


def test_a_damaged_ledger_leaves_no_backup_that_looks_whole(old: Path, tmp_path: Path) -> None:
    content = bytearray(old.read_bytes())
    content[4096 * 8 : 4096 * 9] = b"\xa5" * 4096
    old.write_bytes(content)
    folder = tmp_path / "backups"
    folder.mkdir()
    with Ledger(url_of(old), migrate="never") as ledger, pytest.raises(CorruptDatabase):
        ledger.backup(folder)
    assert [] == list(folder.iterdir())


def test_a_ledger_in_memory_is_backed_up(tmp_path: Path) -> None:
    with Ledger(":memory:") as ledger:
        fill(ledger)
        rows = ledger.backup(tmp_path / "b.db").rows
        assert rows == ledger.backup(tmp_path / "c.db").rows
    assert (rows["chatledger_sessions"], rows["chatledger_messages"]) == counts(url_of(tmp_path / "b.db"))
    Ledger.restore(tmp_path / "b.db", tmp_path / "chat.db")
    assert (rows["chatledger_sessions"], rows["chatledger_messages"]) == counts(url_of(tmp_path / "chat.db"))


@pytest.mark.parametrize("step", ["verifying", "naming"])
def test_a_killed_backup_leaves_the_one_before(filled: str, tmp_path: Path, nursery: Nursery, step: str) -> None:
    with Ledger(filled) as ledger:
        ledger.backup(tmp_path / "b.db")
        ledger.run(lambda uow: uow.sessions.create("later"))
    with pytest.raises(ChildFailed, match="no outcome"):
        nursery.start("back_up_and_die", filled, str(tmp_path / "b.db"), step, True).result()
    Ledger.restore(tmp_path / "b.db", tmp_path / "restored.db")
    before = stored(filled)
    before["chatledger_sessions"] = [row for row in before["chatledger_sessions"] if row[0] != "later"]
    before["chatledger_session_timeouts"] = [row for row in before["chatledger_session_timeouts"] if row[0] != "later"]
    assert without_restoration(before) == without_restoration(stored(url_of(tmp_path / "restored.db")))


def test_progress_that_raises_leaves_nothing(ledger: Ledger, tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int | None) -> None:
        raise KeyError("enough")

    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(KeyError):
        ledger.backup(folder, progress=stop)
    assert [] == list(folder.iterdir())
    ledger.run(lambda uow: uow.sessions.create("still here"))
