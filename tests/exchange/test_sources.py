"""Archives as they were downloaded, folders, and several files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger
from chatledger.exchange import Format, Progress, import_file, import_files
from tests.exchange.exports import chatgpt, claude, document, node, said
from tests.exchange.files import CHAT, write


@pytest.fixture
def ledger(migrated_sqlite_url: str) -> Any:
    """What is read does not depend on the database."""
    with Ledger(migrated_sqlite_url) as opened:
        yield opened


def archive(path: Path, **members: Any) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, value in members.items():
            out.writestr(name.replace("__", "."), value if isinstance(value, str | bytes) else json.dumps(value))
    return path


def test_an_archive_as_it_was_downloaded(ledger: Ledger, tmp_path: Path) -> None:
    path = archive(
        tmp_path / "export.zip", user__json={"id": "u", "email": "e"}, chat__html="<html>", image__png=b"\x89PNG",
        conversations__json=[chatgpt(node("a", None), current="a")],
    )  # fmt: skip
    report = import_file(ledger, path)
    assert (Format.CHATGPT, 1, 1, ("export.zip/user.json",)) == (
        report.format, report.conversations, report.files, report.ignored,
    )  # fmt: skip
    assert 1 == import_file(ledger, path).unchanged


def test_several_files_and_folders(ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    document(folder / "a.json", [claude(said("a"), uuid="one")])
    archive(folder / "deep" / "b.zip", conversations__json=[claude(said("a"), uuid="two")])
    write(folder / "package.json", {"name": "x"})
    write(folder / ".hidden.json", "{broken")
    (folder / "readme.md").write_text("not read")
    single = write(tmp_path / "c.jsonl", {"messages": CHAT}, "{broken")
    told: list[Progress] = []
    report = import_files(ledger, [folder, single, tmp_path / "gone.json"], progress=told.append)
    assert (Format.AUTO, 3, 3, 2) == (report.format, report.conversations, report.files, report.failed)
    assert ("folder/package.json",) == report.ignored
    assert [("c.jsonl", 2, 2), ("gone.json", 0, None)] == [
        (failure.file, failure.record, failure.line) for failure in report.failures
    ]
    assert str(report.failures[1]).startswith("gone.json: file: 'gone.json' cannot be read")
    assert told[-1].bytes_read == told[-1].bytes_total > single.stat().st_size
    by_format = import_files(ledger, [folder], format="claude", dry_run=True, reread=True)
    assert (Format.CLAUDE, 2) == (by_format.format, by_format.unchanged)


def test_a_broken_file_of_an_archive_is_a_failure_and_the_others_are_imported(ledger: Ledger, tmp_path: Path) -> None:
    path = archive(tmp_path / "e.zip", a__json="{broken", b__json=[claude(said("a"))])
    report = import_file(ledger, path)
    assert (1, 1) == (report.conversations, report.failed)
    assert str(report.failures[0]).startswith("e.zip/a.json: file: ")


def test_a_pattern_that_no_shell_has_read(ledger: Ledger, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "deep").mkdir(parents=True)
        document(tmp_path / name / "deep" / "chat.json", [claude(said("m"), uuid=name)])
    document(tmp_path / "odd[1].json", [claude(said("m"), uuid="c")])
    report = import_files(ledger, [tmp_path / "**" / "chat.json", tmp_path / "odd[1].json"])
    assert (3, 3, 0) == (report.files, report.conversations, report.failed)
    with pytest.raises(InvalidInput, match=r"nothing matches '.*none\*\.json'"):
        import_files(ledger, [tmp_path / "none*.json"])


@pytest.mark.parametrize("kind", ["empty", "others", "cut", "folder"])
def test_nothing_to_import_is_an_error(ledger: Ledger, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "e.zip"
    if kind == "folder":
        path.mkdir()
    else:
        archive(path, **{"user__json" if kind == "others" else "chat__html": "{}"})
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:40])
    expected = {
        "empty": "holds no file", "folder": "holds no file", "others": "of none of the formats", "cut": "is damaged"
    }  # fmt: skip
    with pytest.raises(InvalidInput, match=expected[kind]):
        import_file(ledger, path)


def test_a_damaged_member_is_named(ledger: Ledger, tmp_path: Path) -> None:
    path = archive(tmp_path / "e.zip", conversations__json=[claude(said("a", text="x" * 500, content=[]))])
    data = bytearray(path.read_bytes())
    data[70] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InvalidInput):
        import_file(ledger, path)
