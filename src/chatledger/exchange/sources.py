"""The files of an import: single ones, those of a folder, and those of an archive as it was downloaded."""

from __future__ import annotations

import glob
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from chatledger.errors import InvalidInput
from chatledger.exchange.readers.json_file import PlainFile
from chatledger.exchange.readers.mending import Mender
from chatledger.schemas.fields import file_path

# Endings of files that are looked at in folders and archives.
_ENDINGS = (".json", ".jsonl", ".ndjson", ".traj")
_MAGIC = b"PK\x03\x04"
# What an archive raises that is damaged, or written in a way that Python does not read.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Source:
    """One file to be read."""

    path: Path
    name: str
    """What reports call it."""
    member: str | None = None
    """Its name in the archive that `path` is."""
    named: bool = True
    """Whether somebody asked for this very file: of a folder or an archive, those of no known format are left out."""

    @property
    def is_watched(self) -> bool:
        """Whether it is a file of a folder, which may be imported again and again."""
        return self.member is None and not self.named

    @contextmanager
    def open(self, mender: Mender | None) -> Iterator[PlainFile]:
        """The file, cut into pieces.

        Raises:
            InvalidInput: it cannot be read.
        """
        if self.member is None:
            with PlainFile(self.path, mender=mender) as file:
                yield file
            return
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as opened:
                size = archive.getinfo(self.member).file_size
                with PlainFile(cast(BinaryIO, opened), size=size, mender=mender) as file:
                    yield file
        except _DAMAGED as error:
            if isinstance(error, RuntimeError) and "password" not in str(error):
                raise
            reason = "is protected by a password" if isinstance(error, RuntimeError) else "is damaged"
            raise InvalidInput("file", f"{self.name!r} {reason}: unpack the archive and import its files") from None


def sources(paths: Iterable[str | os.PathLike[str]]) -> list[Source]:
    """The files to read, in order; those of folders, archives and patterns by name.

    A path that is not there and has wildcards is a pattern, as shells read it; `**` stands for any folders. So that
    patterns work where no shell has read them.

    Raises:
        InvalidInput: a path is not there, a pattern matches nothing, or a folder or an archive holds no file that could
            be one.
    """
    return [source for path in paths for one in _matching(file_path(path)) for source in _of(one)]


def _matching(path: Path) -> list[Path]:
    pattern = str(path)
    if not glob.has_magic(pattern) or path.exists():
        return [path]
    # Not Path.glob, which takes patterns below one folder only.
    found = sorted(glob.iglob(str(path.expanduser()), recursive=True))  # noqa: PTH207
    if not found:
        raise InvalidInput("file", f"nothing matches {pattern!r}")
    return list(map(Path, found))


def _of(path: Path) -> list[Source]:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return [Source(path, path.name)]  # which says why it cannot be read
    if stat.S_ISDIR(mode):
        files = [found for found in path.rglob("*") if found.is_file() and not found.name.startswith(".")]
        # Those of a folder before those of the folders in it, where agents keep what belongs to the former.
        files.sort(key=lambda file: (len(file.parts), file))
        found = [source for file in files for source in _in_folder(file, path)]
    elif stat.S_ISREG(mode) and _is_archive(path):
        found = _in_archive(path, path.name)
    else:
        return [Source(path, path.name)]
    if not found:
        raise InvalidInput("file", f"{path.name!r} holds no file that ends with {', '.join(_ENDINGS)}")
    return found


def _in_folder(file: Path, folder: Path) -> list[Source]:
    name = str(Path(folder.name) / file.relative_to(folder))
    if file.suffix.lower() == ".zip" and _is_archive(file):
        return _in_archive(file, name)
    return [Source(file, name, named=False)] if file.suffix.lower() in _ENDINGS else []


def _in_archive(path: Path, name: str) -> list[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(member.filename for member in archive.infolist() if not member.is_dir())
    except _DAMAGED:
        raise InvalidInput("file", f"{path.name!r} is damaged: it is not a whole ZIP archive") from None
    return [
        Source(path, f"{name}/{member}", member, named=False)
        for member in members
        if member.lower().endswith(_ENDINGS)
        and not member.startswith("__MACOSX/")
        and not Path(member).name.startswith(".")
    ]


def _is_archive(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False
