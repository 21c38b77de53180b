"""A new file belongs to its owner alone and says what it is."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatledger import Ledger

_APPLICATION_ID = 0x63686C67  # "chlg"


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_new_file_and_what_lies_beside_it_are_readable_by_their_owner_only(tmp_path: Path, umask: int) -> None:
    with Ledger(str(tmp_path / "chat.db")) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert {"chat.db": 0o600, "chat.db-wal": 0o600, "chat.db-shm": 0o600} == files
    assert ["chat.db"] == [path.name for path in tmp_path.iterdir()]


def test_a_new_file_carries_our_mark_from_its_first_moment(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    Ledger(str(path), migrate="never").close()
    for _ in range(2):
        assert _APPLICATION_ID == int.from_bytes(path.read_bytes()[68:72], "big")
        with closing(sqlite3.connect(path)) as connection:
            assert _APPLICATION_ID == connection.execute("PRAGMA application_id").fetchone()[0]
        Ledger(str(path)).close()


def test_the_rights_of_a_file_that_is_there_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    Ledger(str(path)).close()
    path.chmod(0o640)
    with Ledger(str(path)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    assert 0o640 == path.stat().st_mode & 0o777


def test_a_ledger_in_memory_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite://", "sqlite:///:memory:"):
        with Ledger(url) as ledger:
            ledger.run(lambda uow: uow.sessions.create("s"))
            assert ledger.run(lambda uow: uow.sessions.get("s")).session_id == "s"
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["chat%20.db", "chat db?x=1", "chät-数据.db", "chat#1.db", "a'b\"c;--.db"])
def test_a_path_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    with Ledger(str(tmp_path / name)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    assert [name] == [path.name for path in tmp_path.iterdir()]


def test_a_path_below_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Ledger("~/chat.db").close()
    assert ["chat.db"] == [path.name for path in tmp_path.iterdir()]
