"""A backup that is not what was written is refused by a sentence that says what it is; the ledger stays as it was."""

from __future__ import annotations

import gzip
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from chatledger import Busy, ChatledgerError, CorruptDatabase, Ledger, NotALedger, SchemaAhead
from tests.backup.rows import counts, stored, without_restoration
from tests.support.raw import Raw
from tests.support.sqlite import url_of

_SALT = random.Random(7).randbytes(16)


def _encrypted(content: bytes) -> bytes:
    """As a cipher leaves it: every byte of every page is another, and the length is the same."""
    return _SALT + random.Random(8).randbytes(len(content) - 16)


def _newer(content: bytes, path: Path) -> bytes:
    path.write_bytes(content)
    Raw(url_of(path))("UPDATE chatledger_version SET version_num = '9999'")
    return path.read_bytes()


def _foreign(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
        connection.commit()
    return path.read_bytes()


DAMAGE: dict[str, tuple[Callable[[bytes, Path], bytes], type[ChatledgerError], str]] = {
    "emptied": (lambda _, __: b"", NotALedger, "is an empty file"),
    "one byte": (lambda c, _: c[:1], NotALedger, "is not a SQLite database"),
    "cut within the header": (lambda c, _: c[:60], CorruptDatabase, "is cut off"),
    "cut off": (lambda c, _: c[: len(c) // 2], CorruptDatabase, "is cut off"),
    "cut by a page": (lambda c, _: c[:-4096], CorruptDatabase, "is cut off"),
    "cut by a byte": (lambda c, _: c[:-1], CorruptDatabase, "is cut off"),
    "first bytes lost": (lambda c, _: b"\0" * 16 + c[16:], CorruptDatabase, "its first bytes are damaged"),
    "text": (lambda _, __: b"Dear diary\n" * 1000, NotALedger, "is not a SQLite database"),
    "compressed": (lambda c, _: gzip.compress(c), NotALedger, "is not a SQLite database"),
    "encrypted": (lambda c, _: _encrypted(c), NotALedger, "is encrypted"),
    "of something else": (lambda _, path: _foreign(path), NotALedger, "holds no ledger"),
    "newer": (lambda c, path: _newer(c, path), SchemaAhead, "install a newer chatledger"),
    "a page of rubbish": (
        lambda c, _: c[: 4096 * 9] + random.Random(1).randbytes(4096) + c[4096 * 10 :],
        CorruptDatabase,
        "is damaged",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_no_backup_any_more_is_refused_by_name(old: Path, backup: Path, tmp_path: Path, name: str) -> None:
    damage, kind, said = DAMAGE[name]
    before = stored(url_of(old))
    broken = tmp_path / "broken" / backup.name
    broken.parent.mkdir()
    broken.write_bytes(damage(backup.read_bytes(), tmp_path / "scratch.db"))
    content = broken.read_bytes()
    with pytest.raises(kind, match=said) as caught:
        Ledger.restore(broken, url_of(old), overwrite=True)
    assert caught.value.__cause__ is None
    assert before == stored(url_of(old))
    assert (content, [broken.name]) == (broken.read_bytes(), [entry.name for entry in broken.parent.iterdir()])
    assert [] == [entry.name for entry in old.parent.iterdir() if entry.name.endswith(".new")]


def test_the_manifest_notices_every_flipped_bit(backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    chance = random.Random(3)
    for _ in range(60):
        at, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        backup.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        with pytest.raises((CorruptDatabase, NotALedger)):
            Ledger.restore(backup, tmp_path / "new.db")
        assert not (tmp_path / "new.db").exists()
    backup.write_bytes(whole)
    assert Ledger.restore(backup, tmp_path / "new.db").by_manifest


def test_without_a_manifest_a_flipped_bit_never_yields_a_changed_message(backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    bare = tmp_path / "bare.db"
    Ledger.restore(backup, tmp_path / "whole.db")
    wanted = without_restoration(stored(url_of(tmp_path / "whole.db")))["chatledger_messages"]
    chance = random.Random(4)
    refused = 0
    for _ in range(60):
        at, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        bare.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        (tmp_path / "new.db").unlink(missing_ok=True)
        try:
            report = Ledger.restore(bare, tmp_path / "new.db")
        except ChatledgerError:
            refused += 1
            continue
        assert not report.by_manifest
        restored = stored(url_of(tmp_path / "new.db"))["chatledger_messages"]
        assert _said(wanted) == _said(restored)
        if wanted != restored:  # in what full text makes of a message, which no digest covers and a repair makes again
            with Ledger(tmp_path / "new.db") as ledger:
                assert {"full_text"} == {finding.kind for finding in ledger.check().findings}
    assert refused > 10


def _said(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Messages without the two columns that are made for full text, which are the last."""
    return [row[:-2] for row in rows]


def test_a_changed_word_of_a_message_is_noticed_by_its_digest(backup: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.db"
    shutil.copy(backup, bare)
    with closing(sqlite3.connect(bare)) as connection:
        # As a disk would change it: the index follows, or SQLite's own check would notice.
        connection.execute("UPDATE chatledger_messages SET content = 'Where to in Mai?' WHERE sequence_number = 7")
        connection.commit()
    with pytest.raises(CorruptDatabase, match="message 7 of session 'trip' is not what was stored"):
        Ledger.restore(bare, tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"format": "chatledger backup 2"}'])
def test_a_manifest_that_cannot_be_read_is_not_passed_over(backup: Path, tmp_path: Path, content: bytes) -> None:
    manifest = backup.with_name(f"{backup.name}.json")
    manifest.write_bytes(content)
    with pytest.raises(CorruptDatabase, match="is no manifest of a backup"):
        Ledger.restore(backup, tmp_path / "new.db")
    manifest.unlink()
    assert not Ledger.restore(backup, tmp_path / "new.db").by_manifest


def test_a_backup_that_was_written_to_since_is_refused(backup: Path, tmp_path: Path) -> None:
    with Ledger(backup) as ledger:
        ledger.run(lambda uow: uow.sessions.create("written into the backup"))
        with pytest.raises((Busy, CorruptDatabase)):
            Ledger.restore(backup, tmp_path / "new.db")
    with pytest.raises(CorruptDatabase, match="is not what was written"):
        Ledger.restore(backup, tmp_path / "new.db")


def test_a_file_that_was_copied_with_its_log_is_refused_with_the_remedy(old: Path, tmp_path: Path) -> None:
    with Ledger(url_of(old)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("in the log only"))
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copy(f"{old}{suffix}", tmp_path / f"copied.db{suffix}")
    with pytest.raises(Busy, match=r"make a backup of it with `chatledger db backup --db .*copied.db`"):
        Ledger.restore(tmp_path / "copied.db", tmp_path / "new.db")
    with Ledger(tmp_path / "copied.db") as ledger:
        ledger.backup(tmp_path / "b.db")
    Ledger.restore(tmp_path / "b.db", tmp_path / "new.db")
    assert counts(url_of(tmp_path / "b.db")) == counts(url_of(tmp_path / "new.db"))


def test_a_damaged_backup_leaves_a_server_as_it_was(backup: Path, migrated_postgres_url: str) -> None:
    with Ledger(migrated_postgres_url) as ledger:
        ledger.run(lambda uow: uow.sessions.create("mine"))
    backup.write_bytes(backup.read_bytes()[:-1])
    with pytest.raises(CorruptDatabase):
        Ledger.restore(backup, migrated_postgres_url, overwrite=True)
    assert (1, 0) == counts(migrated_postgres_url)
