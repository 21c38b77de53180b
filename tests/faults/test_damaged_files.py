"""A file that is not a whole ledger of this release is refused by name, at once, and not a byte of it is changed."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from chatledger import AsyncLedger, ChatledgerError, CorruptDatabase, Ledger, NotALedger, SchemaAhead, SchemaBehind
from tests.faults.truth import require_sound
from tests.support.flavors import LoopThread
from tests.support.sqlite import url_of

_PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a ledger with two hundred messages."""
    path = tmp_path_factory.mktemp("whole") / "chat.db"
    with closing(Ledger(url_of(path))) as ledger, ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", [{"role": "user", "content": f"message {n} " * 20} for n in range(200)])
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.db"


def refused(path: Path, *kinds: type[ChatledgerError]) -> ChatledgerError:
    """Open the file in every way; the error, after it was seen that nothing beside the file was made or changed."""
    before = path.read_bytes()
    error = None
    for how in ("empty", "always"):
        began = time.monotonic()
        with pytest.raises(kinds) as caught:
            Ledger(url_of(path), migrate=how)
        assert time.monotonic() - began < 10
        error = caught.value
        assert before == path.read_bytes()
        assert [path.name] == [entry.name for entry in path.parent.iterdir()]
    assert error is not None
    assert error.__cause__ is None
    return error


@pytest.mark.parametrize("size", [0, 1])
def test_an_emptied_file_is_not_taken_for_a_new_ledger(path: Path, size: int) -> None:
    path.write_bytes(b"S"[:size])
    refused(path, NotALedger)


@pytest.mark.parametrize("size", [15, 16, 50, 99, 100, 101, 512, 4095, 4096, 4097, 8192, 0.25, 0.5, 0.75, -4096, -1])
def test_a_file_that_is_cut_off_is_refused(path: Path, whole: bytes, size: float) -> None:
    path.write_bytes(whole[: int(len(whole) * size) if 0 < size < 1 else int(size)])
    refused(path, CorruptDatabase, NotALedger)


