"""What every connection is set to, and why that is not left to defaults."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import text

from chatledger import Ledger, Settings

_MIB = 1024 * 1024
_MAPS = sqlite3.sqlite_version_info >= (3, 51, 3)


def pragma(ledger: Ledger, name: str, *, write: bool = False) -> Any:
    with ledger.begin() if write else ledger.read() as uow:
        return uow.session.execute(text(f"PRAGMA {name}")).scalar_one()


def setting(ledger: Ledger, name: str, *, write: bool = False) -> Any:
    with ledger.begin() if write else ledger.read() as uow:
        return uow.session.execute(text(f"SHOW {name}")).scalar_one()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("foreign_keys", 1),
        ("journal_mode", "wal"),
        ("synchronous", 1),
        ("cache_size", -16 * 1024),
        ("temp_store", 2),
        ("busy_timeout", 0),  # waiting is ours: the library's handler lets one process starve
        ("cell_size_check", 1),
        ("mmap_size", 256 * _MIB if _MAPS else 0),  # the WAL-reset defect of older libraries is worse with it
    ],
)
def test_pragmas_of_a_connection(migrated_sqlite_url: str, name: str, expected: object) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        assert expected == pragma(ledger, name)
        assert expected == pragma(ledger, name, write=True)


def test_pragmas_hold_on_every_connection_of_the_pool(migrated_sqlite_url: str) -> None:
    with Ledger(migrated_sqlite_url) as ledger:
        blocks = [ledger.read() for _ in range(8)]
        for block in blocks:
            uow = block.__enter__()
            assert 1 == uow.session.execute(text("PRAGMA foreign_keys")).scalar_one()
            assert -16 * 1024 == uow.session.execute(text("PRAGMA cache_size")).scalar_one()
        for block in blocks:
            block.__exit__(None, None, None)


@pytest.mark.parametrize(("durability", "expected"), [("normal", 1), ("full", 2)])
def test_durability_is_how_commits_are_flushed(migrated_sqlite_url: str, durability: Any, expected: int) -> None:
    with Ledger(migrated_sqlite_url, durability=durability) as ledger:
        assert expected == pragma(ledger, "synchronous", write=True)
    with Ledger(migrated_sqlite_url, settings=Settings(durability=durability)) as ledger:
        assert expected == pragma(ledger, "synchronous", write=True)


def test_settings_reach_the_connection(migrated_sqlite_url: str) -> None:
    settings = Settings(cache_size=_MIB, mmap_size=8 * _MIB)
    with Ledger(migrated_sqlite_url, settings=settings) as ledger:
        assert -1024 == pragma(ledger, "cache_size")
        assert 8 * _MIB == pragma(ledger, "mmap_size")


def test_a_reading_block_is_read_only_and_the_next_writer_is_not(ledger: Ledger, backend: str) -> None:
    for _ in range(2):
        if backend == "sqlite":
            assert 1 == pragma(ledger, "query_only")
            assert 0 == pragma(ledger, "query_only", write=True)
        else:
            assert "on" == setting(ledger, "transaction_read_only")
            assert "repeatable read" == setting(ledger, "transaction_isolation")
            assert "off" == setting(ledger, "transaction_read_only", write=True)
            assert "read committed" == setting(ledger, "transaction_isolation", write=True)


def test_foreign_keys_are_on_again_after_a_migration_on_the_same_connection(migrated_sqlite_url: str) -> None:
    with Ledger(migrated_sqlite_url, settings=Settings(pool_size=1, max_overflow=0)) as ledger:
        ledger.downgrade("0002")
        ledger.upgrade()
        assert 1 == pragma(ledger, "foreign_keys", write=True)
        assert 0 == pragma(ledger, "query_only", write=True)


def test_settings_of_a_server_connection(migrated_postgres_url: str) -> None:
    with Ledger(migrated_postgres_url, settings=Settings(busy_timeout=7.5)) as ledger:
        assert "7500ms" == setting(ledger, "lock_timeout")
        assert "chatledger" == setting(ledger, "application_name")
    with Ledger(migrated_postgres_url, durability="full") as ledger:
        assert "on" == setting(ledger, "synchronous_commit", write=True)


def test_a_name_in_the_url_is_the_applications_name(migrated_postgres_url: str) -> None:
    with Ledger(f"{migrated_postgres_url}&application_name=helpdesk") as ledger:
        assert "helpdesk" == setting(ledger, "application_name")


def test_without_prepared_statements_nothing_is_left_on_the_server(migrated_postgres_url: str) -> None:
    with Ledger(migrated_postgres_url, settings=Settings(prepared_statements=False)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        for number in range(12):
            text_ = f"m{number}"
            ledger.run(lambda uow, text_=text_: uow.messages.append("s", "user", text_))  # type: ignore[misc]
        with ledger.read() as uow:
            assert 0 == uow.session.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one()
        assert "0" == setting(ledger, "lock_timeout")  # nothing is set that a pooler would hand to somebody else


@pytest.mark.parametrize(
    ("preset", "size", "most", "timeout"),
    [("cli", 1, 2, 10.0), ("web", 5, 15, 30.0), ("high_concurrency", 20, 40, 10.0), ("pooler", 20, 40, 30.0)],
)
def test_presets(url: str, preset: str, size: int, most: int, timeout: float) -> None:
    with closing(Ledger(url, preset=preset)) as ledger:
        status = ledger.pool_status()
        assert (size, most) == (status["size"], status["max"])
        assert timeout == ledger.engine.pool._timeout  # type: ignore[attr-defined]
    changed = Settings.preset(preset, pool_size=3)
    with closing(Ledger(url, settings=changed)) as ledger:
        assert 3 == ledger.pool_status()["size"]


def test_an_unknown_preset_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="turbo"):
        Ledger(url, preset="turbo")
