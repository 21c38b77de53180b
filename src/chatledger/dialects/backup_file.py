"""A backup is a SQLite file, whatever database it was made of: how it is looked into, and how it takes a ledger's
place.

Replacing a file under which a log (`-wal`) lies is dangerous: SQLite would play the old log into the new file. So the
old file first gives up its log. `PRAGMA journal_mode=DELETE` succeeds only when nobody else has the file open, brings
the log into the file and deletes it; BEGIN EXCLUSIVE then keeps everybody out; only then is the new file renamed over
the old one. A kill before the renaming leaves the old ledger whole, without a log; one after it, the new one. Somebody
who opened the old file in that moment reads on in it and is refused a write (SQLITE_READONLY_DBMOVED).
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from chatledger.dialects import leftovers
from chatledger.dialects.base import original
from chatledger.dialects.sqlite.connection import manual_transactions
from chatledger.dialects.sqlite.file import inspect_file, is_open_in_this_task
from chatledger.errors import Busy, ChatledgerError, Conflict, CorruptDatabase, OutOfSpace, ReadOnly, Unavailable

__all__ = [
    "alone",
    "damaged",
    "digest",
    "faults",
    "fetch",
    "flush",
    "has_log",
    "inspect_file",
    "is_open_in_this_task",
    "make_single",
    "part_of",
    "put",
    "put_aside",
    "put_log_aside",
    "temporary",
    "unpooled",
]

_CHUNK = 1024 * 1024
# The bytes that SQLite locks: pending, reserved, and a range that readers share (and, with a log, every connection).
_LOCKS_AT, _LOCKS = 0x40000000, 512

_IN_USE = "{name!r} is in use: close every ledger and program that has it open, then restore"


@contextmanager
def temporary(folder: Path, name: str) -> Iterator[Path]:
    """A new file for its owner only, gone at the end unless it was renamed, with what SQLite put beside it.

    What killed processes left behind in the folder is removed first.
    """
    leftovers.remove(folder)
    try:
        handle, path = tempfile.mkstemp(prefix=f".{name[:100]}.", suffix=".new", dir=folder)
    except PermissionError:
        raise ReadOnly(f"no file can be created in {str(folder)!r}: the folder is not writable") from None
    except OSError as error:
        raise _of_disk(error, folder) from None
    os.close(handle)
    descriptor = None
    try:
        descriptor = leftovers.lock(Path(path))
        yield Path(path)
    finally:
        leftovers.discard(Path(path))
        if descriptor is not None:
            os.close(descriptor)


def digest(path: Path) -> str:
    """The SHA-256 of a file that nobody has open."""
    with path.open("rb") as file:
        found = sha256()
        while chunk := file.read(_CHUNK):
            found.update(chunk)
        return found.hexdigest()


def fetch(source: Path, target: Path, told: Callable[[int, int], object]) -> str:
    """Copy a file that is at rest; the SHA-256 of what was read.

    Raises:
        Busy: it is somebody's open database, or lies there as one left it: its log holds what was committed last.
    """
    name = str(source)
    for suffix in ("-wal", "-journal"):
        beside = source.with_name(f"{source.name}{suffix}")
        if beside.exists() and beside.stat().st_size:
            raise Busy(
                f"{name!r} is a ledger in use, or was left by a crash: {beside.name!r} holds what was committed last;"
                f" make a backup of it with `chatledger db backup --db {name}`"
            )
    if is_open_in_this_task(source):
        raise Busy(f"{name!r} is open in this program: make a backup of it, and restore that")
    found = sha256()
    try:
        total = source.stat().st_size
        done = 0
        with source.open("rb") as given, target.open("wb") as taken:
            while chunk := given.read(_CHUNK):
                taken.write(chunk)
                found.update(chunk)
                done += len(chunk)
                told(done, total)
    except OSError as error:
        raise _of_disk(error, target.parent) from None
    return found.hexdigest()


def flush(path: Path) -> None:
    """Have a file, or a folder's names, on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise _of_disk(error, path.parent) from None
    finally:
        os.close(descriptor)


def put(new: Path, path: Path, *, overwrite: bool) -> None:
    """Give a finished file its name. Raises Conflict where the name is taken, unless it may be overwritten."""
    if not overwrite:
        try:
            os.link(new, path)
        except FileExistsError:
            raise Conflict(f"{str(path)!r} exists already: choose another name, or overwrite it") from None
        except OSError:  # a file system without links
            if path.exists():
                raise Conflict(f"{str(path)!r} exists already: choose another name, or overwrite it") from None
            new.rename(path)
    else:
        new.replace(path)
    flush(path.parent)