@pytest.mark.parametrize(
    "content",
    [b"Dear diary\n" * 100, _PNG, b"\0" * 8192, b"SQLite format 2\0" + b"\0" * 4096, b"\x1f\x8b" + _PNG],
    ids=["text", "png", "zeros", "sqlite 2", "gzip"],
)
def test_a_foreign_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path, NotALedger)


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_another_programs_database_is_refused(path: Path, journal: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
        connection.execute("INSERT INTO bookmarks VALUES ('https://example.org')")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(NotALedger):
        Ledger(url_of(path))
    assert before == path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        assert [("https://example.org",)] == connection.execute("SELECT url FROM bookmarks").fetchall()
        assert journal == connection.execute("PRAGMA journal_mode").fetchone()[0]


def test_another_programs_file_is_not_changed_by_the_async_ledger(path: Path) -> None:
    path.write_bytes(_PNG)
    loop = LoopThread()
    try:
        any_ledger = loop.call(AsyncLedger, url_of(path))
        with pytest.raises(NotALedger):
            loop.call(any_ledger.current)
        loop.call(any_ledger.close)
    finally:
        loop.close()
    assert _PNG == path.read_bytes()


def test_a_ledger_of_a_newer_release_is_refused(path: Path, whole: bytes) -> None:
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE chatledger_version SET version_num = '9999'")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(SchemaAhead):
        Ledger(url_of(path))
    assert before == path.read_bytes()


def test_a_ledger_of_an_older_release_is_refused(path: Path, whole: bytes) -> None:
    path.write_bytes(whole)
    with closing(Ledger(url_of(path))) as ledger:
        ledger.downgrade("0002")
    before = path.read_bytes()
    with pytest.raises(SchemaBehind):
        Ledger(url_of(path))
    assert before == path.read_bytes()


NUMBER_OF_PAGES = range(28, 32)
"""Where the header has it."""


@pytest.mark.parametrize("at", range(100))
def test_a_flipped_byte_of_the_header_is_refused_by_name_or_harmless(path: Path, whole: bytes, at: int) -> None:
    flipped = bytearray(whole)
    flipped[at] ^= 0xFF
    path.write_bytes(flipped)
    try:
        ledger = Ledger(url_of(path))
    except ChatledgerError as error:
        kind = type(error)
    else:
        try:
            _whole_and_sound(path, ledger)
        except CorruptDatabase:
            assert at in NUMBER_OF_PAGES  # a smaller number cuts off the pages behind it
        return
    assert kind is not ChatledgerError
    assert bytes(flipped) == path.read_bytes()


def _whole_and_sound(path: Path, ledger: Ledger) -> None:
    # SQLite uses this byte for nothing that it cannot make again: all must be there and be sound.
    with ledger:
        assert 200 == len(ledger.run(lambda uow: uow.messages.history("s")))
        assert 201 == ledger.run(lambda uow: uow.messages.append("s", "user", "more")).sequence_number
    require_sound(url_of(path))


@pytest.mark.parametrize("flips", [25, pytest.param(1000, marks=pytest.mark.soak)])
def test_flipped_bytes_anywhere_give_typed_errors_only(
    path: Path, whole: bytes, flips: int, record_property: Callable[[str, object], None]
) -> None:
    record_property("damaged files", flips)
    for _ in range(flips):
        flipped = bytearray(whole)
        for at in random.sample(range(100, len(whole)), 3):
            flipped[at] ^= random.randint(1, 255)
        path.write_bytes(flipped)
        with suppress(ChatledgerError), Ledger(url_of(path)) as ledger:
            ledger.run(lambda uow: uow.messages.history("s"))
            ledger.run(lambda uow: uow.messages.append("s", "user", "more"))
            with ledger.read() as uow:
                uow.search.messages("message")
                uow.sessions.list()
        for leftover in path.parent.iterdir():
            leftover.unlink()


@pytest.mark.parametrize("column", ["content", "created_at", "payload", "name", "key"])
def test_text_that_is_no_longer_text_is_a_typed_error(path: Path, whole: bytes, column: str) -> None:
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER chatledger_messages_fts_update")
        connection.execute(
            f"UPDATE chatledger_messages SET {column} = CAST(x'77d1616c727573' AS TEXT) WHERE sequence_number = 7"
        )
        connection.commit()
    with Ledger(url_of(path)) as ledger, pytest.raises(CorruptDatabase) as caught:
        ledger.run(lambda uow: uow.messages.history("s"))
    assert "alrus" not in repr(caught.value) + repr(caught.value.__context__)


@pytest.mark.parametrize("column", ["created_at", "role", "payload", "metadata"])
def test_a_damaged_row_is_a_typed_error_that_does_not_repeat_it(path: Path, whole: bytes, column: str) -> None:
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE chatledger_messages SET {column} = '{{walrus' WHERE sequence_number = 7")
        connection.commit()
    with Ledger(url_of(path)) as ledger:
        with pytest.raises(CorruptDatabase) as caught:
            ledger.run(lambda uow: uow.messages.history("s"))
        assert "walrus" not in repr(caught.value) + repr(caught.value.__context__)
        assert caught.value.__cause__ is None
        assert 6 == len(ledger.run(lambda uow: uow.messages.history("s", before=7)))


def test_a_damaged_status_is_a_typed_error_too(path: Path, whole: bytes) -> None:
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE chatledger_sessions SET status = 'walrus'")
        connection.commit()
    with Ledger(url_of(path)) as ledger:
        for work in (
            lambda uow: uow.messages.append("s", "user", "more"),
            lambda uow: uow.sessions.get("s"),
            lambda uow: uow.sessions.list(),
            lambda uow: uow.messages.clear("s"),
        ):
            with pytest.raises(CorruptDatabase) as caught:
                ledger.run(work)
            assert "walrus" not in repr(caught.value) + repr(caught.value.__context__)


def test_pages_that_were_lost_are_noticed_when_they_are_read(path: Path, whole: bytes) -> None:
    middle = len(whole) // 8192 * 4096
    path.write_bytes(whole[:middle] + b"\0" * (len(whole) - middle))
    with pytest.raises(CorruptDatabase) as caught:
        _use(path)
    assert caught.value.__cause__ is None


def _use(path: Path) -> None:
    with Ledger(url_of(path)) as ledger, ledger.begin() as uow:
        uow.messages.history("s")
        uow.search.messages("message")
        uow.messages.append("s", "user", "more")
        uow.messages.clear("s")
