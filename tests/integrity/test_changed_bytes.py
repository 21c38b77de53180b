"""Every byte of a stored message that changes is noticed, and damage to a file ends no check."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from chatledger import ChatledgerError, Ledger
from chatledger.clock import utc_now
from chatledger.integrity.values import Defect, scan
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages
from tests.integrity.damage import unguarded
from tests.support.sqlite import url_of

_CONTENT = "A harbour at dusk."
_PAYLOAD = {"of": "tides", "heights": [1.25, 30]}


@pytest.fixture
def one(ledger: Ledger, url: str) -> Iterator[tuple[ServiceContext, dict[str, str]]]:
    """A message without any other beside it, in a transaction that is rolled back; what is stored of it."""
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", _CONTENT, payload=_PAYLOAD, metadata={"mood": "calm"}, name="ada", key="k")
    with unguarded(url) as connection:
        columns = "content, CAST(payload AS TEXT) AS payload, CAST(metadata AS TEXT) AS metadata, name, key"
        stored = dict(connection.execute(text(f"SELECT {columns} FROM chatledger_messages")).one()._mapping)
        yield ServiceContext(connection, None, utc_now), stored
        connection.rollback()


def kinds(context: ServiceContext) -> set[str]:
    return {found.kind for found in scan(context, (messages,)) if isinstance(found, Defect)}


def test_every_character_that_changes_is_noticed(one: tuple[ServiceContext, dict[str, str]]) -> None:
    context, stored = one
    assert set() == kinds(context)
    changes = 0
    for column, value in stored.items():
        kind = "json" if column in ("payload", "metadata") else "text"
        for place, character in enumerate(value):
            # A letter for a letter and a digit for a digit, so that JSON stays JSON.
            if kind == "json" and not character.isalnum():
                continue
            other = value[:place] + chr(ord(character) ^ 1) + value[place + 1 :]
            with context.connected().begin_nested() as savepoint:
                statement = f"UPDATE chatledger_messages SET {column} = CAST(:other AS {kind})"
                context.connected().execute(text(statement), {"other": other})
                assert "digest" in kinds(context), f"{column}, character {place}"
                savepoint.rollback()
            changes += 1
    assert changes > 40


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_every_byte_that_changes_is_noticed(one: tuple[ServiceContext, dict[str, str]], mask: int) -> None:
    context, stored = one
    for column, value in stored.items():
        raw = value.encode()
        for place in range(len(raw)):
            other = raw[:place] + bytes([raw[place] ^ mask]) + raw[place + 1 :]
            with context.connected().begin_nested() as savepoint:
                statement = f"UPDATE chatledger_messages SET {column} = CAST(:other AS TEXT)"
                context.connected().execute(text(statement), {"other": other})
                assert "digest" in kinds(context), f"{column}, byte {place}"
                savepoint.rollback()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A closed file of two sessions with 300 messages each, several to a page."""
    path = tmp_path / "chat.db"
    with closing(Ledger(url_of(path))) as ledger, ledger.begin() as uow:
        for session in ("first", "second"):
            uow.sessions.create(session)
            texts = [{"role": "user", "content": f"<{session} {n}> " + "tide " * 100} for n in range(1, 301)]
            uow.messages.append_many(session, texts)
    return path


def overwrite(path: Path, at: int, what: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(what)


def look(path: Path, **how: Any) -> Any:
    with closing(Ledger(url_of(path), migrate="never")) as ledger:
        return ledger.check(**how)


def test_a_byte_that_changed_on_the_disk_is_named(large: Path) -> None:
    at = large.read_bytes().index(b"<second 77> ") + 20
    overwrite(large, at, b"X")
    findings = {finding.kind: finding.examples for finding in look(large).findings}
    assert ("'second' #77",) == findings["digest"]
    assert {"digest", "full_text"} >= findings.keys()


def test_a_damaged_page_ends_no_check_and_the_lost_messages_are_named(large: Path) -> None:
    whole = large.read_bytes()
    page = whole.index(b"<first 150> ") // 4096 * 4096
    lost = [n for n in range(1, 301) if whole.find(b"<first %d> " % n) // 4096 * 4096 == page]
    assert len(lost) > 3
    overwrite(large, page, b"\xff" * 4096)
    overwrite(large, whole.index(b"<second 290> ") + 20, b"X")
    findings = {finding.kind: finding for finding in look(large).findings}
    assert findings.keys() >= {"file", "unreadable", "digest"}
    assert [f"'first' #{n}" for n in lost] == list(findings["unreadable"].examples)
    assert len(lost) == findings["unreadable"].count
    assert ("'second' #290",) == findings["digest"].examples
    assert not look(large, full=False).ok


def test_a_file_with_damaged_pages_is_not_written_to(large: Path) -> None:
    overwrite(large, large.read_bytes().index(b"<first 150> ") // 4096 * 4096, b"\xff" * 4096)
    with closing(Ledger(url_of(large), migrate="never")) as ledger:
        done = ledger.repair()
    assert ((), None, False) == (done.actions, done.backup, done.ok)
    assert "restore a backup" in done.left.findings[0].remedy


def test_an_index_that_lacks_a_row_is_made_anew(large: Path) -> None:
    # While the index is said to hold no row, it is rebuilt, and so is empty.
    with closing(Ledger(url_of(large))) as ledger, ledger.begin() as uow:
        connection = uow.session.connection()
        connection.execute(text("PRAGMA writable_schema = ON"))
        where = "name = 'ix_chatledger_sessions_activity'"
        connection.execute(text(f"UPDATE sqlite_master SET sql = replace(sql, ')', ') WHERE 0') WHERE {where}"))
        connection.execute(text("PRAGMA writable_schema = RESET"))
        connection.execute(text("REINDEX ix_chatledger_sessions_activity"))
        connection.execute(text("PRAGMA writable_schema = ON"))
        connection.execute(text(f"UPDATE sqlite_master SET sql = replace(sql, ' WHERE 0', '') WHERE {where}"))
        connection.execute(text("PRAGMA writable_schema = RESET"))
    report = look(large)
    assert ["indexes"] == [finding.kind for finding in report.findings]
    with closing(Ledger(url_of(large))) as ledger:
        done = ledger.repair(backup=False)
    assert done.ok, done
    assert "indexes" == done.actions[0].kind


@pytest.mark.parametrize("flips", [12, pytest.param(500, marks=pytest.mark.soak)])
def test_whatever_is_damaged_a_check_says_so_or_is_refused_by_name(
    large: Path, flips: int, record_property: Callable[[str, object], None]
) -> None:
    record_property("damaged files", flips)
    whole = large.read_bytes()
    for flip in range(flips):
        chance = random.Random(flip)
        start = chance.randrange(100, len(whole) - 300)
        large.write_bytes(whole[:start] + chance.randbytes(chance.choice((1, 300))) + whole[start + 300 :])
        large.with_name("chat.db-wal").unlink(missing_ok=True)
        large.with_name("chat.db-shm").unlink(missing_ok=True)
        with suppress(ChatledgerError):  # and nothing else
            look(large)
