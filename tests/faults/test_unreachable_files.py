"""A path that cannot be opened or written is a typed error at once, and reads go on where they can."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from chatledger import ChatledgerError, Ledger, ReadOnly, Unavailable
from chatledger.errors import OutOfSpace
from tests.faults.truth import require_sound
from tests.support.sqlite import url_of

_ROOT = os.geteuid() == 0


def _refused(path: Path, *kinds: type[ChatledgerError]) -> ChatledgerError:
    began = time.monotonic()
    with pytest.raises(kinds) as caught:
        Ledger(url_of(path))
    assert time.monotonic() - began < 10
    return caught.value


def test_a_directory_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path, Unavailable)
    assert [] == list(tmp_path.iterdir())


def test_a_missing_folder_is_refused_and_not_made(tmp_path: Path) -> None:
    assert "create it first" in str(_refused(tmp_path / "nowhere" / "chat.db", Unavailable))
    assert [] == list(tmp_path.iterdir())


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("not a folder")
    _refused(tmp_path / "note" / "chat.db", Unavailable)


def test_a_link_that_leads_nowhere_is_refused_or_followed(tmp_path: Path) -> None:
    link = tmp_path / "chat.db"
    link.symlink_to(tmp_path / "nowhere" / "chat.db")
    _refused(link, Unavailable, ReadOnly)
    assert link.is_symlink()


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / ("x" * 300 + ".db"), Unavailable)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_refused_without_reading_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "chat.db"
    if kind == "pipe":
        os.mkfifo(path)  # to open it would wait for a writer
    else:
        path = Path("/dev/null")
    _refused(path, Unavailable)


@pytest.mark.skipif(_ROOT, reason="root reads and writes whatever the mode says")
def test_a_file_without_rights_is_refused(migrated_sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    path.chmod(0)
    _refused(path, Unavailable)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of two megabytes, where this process may mount one."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    if not _mount("-t", "tmpfs", "-o", "size=2m", "none", str(folder)):
        pytest.skip("needs the right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _mount(*arguments: str) -> bool:
    if not _ROOT or shutil.which("mount") is None:
        return False
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


def test_a_full_disk_is_an_error_of_its_own_and_it_works_again_when_there_is_room(mounted: Path) -> None:
    path = mounted / "chat.db"
    text = "a sentence of some length, over and over. " * 200
    with closing(Ledger(url_of(path))) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        (mounted / "ballast").write_bytes(b"x" * 300_000)
        acknowledged = 0
        with pytest.raises(OutOfSpace):  # noqa: PT012 - which append it is depends on the file system
            for _ in range(1000):
                with ledger.begin() as uow:
                    uow.messages.append("s", "user", text)
                acknowledged += 1
        assert acknowledged
        with ledger.read() as uow:
            assert acknowledged == len(uow.messages.history("s"))
            assert acknowledged == uow.sessions.get("s").message_count
        (mounted / "ballast").unlink()
        assert acknowledged + 1 == ledger.run(lambda uow: uow.messages.append("s", "user", text)).sequence_number
        assert 0 == ledger.pool_status()["in_use"]
    require_sound(url_of(path))


def test_a_full_disk_refuses_a_new_ledger_and_leaves_nothing_behind(mounted: Path) -> None:
    (mounted / "ballast").write_bytes(b"x" * (2 * 1024 * 1024 - 4096))
    with pytest.raises(Unavailable):
        Ledger(url_of(mounted / "chat.db"))
    (mounted / "ballast").unlink()
    with Ledger(url_of(mounted / "chat.db")) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))


def test_a_read_only_mount_is_not_written(mounted: Path) -> None:
    path = mounted / "chat.db"
    with Ledger(url_of(path)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
    if not _mount("-o", "remount,ro", str(mounted)):
        pytest.skip("needs the right to mount read-only")
    before = path.read_bytes()
    # SQLite needs a -shm beside a file in WAL mode, and cannot make one here: a typed error, or reading only.
    with suppress(ReadOnly, Unavailable), Ledger(url_of(path)) as ledger:
        with ledger.read() as uow:
            assert "s" == uow.sessions.get("s").session_id
        with pytest.raises((ReadOnly, Unavailable)), ledger.begin() as uow:
            uow.sessions.create("t")
    with pytest.raises((ReadOnly, Unavailable)):
        Ledger(url_of(mounted / "new.db"))
    assert before == path.read_bytes()
    assert [path.name] == [entry.name for entry in mounted.iterdir()]


_LIMITED = """
import resource, signal, sys
from chatledger import Ledger, Unavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger = Ledger(sys.argv[1])
ledger.run(lambda uow: uow.sessions.create("s"))
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
count = 0
try:
    while count < 2000:
        with ledger.begin() as uow:
            uow.messages.append("s", "user", "some words of no interest " * 100)
        count += 1
except Unavailable as error:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert count + 1 == ledger.run(lambda uow: uow.messages.append("s", "user", "again")).sequence_number
    sys.stdout.write(f"{type(error).__name__} {count}")
"""


def test_a_file_that_may_not_grow_is_a_typed_error(sqlite_url: str) -> None:
    assert resource.RLIM_INFINITY in resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, sqlite_url], capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == done.returncode, done.stderr
    name, count = done.stdout.split()
    assert name in {"OutOfSpace", "Unavailable", "CommitUnknown"}  # the last where the commit itself met the limit
    assert int(count) > 0
    require_sound(sqlite_url)


def test_a_ledger_whose_file_was_deleted_under_it_does_not_write_into_an_empty_one(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with closing(Ledger(sqlite_url)) as ledger:
        ledger.run(lambda uow: uow.sessions.create("s"))
        ledger.engine.dispose()
        for part in path.parent.iterdir():
            part.unlink()
        with pytest.raises(ChatledgerError):
            ledger.run(lambda uow: uow.messages.append("s", "user", "lost"))
        # Nobody takes what is there now for a ledger with nothing in it.
        if path.exists():
            with pytest.raises(ChatledgerError):
                Ledger(sqlite_url)
