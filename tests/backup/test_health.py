"""A health endpoint gets an answer at once, whatever is the matter, and is told what."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from chatledger import Health, Ledger, Settings
from chatledger.migrate import HEAD
from tests.backup.small_disk import SmallDisk
from tests.support.clock import StoppedClock
from tests.support.raw import Raw
from tests.support.sqlite import url_of


def kinds(health: Health) -> list[str]:
    return [problem.kind for problem in health.problems]


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def test_a_sound_ledger_is_ok(any_ledger: Ledger) -> None:
    any_ledger.run(lambda uow: uow.sessions.create("s"))
    health = any_ledger.health()
    assert (True, True, True, HEAD, 0.0, ()) == (
        health.ok, health.reachable, health.writable, health.revision, health.sweep_lag, health.problems,
    )  # fmt: skip
    assert bool(health)
    assert health.pool["max"] == 15
    assert True is json.loads(json.dumps(health.document()))["ok"]


def test_it_leaves_nothing_behind(ledger: Ledger) -> None:
    for _ in range(30):
        assert ledger.health().ok
    assert 0 == ledger.pool_status()["in_use"]
    ledger.run(lambda uow: uow.sessions.create("s"))
    with ledger.read() as uow:
        assert 1 == len(uow.sessions.list())


def test_somebody_who_writes_is_no_problem(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        with within(5):
            assert ledger.health().ok


def test_a_closed_ledger_says_so(ledger: Ledger) -> None:
    ledger.close()
    assert ["closed"] == kinds(ledger.health())


def test_a_schema_that_is_not_this_releases_is_told(ledger: Ledger, url: str) -> None:
    ledger.downgrade("0003")
    health = ledger.health()
    assert (["schema"], "0003") == (kinds(health), health.revision)
    assert "run `chatledger db upgrade`" in health.problems[0].message
    Raw(url)("UPDATE chatledger_version SET version_num = '9999'")
    assert ["schema"] == kinds(ledger.health())


def test_a_late_sweep_is_told(url: str) -> None:
    clock = StoppedClock()
    with Ledger(url, clock=clock) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s", idle_timeout=60))
        assert ledger.health().ok
        clock.advance(hours=2)
        health = ledger.health()
        assert ["sweep"] == kinds(health)
        assert 7000 < health.sweep_lag <= 7200
        assert ledger.health(sweep_lag=8000).ok
        ledger.sweep()
        assert ledger.health().ok


def test_a_pool_that_is_used_up_is_told_without_waiting_for_it(url: str) -> None:
    with Ledger(url, settings=Settings(pool_size=2, max_overflow=0)) as ledger:
        with ledger.read(), ledger.read(), within(5):
            health = ledger.health()
        assert (["pool"], False) == (kinds(health), health.reachable)
        assert "2 of 2" in health.problems[0].message
        with ledger.read():
            assert ledger.health().ok
            assert ["pool"] == kinds(ledger.health(pool_share=0.5))


def test_a_large_log_and_a_full_disk_are_told(migrated_sqlite_url: str) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        health = ledger.health(wal_bytes=100, disk_free_bytes=10**18)
        assert ["wal", "disk"] == kinds(health)
        assert health.wal_bytes is not None
        assert health.wal_bytes > 100
        ledger.maintain()
        assert ["disk"] == kinds(ledger.health(wal_bytes=100, disk_free_bytes=10**18))


def test_a_server_has_neither(migrated_postgres_url: str) -> None:
    with Ledger(migrated_postgres_url) as ledger:
        health = ledger.health(wal_bytes=0, disk_free_bytes=10**18)
        assert (True, None, None) == (health.ok, health.wal_bytes, health.disk_free_bytes)


def test_a_file_that_vanished_or_was_replaced_is_told(migrated_sqlite_url: str, tmp_path: Path) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        shutil.copy(tmp_path / "chat.db", tmp_path / "other.db")
        (tmp_path / "other.db").replace(tmp_path / "chat.db")
        assert ["unwritable"] == kinds(ledger.health())
        (tmp_path / "chat.db").unlink()
        assert kinds(ledger.health())[0] in ("unwritable", "unreachable")


def test_a_medium_that_can_only_be_read_is_told(small_disk: SmallDisk) -> None:
    with Ledger(small_disk.folder / "chat.db") as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    with closing(sqlite3.connect(small_disk.folder / "chat.db")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    with Ledger(small_disk.folder / "chat.db", migrate="never") as ledger:
        small_disk.only_for_reading()
        health = ledger.health(disk_free_bytes=0)
        assert (["unwritable"], True, False) == (kinds(health), health.reachable, health.writable)


def test_a_damaged_file_is_told_without_raising(migrated_sqlite_url: str, tmp_path: Path) -> None:
    with Ledger(migrated_sqlite_url, migrate="never") as ledger:
        (tmp_path / "chat.db").write_bytes(b"\xa5" * 8192)
        health = ledger.health()
        assert (False, ["unreachable"]) == (health.reachable, kinds(health))


def test_a_server_that_is_not_there_is_told() -> None:
    with Ledger("postgresql://ada:secret-word@127.0.0.1:1/chats", migrate="never") as ledger, within(8):
        health = ledger.health()
    assert (["unreachable"], False, False) == (kinds(health), health.reachable, health.writable)
    assert "secret-word" not in str(health)


def test_a_server_that_does_not_answer_is_told_in_time_and_asked_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ada@127.0.0.1:{silent.getsockname()[1]}/chats"
        with Ledger(url, migrate="never") as ledger:
            before = threading.active_count()
            for _ in range(5):
                with within(8):
                    health = ledger.health(timeout=0.2)
                assert ["unreachable"] == kinds(health)
                assert "no answer within 0.2 s" == health.problems[0].message
            assert threading.active_count() <= before + 1


def test_a_server_that_only_reads_is_told(migrated_postgres_url: str) -> None:
    name = migrated_postgres_url.partition("?")[0].rpartition("/")[2]
    Raw(migrated_postgres_url)(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    with Ledger(migrated_postgres_url) as ledger:
        health = ledger.health()
        assert (["unwritable"], True, False) == (kinds(health), health.reachable, health.writable)


def test_a_ledger_in_memory_is_waited_for() -> None:
    with Ledger(":memory:") as ledger:
        assert ledger.health().ok
        with ledger.begin(), within(8):
            assert ["unreachable"] == kinds(ledger.health(timeout=0.2))
        assert ledger.health().ok


def test_the_defect_of_the_library_is_a_note(tmp_path: Path) -> None:
    with Ledger(url_of(tmp_path / "a.db")) as ledger:
        health = ledger.health()
        assert (sqlite3.sqlite_version_info < (3, 51, 3)) == any("WAL-reset" in note for note in health.notes)
        assert health.ok
