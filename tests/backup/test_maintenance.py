"""Maintenance makes a ledger small and fast, and reports what it did."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from chatledger import Busy, InvalidInput, Ledger, SchemaBehind, Settings
from chatledger.dialects.sqlite import maintenance
from tests.backup.rows import fill, stored
from tests.faults.truth import require_sound
from tests.support.raw import Raw
from tests.support.sqlite import url_of


def test_everything_stays_and_every_step_is_told(any_ledger: Ledger, url: str) -> None:
    with Ledger(url) as ledger:
        fill(ledger)
    before = stored(url)
    report = any_ledger.maintain()
    assert ["full_text", "vacuum", "analyze", "checkpoint"] == [step.name for step in report.steps]
    assert all(step.done or step.why for step in report.steps)
    assert before == stored(url)
    require_sound(url)
    assert any_ledger.check()
    any_ledger.run(lambda uow: uow.messages.append("trip", "user", "and on"))


@pytest.mark.parametrize("name", ["full_text", "vacuum", "analyze", "checkpoint"])
def test_each_step_stands_alone(any_ledger: Ledger, backend: str, name: str) -> None:
    asked = {step: step == name for step in ("full_text", "vacuum", "analyze", "checkpoint")}
    report = any_ledger.maintain(**asked)
    assert [(name, name != "checkpoint" or backend == "sqlite")] == [(step.name, step.done) for step in report.steps]


def test_a_file_is_written_anew_when_much_of_it_is_free(migrated_sqlite_url: str) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        ledger.run(lambda uow: uow.messages.append_many("s", [{"role": "user", "content": "w " * 2000}] * 1000))
        few = ledger.maintain()
        assert [False] == [step.done for step in few.steps if step.name == "vacuum"]
        ledger.run(lambda uow: uow.sessions.delete("s"))
        many = ledger.maintain()
        assert [True] == [step.done for step in many.steps if step.name == "vacuum"]
        assert many.bytes_before is not None
        assert many.bytes_after is not None
        assert many.bytes_after < many.bytes_before / 5
        assert 0 == ledger.sizes()["file"]["unused"]


def test_the_log_is_cut_off_unless_somebody_reads_an_old_state(migrated_sqlite_url: str, tmp_path: Path) -> None:
    with Ledger(migrated_sqlite_url, settings=Settings(busy_timeout=0.3)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        with ledger.read():
            ledger.run(lambda uow: uow.messages.append("s", "user", "x" * 100_000))
            (step,) = ledger.maintain(analyze=False, vacuum=False, full_text=False).steps
            assert (False, "somebody reads an older state") == (step.done, step.why)
        (step,) = ledger.maintain(analyze=False, vacuum=False, full_text=False).steps
        assert (True, 0) == (step.done, (tmp_path / "chat.db-wal").stat().st_size)


def test_the_planner_gets_figures(any_ledger: Ledger, url: str, backend: str) -> None:
    with Ledger(url) as ledger:
        fill(ledger)
    any_ledger.maintain(vacuum=False, full_text=False, checkpoint=False)
    raw = Raw(url)
    if backend == "sqlite":
        assert raw("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'chatledger_messages'")[0][0]
    else:
        assert raw("SELECT reltuples FROM pg_class WHERE oid = 'chatledger_messages'::regclass")[0][0] > 100
    assert any_ledger.check()


def test_a_held_lock_is_busy_and_the_connection_as_before(migrated_sqlite_url: str, tmp_path: Path) -> None:
    with Ledger(migrated_sqlite_url, settings=Settings(busy_timeout=0.2, pool_size=1, max_overflow=0)) as ledger:
        before = ledger.info()["pragmas"]
        with closing(sqlite3.connect(tmp_path / "chat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Busy):
                ledger.maintain()
        ledger.maintain(vacuum=True)
        changing = {"page_count", "freelist_count"}
        after = ledger.info()["pragmas"]
        assert {name: before[name] for name in before.keys() - changing} == {
            name: after[name] for name in after.keys() - changing
        }


def test_writers_wait_and_nothing_is_lost(url: str) -> None:
    with Ledger(url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        done = threading.Event()
        failures: list[Exception] = []
        written = [0]

        def write() -> None:
            while not done.is_set():
                try:
                    ledger.run(lambda uow: uow.messages.append("s", "user", "meanwhile"))
                    written[0] += 1
                except Exception as error:  # noqa: BLE001 - told to the test
                    failures.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        for _ in range(5):
            ledger.maintain(vacuum=True)
            time.sleep(0.02)
        done.set()
        writer.join()
        assert [] == failures
        with ledger.read() as uow:
            assert written[0] == uow.sessions.get("s").message_count == len(uow.messages.history("s"))


def test_what_cannot_be_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="vacuum"):
        ledger.maintain(vacuum="full")  # type: ignore[arg-type]  # a slip
    ledger.downgrade("0003")
    with pytest.raises(SchemaBehind):
        ledger.maintain()


def test_a_ledger_in_memory_keeps_what_it_has() -> None:
    with Ledger(":memory:") as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        ledger.maintain(vacuum=True)
        assert 1 == ledger.run(lambda uow: len(uow.sessions.list()))
        assert None is ledger.maintain().bytes_before


def test_sizes_name_tables_and_indexes(any_ledger: Ledger, url: str) -> None:
    before = any_ledger.sizes()
    with Ledger(url) as ledger:
        fill(ledger)
    after = any_ledger.sizes()
    assert {"chatledger_messages", "chatledger_sessions", "chatledger_audit_log"} <= after["tables"].keys()
    assert {"ix_chatledger_sessions_activity", "ix_chatledger_audit_log_at"} <= after["indexes"].keys()
    assert after["tables"]["chatledger_messages"] > before["tables"]["chatledger_messages"]


def test_the_pages_of_a_file_add_up(migrated_sqlite_url: str, tmp_path: Path) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        fill(ledger)
        ledger.maintain(vacuum=True)
        sizes = ledger.sizes()
        # The first page of the schema belongs to no table of its own.
        rest = sizes["file"]["total"] - sum(sizes["tables"].values()) - sum(sizes["indexes"].values())
        assert sizes["file"]["total"] == (tmp_path / "chat.db").stat().st_size
        assert 0 <= rest <= 24 * 4096


def test_a_library_that_cannot_tell_leaves_tables_out(
    migrated_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_KNOWS_SIZES", "SELECT 1 FROM pragma_module_list WHERE name = 'no such'")
    with Ledger(migrated_sqlite_url) as ledger:
        assert {"file"} == ledger.sizes().keys()


def test_the_sizes_of_an_application_are_not_told_on_a_server(migrated_postgres_url: str) -> None:
    Raw(migrated_postgres_url)("CREATE TABLE bookmarks (url TEXT PRIMARY KEY)")
    with Ledger(migrated_postgres_url) as ledger:
        assert "bookmarks" not in ledger.sizes()["tables"]


def test_the_dead_rows_of_a_server_are_told_and_cleared(migrated_postgres_url: str) -> None:
    with Ledger(migrated_postgres_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        ledger.run(lambda uow: uow.messages.append_many("s", [{"role": "user", "content": "w"}] * 500))
        ledger.run(lambda uow: uow.messages.clear("s"))
        Raw(migrated_postgres_url)("SELECT pg_stat_clear_snapshot()")
        report = ledger.maintain(vacuum=True)
        assert [True] == [step.done for step in report.steps if step.name == "vacuum"]


def test_a_url_of_a_file_is_enough(tmp_path: Path) -> None:
    with Ledger(url_of(tmp_path / "new.db")) as ledger:
        assert ledger.maintain().bytes_after == (tmp_path / "new.db").stat().st_size


def test_the_full_text_is_built_again(ledger: Ledger, raw: Raw, backend: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s", title="Trip to Málaga")
        uow.messages.append("s", "user", "an otter")
    if backend == "sqlite":
        for table in ("chatledger_messages_fts", "chatledger_sessions_fts"):
            raw(f"INSERT INTO {table} ({table}) VALUES ('delete-all')")
        assert {"full_text"} == {finding.kind for finding in ledger.check().findings}
    report = ledger.maintain(analyze=False, vacuum=False, checkpoint=False, full_text=False, rebuild_full_text=True)
    assert [("rebuild_full_text", True)] == [(step.name, step.done) for step in report.steps]
    with ledger.read() as uow:
        assert 1 == len(uow.search.messages("otter")) == len(uow.search.sessions("malaga"))
    assert ledger.check()


def test_readers_do_not_wait_for_the_full_text_to_be_built(migrated_sqlite_url: str) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        with ledger.begin() as uow:
            uow.sessions.create("s")
            uow.messages.append("s", "user", "an otter")
        with ledger.read() as reader:
            assert 1 == len(reader.search.messages("otter"))
            ledger.maintain(analyze=False, vacuum=False, checkpoint=False, full_text=False, rebuild_full_text=True)
            assert 1 == len(reader.search.messages("otter"))
