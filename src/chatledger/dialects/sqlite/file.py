"""A SQLite file before SQLite opens it: what it is, whether it is whole, and how a new one is made."""

from __future__ import annotations

import os
import sqlite3
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

from chatledger.errors import CorruptDatabase, InvalidInput, NotALedger, ReadOnly, Unavailable

APPLICATION_ID = 0x63686C67
""""chlg": marks our files, in the header where `file(1)` and SQLite look for it."""

_MAGIC = b"SQLite format 3\x00"
_HEADER = 100
_MARK = struct.pack(">I", APPLICATION_ID)


def prepare_file(path: Path) -> None:
    """Make the file if it is missing, else refuse one that is not a whole SQLite database.

    A new file is complete before it appears under its name, so that an empty file is never one of ours: an emptied
    ledger is refused and not taken for a new one.
    """
    if not path.parent.is_dir():
        raise Unavailable(f"the folder {str(path.parent)!r} does not exist: create it first")
    try:
        found = path.stat()
    except FileNotFoundError:
        _create(path)
        return
    except OSError as error:
        raise Unavailable(f"{str(path)!r} cannot be opened: {error.strerror}") from None
    if not path.is_file():
        raise Unavailable(f"{str(path)!r} is not a file")
    inspect_file(path, found.st_size)


def _create(path: Path) -> None:
    try:
        # mkstemp: O_CREAT | O_EXCL and mode 0600. SQLite gives -wal and -shm the mode of the main file.
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".new", dir=path.parent)
    except PermissionError:
        raise ReadOnly(f"no file can be created in {str(path.parent)!r}: the folder is not writable") from None
    except OSError as error:
        raise Unavailable(f"no file can be created in {str(path.parent)!r}: {error.strerror}") from None
    os.close(handle)
    try:
        connection = sqlite3.connect(name, isolation_level=None)
        try:
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()
        with suppress(FileExistsError):  # another process was first: theirs is as good
            os.link(name, path)
    except sqlite3.Error:
        raise Unavailable(f"{str(path)!r} cannot be created: is the disk full?") from None
    except OSError as error:
        raise Unavailable(f"{str(path)!r} cannot be created: {error.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)


def inspect_file(path: Path, size: int, remedy: str = "restore a backup") -> None:
    """Raise what a file is when it is not a whole SQLite database. Reads its first bytes only."""
    name = repr(str(path))
    try:
        header = read_header(path)
    except PermissionError:
        raise Unavailable(f"{name} cannot be read: permission denied") from None
    except OSError as error:
        raise Unavailable(f"{name} cannot be read: {error.strerror}") from None
    if size == 0:
        raise NotALedger(
            f"{name} is an empty file: if it was a ledger, it has been emptied ({remedy}); "
            "if nothing was in it, delete it and a new ledger is made in its place"
        )
    if not header.startswith(_MAGIC):
        if header[68:72] == _MARK:
            raise CorruptDatabase(f"{name} was a ledger, but its first bytes are damaged: {remedy}")
        raise NotALedger(f"{name} is not a SQLite database (or is encrypted): choose another path")
    if len(header) < _HEADER:
        raise CorruptDatabase(f"{name} is cut off within its first {_HEADER} bytes: {remedy}")
    if header[68:72] == _MARK and not _is_plausible(header):
        raise CorruptDatabase(f"{name} is a ledger whose header is damaged: {remedy}")
    _check_length(path, size, header, remedy)


# Descriptors that must stay open, by device and inode.
_kept: dict[tuple[int, int], int] = {}


def read_header(path: Path) -> bytes:
    """The first bytes of a file, without harm to whoever has it open.

    POSIX locks belong to the process, and closing any descriptor of a file drops all of them: another ledger's, or an
    application's own. So a descriptor of a file that this process has open elsewhere is never closed.
    """
    found = path.stat()
    place = (found.st_dev, found.st_ino)
    if place in _kept:
        return os.pread(_kept[place], _HEADER, 0)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    header = os.read(descriptor, _HEADER)
    if is_open_elsewhere(descriptor):
        _kept[place] = descriptor
    else:
        os.close(descriptor)
    return header


def is_open_in_this_task(path: Path) -> bool:
    """Whether this process has a file open, so that closing a descriptor of it would drop somebody's locks."""
    found = path.stat()
    place = (found.st_dev, found.st_ino)
    if place in _kept:
        return is_open_elsewhere(_kept[place])
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    if is_open_elsewhere(descriptor):
        _kept[place] = descriptor
        return True
    os.close(descriptor)
    return False


def is_open_elsewhere(descriptor: int) -> bool:
    """Whether this process has the file open through another descriptor."""
    mine = os.fstat(descriptor)
    try:
        others = [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 - names are what is wanted
    except OSError:  # a system without POSIX descriptors, and without their locks
        return False
    for other in others:
        with suppress(OSError):
            if other != descriptor and os.path.samestat(os.fstat(other), mine):
                return True
    return False


def _is_plausible(header: bytes) -> bool:
    """Whether the fixed fields of a SQLite header hold what they must (file format, section 1.3)."""
    numbers = {at: struct.unpack(">I", header[at : at + 4])[0] for at in (24, 28, 32, 36, 44, 52, 56, 64, 92)}
    pages = numbers[28] if numbers[24] == numbers[92] else 2**32
    first_free, free = numbers[32], numbers[36]
    return (
        header[18] in (1, 2)
        and header[19] in (1, 2)
        and header[21:24] == b"\x40\x20\x20"
        and numbers[44] in range(5)
        and numbers[56] in range(4)
        and (first_free == 0) == (free == 0)
        and first_free <= pages
        and free <= pages
        and numbers[52] == numbers[64] == 0  # automatic vacuum, which a ledger never has
        and not any(header[72:92])
    )


def _check_length(path: Path, size: int, header: bytes, remedy: str) -> None:
    """Notice a file that ends early. The page count in the header holds only when nothing waits in the -wal."""
    page_size = struct.unpack(">H", header[16:18])[0]
    page_size = 65536 if page_size == 1 else page_size
    changed, pages, valid_for = (struct.unpack(">I", header[at : at + 4])[0] for at in (24, 28, 92))
    wal = path.with_name(f"{path.name}-wal")
    pending = wal.stat().st_size if wal.exists() else 0
    if changed == valid_for and not pending and size < pages * page_size:
        raise CorruptDatabase(f"{str(path)!r} is cut off: {size} bytes of {pages * page_size} are there; {remedy}")


def database_path(database: str | None) -> Path | None:
    """The path of a URL's database, or None for one in memory."""
    if not database or database == ":memory:":
        return None
    if database.startswith("file:"):
        raise InvalidInput("url", "SQLite's file: URIs are not supported: give the path itself")
    return Path(database).expanduser()
