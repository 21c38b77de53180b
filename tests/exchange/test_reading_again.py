"""Files of folders are read once, and again when they have changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chatledger import Ledger
from chatledger.exchange import ImportReport, import_files
from tests.exchange.exports import claude, said
from tests.exchange.files import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three conversations that were finished an hour ago."""
    made = tmp_path / "exports"
    made.mkdir()
    for name in "abc":
        export(made, name, name)
    return made


def export(folder: Path, name: str, *messages: str) -> Path:
    record = claude(*(said(f"{name}{text}") for text in messages), uuid=name)
    path = write(folder / f"{name}.jsonl", json.dumps(record))
    os.utime(path, (1_700_000_000,) * 2)
    return path


def read(ledger: Ledger, *paths: Path, **how: bool) -> tuple[int, int, int, int]:
    report = import_files(ledger, paths, **how)  # type: ignore[arg-type]  # which are flags only
    return report.files, report.files_unchanged, report.unchanged, report.messages


def test_what_has_not_changed_is_not_read_again(ledger: Ledger, folder: Path) -> None:
    assert (3, 0, 0, 3) == read(ledger, folder)
    assert (0, 3, 0, 0) == read(ledger, folder)
    assert (0, 3, 0, 0) == read(ledger, folder, dry_run=True)
    assert (3, 0, 3, 0) == read(ledger, folder, reread=True)
    assert (1, 0, 1, 0) == read(ledger, folder / "a.jsonl")  # somebody asks for this one


def test_what_has_changed_is(ledger: Ledger, folder: Path) -> None:
    read(ledger, folder)
    export(folder, "a", "a", "more")
    export(folder, "d", "new")
    assert (2, 2, 0, 2) == read(ledger, folder)
    assert (0, 4, 0, 0) == read(ledger, folder)


def test_a_copy_with_another_time_is_known_by_its_content(ledger: Ledger, folder: Path) -> None:
    read(ledger, folder)
    os.utime(folder / "a.jsonl", (1, 1))
    path = folder / "b.jsonl"
    path.write_text(path.read_text().replace('"bb"', '"bx"'))  # of the same size
    assert (1, 2) == read(ledger, folder)[:2]


def test_a_file_whose_session_was_deleted_is_read_again(ledger: Ledger, folder: Path) -> None:
    read(ledger, folder)
    ledger.run(lambda uow: uow.sessions.delete("a"))
    assert (1, 2, 0, 1) == read(ledger, folder)


def test_a_file_that_failed_is_read_again(ledger: Ledger, folder: Path) -> None:
    write(folder / "d.jsonl", claude(said("x"), uuid="d"), claude(said("y", sender="wizard"), uuid="e"))
    assert 4 == read(ledger, folder)[0]
    assert (1, 3) == read(ledger, folder)[:2]


def test_each_user_has_files_of_their_own(ledger: Ledger, folder: Path) -> None:
    import_files(ledger.for_user("ada"), [folder])
    report: ImportReport = import_files(ledger.for_user("bob"), [folder])
    assert (0, 3) == (report.files_unchanged, report.failed)  # whose ids they are is another matter
