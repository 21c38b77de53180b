"""Files that a killed process left behind while it wrote a backup, a restore or the copy before a repair.

Each such file has a lock file beside it, which its writer holds locked until the end. The system unlocks it when the
process ends, however it ends, so a file whose lock can be taken has no writer any more. The lock is not on the file
itself: closing a second descriptor of a SQLite file would release the locks that SQLite holds on it.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a file."""
LOCK = ".lock"
_NAME = re.compile(r"\..+\.[A-Za-z0-9_]{8}\.new" + re.escape(LOCK))


def lock(file: Path) -> int:
    """Create the lock of a new file and take it; close the descriptor at the end."""
    descriptor = os.open(f"{file}.locking", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    if _lock(descriptor):
        # It gets its name when it is locked: one that is not locked has no writer.
        Path(f"{file}.locking").rename(f"{file}{LOCK}")
    else:
        Path(f"{file}.locking").unlink()
    return descriptor


def left_behind(folder: Path) -> list[Path]:
    """The files in a folder whose writers have ended without removing them."""
    found = []
    for name in _locks(folder):
        descriptor = _taken(name)
        if descriptor is not None:
            os.close(descriptor)
            found.append(Path(str(name).removesuffix(LOCK)))
    return sorted(found)


def remove(folder: Path) -> None:
    """Remove them. What may not be removed, or is removed by somebody else, stays."""
    for name in _locks(folder):
        descriptor = _taken(name)
        if descriptor is None:
            continue
        try:
            discard(Path(str(name).removesuffix(LOCK)))
        finally:
            os.close(descriptor)


def discard(file: Path) -> None:
    """Remove a file with what lies beside it. Its lock is last, so that a kill in between leaves it to the next one."""
    for suffix in ("", *BESIDE, LOCK):
        with suppress(OSError):
            Path(f"{file}{suffix}").unlink()


def _locks(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if _NAME.fullmatch(entry.name)]
    except OSError:
        return []


def _taken(name: Path) -> int | None:
    """A descriptor that holds the lock, or None if its writer is alive."""
    try:
        descriptor = os.open(name, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    if _lock(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    """Take the lock of a file, without waiting. False if another process has it, or the system has no such locks."""
    try:
        import fcntl  # noqa: PLC0415 - POSIX alone has it

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True
