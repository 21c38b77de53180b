"""The file beside a backup that says what the backup is."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from chatledger.dialects import backup_file
from chatledger.errors import CorruptDatabase
from chatledger.migrate import HEAD
from chatledger.schemas.fields import Record

# No manifest of ours is longer; what is, is not read.
_MOST = 1024 * 1024


class Manifest(Record):
    """What was written, so that it can be told whether the same is still there."""

    format: Literal["chatledger backup 1"] = "chatledger backup 1"
    file: str
    sha256: str
    bytes: int
    revision: str
    """The schema that the backup has, and the newest one that its maker knew."""
    head: str
    created: datetime
    rows: dict[str, int]
    source: str
    """The database that it was made of."""
    ledger: str | None = None
    """Which ledger it is a backup of: the same for all of its backups. None in older manifests."""
    chatledger_version: str
    sqlite_version: str


def beside(path: Path) -> Path:
    """Where the manifest of a backup is."""
    return path.with_name(f"{path.name}.json")


def made(
    path: Path,
    *,
    sha256: str,
    size: int,
    revision: str,
    created: datetime,
    rows: Mapping[str, int],
    source: str,
    ledger: str,
) -> Manifest:
    """The manifest of a backup that has just been written."""
    return Manifest(
        file=path.name,
        sha256=sha256,
        bytes=size,
        revision=revision,
        head=HEAD,
        created=created,
        rows=dict(rows),
        source=source,
        ledger=ledger,
        chatledger_version=_version(),
        sqlite_version=sqlite3.sqlite_version,
    )


def name_of(place: tuple[Any, ...]) -> str:
    """The name of a ledger in its manifests, from where it is: a digest, which tells nothing of paths or servers."""
    return sha256(json.dumps(place, default=str).encode()).hexdigest()[:32]


def write(manifest: Manifest, path: Path, *, overwrite: bool) -> None:
    """Put the manifest beside its backup, whole or not at all. Raises Conflict where something is there already."""
    target = beside(path)
    with backup_file.temporary(target.parent, target.name) as new:
        new.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        backup_file.flush(new)
        backup_file.put(new, target, overwrite=overwrite)


def read(path: Path) -> Manifest | None:
    """The manifest of a backup, or None where there is none.

    Raises:
        CorruptDatabase: it cannot be read, or is none.
    """
    found = beside(path)
    if not os.path.lexists(found):
        return None
    manifest = found_at(found)
    if manifest is not None:
        return manifest
    raise CorruptDatabase(
        f"{str(found)!r} is no manifest of a backup, or is damaged: take another backup, or move the manifest away to"
        " have the contents of the backup checked instead"
    )


def found_at(path: Path) -> Manifest | None:
    """The manifest in a file; None where the file is not one, or cannot be read."""
    try:
        if not path.is_file():  # a FIFO would be waited for
            return None
        with path.open("rb") as file:
            return Manifest.model_validate_json(file.read(_MOST))
    except (OSError, ValidationError):
        return None


def _version() -> str:
    try:
        return metadata.version("chatledger")
    except metadata.PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"
