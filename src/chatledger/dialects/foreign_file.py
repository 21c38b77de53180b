"""Somebody else's SQLite file, opened so that not a byte of it, or beside it, changes.

What SQLite needs for that differs:

* Something waits in a `-wal` (or in a hot `-journal`): `immutable=1` would not see it, and any other way writes to the
`-shm`, replays the journal, or needs a folder that can be written. The file and what waits beside it are copied to a
private folder, and the copy is opened. * The file is in WAL mode and nothing waits: opening it even with `mode=ro`
makes a `-wal` and a `-shm`, so `immutable=1`. Nobody is locked out; whether the file stayed as it was is looked at in
the end. * Otherwise `mode=ro`, whose shared lock keeps writers out for as long as the reading takes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from chatledger.dialects.sqlite.file import APPLICATION_ID, is_open_elsewhere, read_header
from chatledger.errors import Busy, ChatledgerError, CorruptDatabase, InvalidInput, Unavailable

_MAGIC = b"SQLite format 3\x00"
_HEADER = 100
# How often a copy is begun again because somebody wrote meanwhile.
_ATTEMPTS = 3
# Seconds to wait for a writer that holds the file.
_WAIT = 5.0
# What files are that are not databases, by their first bytes.
_OTHERS = (
    (b"PK\x03\x04", "a ZIP archive: unpack it first"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"PGDMP", "a dump of a PostgreSQL database: restore it first"),
    (b"{", "JSON: `chatledger import` reads conversation files"),
    (b"[", "JSON: `chatledger import` reads conversation files"),
    (b"PRAGMA", "SQL text: load it into a new SQLite file first"),
    (b"BEGIN", "SQL text: load it into a new SQLite file first"),
)

Access = Literal["copy", "immutable", "shared"]


class ForeignFile:
    """A SQLite file that is read and never written.

    Raises:
        InvalidInput: there is no such file, it is no SQLite database, or it is a ledger already.
        CorruptDatabase: it is cut off or damaged.
        Busy: somebody is writing to it.
        Unavailable: it cannot be read, or there is no room for the private copy.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = _regular(path)
        _inspect(self.path)
        self._folder: str | None = None
        self.access: Access = self._needed()
        self._before = self._state()
        try:
            place = self._copied() if self.access == "copy" else self.path
            self.connection = _connected(place, self.access, self.name)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The file as sentences name it."""
        return repr(str(self.path))

    @property
    def settled(self) -> str | None:
        """A URI of the main file alone, without what waits in its `-wal`; None when nothing waits."""
        return f"{self.path.as_uri()}?immutable=1" if self.access == "copy" else None

    def require_unchanged(self) -> None:
        """See that nobody wrote to the file while it was read.

        Raises:
            Busy: somebody did.
        """
        if self.access == "immutable" and self._state() != self._before:
            raise Busy(f"{self.name} was written while it was read: stop the program that uses it, then try again")

    def close(self) -> None:
        """Close the connection and delete the private copy. Closing twice is harmless."""
        connection = self.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _needed(self) -> Access:
        if self._waiting():
            return "copy"
        return "immutable" if 2 in read_header(self.path)[18:20] else "shared"

    def _waiting(self) -> list[Path]:
        beside = (self.path.with_name(f"{self.path.name}{end}") for end in ("-wal", "-journal"))
        return [path for path in beside if _size(path)]

    def _state(self) -> list[tuple[int, int]]:
        """What changes when somebody writes: size and time of the file and of what waits beside it."""
        found = []
        for path in (self.path, *(self.path.with_name(f"{self.path.name}{end}") for end in ("-wal", "-journal"))):
            try:
                known = path.stat()
            except FileNotFoundError:
                found.append((0, 0))
            else:
                found.append((known.st_size, known.st_mtime_ns if known.st_size else 0))
        return found

    def _copied(self) -> Path:
        for _ in range(_ATTEMPTS):
            before = self._state()
            copy = self._copy_once()
            if self._state() == before:
                return copy
        raise Busy(f"{self.name} is being written: stop the program that uses it, then try again")

    def _copy_once(self) -> Path:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        try:
            self._folder = tempfile.mkdtemp(prefix="chatledger-")  # 0700
            copy = Path(self._folder) / "source.db"
            for path in (self.path, *self._waiting()):
                _copy(path, copy.with_name(f"{copy.name}{path.name.removeprefix(self.path.name)}"))
        except OSError as error:
            raise Unavailable(f"{self.name} cannot be copied to a private folder: {error.strerror}") from None
        return copy


def unreadable(error: sqlite3.Error, name: str) -> ChatledgerError:
    """Our error for one that came while a foreign file was read. It holds no value."""
    code = getattr(error, "sqlite_errorname", "") or ""
    translated: ChatledgerError
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")):
        translated = CorruptDatabase(f"{name} is damaged and was not touched: adopt a backup, or what `.recover` saves")
    elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        translated = Busy(f"{name} is being written: stop the program that uses it, then try again")
    elif code == "SQLITE_ERROR":  # its text names tables and columns, never what is in them
        translated = InvalidInput("source", f"{name} is not quite of the layout that it looks like: {error}")
    else:
        translated = Unavailable(f"{name} cannot be read{f' ({code})' if code else ''}")
    translated.code = code or None
    return translated


def _regular(path: str | os.PathLike[str]) -> Path:
    """The file itself, behind any links: what waits beside it is named after it."""
    shown = repr(os.fsdecode(path))
    try:
        real = Path(os.fsdecode(path)).expanduser().resolve(strict=True)
        mode = real.stat().st_mode
    except FileNotFoundError:
        raise InvalidInput("source", f"there is no file {shown}") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise InvalidInput("source", f"{shown} cannot be read: {reason.lower()}") from None
    if stat.S_ISDIR(mode):
        raise InvalidInput("source", f"{shown} is a folder: name the database file in it")
    if not stat.S_ISREG(mode):
        raise InvalidInput("source", f"{shown} is not a regular file")
    return real


def _inspect(path: Path) -> None:
    name = repr(str(path))
    try:
        header, size = read_header(path), path.stat().st_size
    except OSError as error:
        raise Unavailable(f"{name} cannot be read: {(error.strerror or 'unknown').lower()}") from None
    if not header:
        raise InvalidInput("source", f"{name} is an empty file")
    if not header.startswith(_MAGIC):
        if _MAGIC.startswith(header):
            raise CorruptDatabase(f"{name} is cut off within its first bytes")
        known = next((said for start, said in _OTHERS if header.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(start)), None)
        raise InvalidInput("source", f"{name} is {known or 'not a SQLite database (or is encrypted)'}")
    if len(header) < _HEADER:
        raise CorruptDatabase(f"{name} is cut off within its first {_HEADER} bytes")
    if header[68:72] == struct.pack(">I", APPLICATION_ID):
        raise InvalidInput("source", f"{name} is a ledger already: open it as one, or export and import it")
    page = struct.unpack(">H", header[16:18])[0]
    changed, pages, valid_for = (struct.unpack(">I", header[at : at + 4])[0] for at in (24, 28, 92))
    page = 65536 if page == 1 else page
    if changed == valid_for and size < pages * page and not _size(path.with_name(f"{path.name}-wal")):
        raise CorruptDatabase(f"{name} is cut off: {size:,} bytes of {pages * page:,} are there")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _copy(path: Path, copy: Path) -> None:
    source = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        target = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(target, "wb") as out, os.fdopen(source, "rb", closefd=False) as given:
            shutil.copyfileobj(given, out, 1 << 20)
    finally:
        # Closing would drop the locks that this process holds on the file through another descriptor.
        if not is_open_elsewhere(source):
            os.close(source)


def _connected(path: Path, access: Access, name: str) -> sqlite3.Connection:
    how = {"copy": "mode=rw", "immutable": "mode=ro&immutable=1", "shared": "mode=ro"}[access]
    connection = None
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, isolation_level=None, timeout=_WAIT)
        # Bytes that are not UTF-8 become lone surrogates, which name them exactly.
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "temp_store=FILE"):
            connection.execute(f"PRAGMA {pragma}")
        # One snapshot for all of the reading, and room for what is noted about rows.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
        wrong = unreadable(error, name)
    else:
        return connection
    raise wrong