def make_single(path: Path) -> None:
    """Make a database one file, complete in itself, that can be read from a medium which cannot be written."""
    with unpooled(path) as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=DELETE")


@contextmanager
def unpooled(path: Path) -> Iterator[Connection]:
    """A plain connection to a file, whose transactions are begun by whoever uses it."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(path, timeout=0, isolation_level=None),
        poolclass=NullPool,
        hide_parameters=True,
    )
    event.listen(engine, "connect", manual_transactions)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def faults(connection: Connection, *, quick: bool) -> list[str]:
    """What SQLite's own check finds, the first few; empty when the file is sound."""
    try:
        statement = f"PRAGMA {'quick_check' if quick else 'integrity_check'}(10)"
        found = [str(row[0]) for row in connection.exec_driver_sql(statement)]
        if not found or found == ["ok"]:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            return [] if broken is None else [f"table {broken[0]} has rows that refer to nothing"]
    except DatabaseError as error:
        return [getattr(original(error), "sqlite_errorname", None) or type(error).__name__]
    return found


@contextmanager
def alone(path: Path, wait: float) -> Iterator[Connection | None]:
    """Have a ledger's file to oneself, without a log beside it. None when it is too damaged to be read.

    Raises:
        Busy: somebody has it open for longer than `wait` seconds.
    """
    deadline = time.monotonic() + wait
    while True:
        with unpooled(path) as connection:
            state = _close_to_others(connection, path)
            if state == "alone":
                yield connection
                return
        if state == "damaged":
            with _locked(path):
                yield None
            return
        if time.monotonic() >= deadline:
            raise Busy(_IN_USE.format(name=str(path)))
        time.sleep(0.02)


def _close_to_others(connection: Connection, path: Path) -> Literal["alone", "busy", "damaged"]:
    try:
        connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except DatabaseError as error:
        code = getattr(original(error), "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return "busy"
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR):
            return "damaged"
        raise
    # Somebody may have opened it in between, and begun a log.
    return "busy" if path.with_name(f"{path.name}-wal").exists() else "alone"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold SQLite's own locks of a file that SQLite cannot read."""
    import fcntl  # noqa: PLC0415 - POSIX alone has it, and the rest of this file serves elsewhere too

    if is_open_in_this_task(path):
        raise Busy(_IN_USE.format(name=str(path)))
    descriptor = os.open(path, os.O_RDWR)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKS, _LOCKS_AT)
        except OSError:
            raise Busy(_IN_USE.format(name=str(path))) from None
        yield
    finally:
        os.close(descriptor)


def put_aside(path: Path, mark: str) -> Path:
    """Keep a damaged file, and its log, under another name. The name itself stays until it is replaced."""
    aside = path.with_name(f"{path.name}.damaged-{mark}")
    os.link(path, aside)
    put_log_aside(path, aside)
    return aside


def put_log_aside(path: Path, aside: Path) -> None:
    """Take a log, and all that would be played into whatever gets this name, away from it."""
    for suffix in leftovers.BESIDE:
        beside = path.with_name(f"{path.name}{suffix}")
        with suppress(FileNotFoundError):
            beside.rename(aside.with_name(f"{aside.name}{suffix}"))


def has_log(path: Path) -> bool:
    """Whether something lies beside a name that would be played into a file of that name."""
    return any(path.with_name(f"{path.name}{suffix}").exists() for suffix in leftovers.BESIDE)


def part_of(path: Path) -> Path | None:
    """The database that a file belongs to by its name, as `chat.db-wal` to `chat.db`; None where it is none of these."""
    for suffix in leftovers.BESIDE:
        if path.name.endswith(suffix) and (owner := path.with_name(path.name.removesuffix(suffix))).exists():
            return owner
    return None


def _of_disk(error: OSError, folder: Path) -> ChatledgerError:
    if error.errno in (28, 122):  # ENOSPC, EDQUOT
        return OutOfSpace(f"there is no room left in {str(folder)!r}: nothing was changed; make room and try again")
    if isinstance(error, PermissionError):
        return ReadOnly(f"{str(error.filename or folder)!r} may not be read or written")
    return Unavailable(f"{str(error.filename or folder)!r}: {error.strerror}")


def damaged(name: str, found: list[str]) -> CorruptDatabase:
    """The error for a backup that is no good."""
    return CorruptDatabase(f"{name!r} is damaged ({found[0]}): nothing was restored; take another backup")
