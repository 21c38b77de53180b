"""Making a backup while others write, and deleting those that are too old."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from chatledger import migrate as migrations
from chatledger.backup import manifest as manifests
from chatledger.backup.progress import Progress
from chatledger.backup.row_copy import copy_rows, count_all
from chatledger.backup.verify import examine, require_known
from chatledger.database import Database, Transaction
from chatledger.dialects import backup_file
from chatledger.errors import Conflict, InvalidInput, Unavailable
from chatledger.schemas import BackupReport
from chatledger.schemas.fields import told_path, whole
from chatledger.settings import Settings

# The names that are given to backups in a folder. Their order is that of their making.
_PATTERN = re.compile(r"chatledger-\d{8}T\d{6}\.\d{6}Z-r\w+\.db")


def back_up(
    database: Database, path: str | Path, *, keep: int | None, overwrite: bool, on_progress: Progress
) -> BackupReport:
    """`Ledger.backup`."""
    began = time.perf_counter()
    given = told_path(path)
    is_folder = given.is_dir() or str(path).endswith("/")
    if keep is not None:
        whole(keep, "keep", least=1)
        if not is_folder:
            raise InvalidInput("keep", "is for a folder of backups: give the folder, and the name is made for you")
    folder = given if is_folder else given.parent
    if not folder.is_dir():
        raise Unavailable(f"the folder {str(folder)!r} does not exist: create it first")
    if not is_folder:
        _require_free(database, given, overwrite=overwrite)
    created = database.clock()
    database.catch_up_index()
    with backup_file.temporary(folder, "chatledger-backup") as new:
        with database.reading(_snapshot) as connection, database.translated():
            state = database.dialect.state(connection)
            revision = require_known(state, database.url.render_as_string(hide_password=True))
            rows = count_all(connection, state.tables)
            ledger = manifests.name_of(database.dialect.maintenance.lasting_identity(connection))
            if not database.dialect.maintenance.copy_pages(
                connection, new, lambda done, of: on_progress("copying pages", done, of)
            ):
                migrations.require_head(state)
                _write_out(database, connection, new, on_progress)
        on_progress("verifying", 0, None)
        examine(new, str(new), quick=True, rows=rows)
        backup_file.flush(new)
        target = folder / _name(created, revision) if is_folder else given
        size, sha256 = new.stat().st_size, backup_file.digest(new)
        manifest = manifests.made(
            target,
            sha256=sha256,
            size=size,
            revision=revision,
            created=created,
            rows=rows,
            source=database.dialect.title,
            ledger=ledger,
        )
        on_progress("naming", 0, None)
        if overwrite:
            # An old manifest beside a new file would call it damaged; no manifest only makes its reader look closer.
            manifests.beside(target).unlink(missing_ok=True)
        backup_file.put(new, target, overwrite=overwrite)
        try:
            manifests.write(manifest, target, overwrite=overwrite)
        except Conflict:  # somebody put a file of that name there meanwhile
            target.unlink()
            raise
    removed = _rotate(folder, target, ledger, keep) if keep is not None else ()
    return BackupReport(
        path=str(target),
        manifest=str(manifests.beside(target)),
        bytes=size,
        sha256=sha256,
        revision=revision,
        created=created,
        rows=rows,
        removed=removed,
        seconds=time.perf_counter() - began,
    )


def _snapshot(database: Database) -> Transaction:
    return database.transaction("read")


def _require_free(database: Database, path: Path, *, overwrite: bool) -> None:
    """Before anything is read: the names of the backup and of its manifest are free, or may be overwritten.

    Only regular files are overwritten, and none that belongs to a ledger in use.
    """
    own = database.dialect.file(database.url)
    if path.exists() and own is not None and own.exists() and path.samefile(own):
        raise InvalidInput("path", "is the ledger itself: a backup is another file")
    if (part_of := backup_file.part_of(path)) is not None:
        raise InvalidInput("path", f"belongs to the database {part_of.name!r}: choose another name")
    manifest = manifests.beside(path)
    for name in (path, manifest):
        if os.path.lexists(name) and not overwrite:
            raise Conflict(f"{str(name)!r} exists already: choose another name, or overwrite it")
        if os.path.lexists(name) and not name.is_file():
            raise InvalidInput("path", f"{str(name)!r} is not a regular file: choose another name")
    if backup_file.has_log(path) or (path.exists() and backup_file.is_open_in_this_task(path)):
        raise Conflict(f"{str(path)!r} is a ledger in use and no backup: choose another name")
    if manifest.exists() and manifests.found_at(manifest) is None:
        raise Conflict(f"{str(manifest)!r} is not the manifest of a backup and is not overwritten: move it away first")


def _write_out(database: Database, source: Connection, new: Path, on_progress: Progress) -> None:
    """Write every row of a database without pages of its own into a ledger in a file."""
    new.unlink()  # an empty file is none of ours; the ledger makes its own, for its owner only
    target = Database(new, None, Settings.preset("cli"), database.clock)
    try:
        target.open("empty")
        with target.transaction("write") as connection, target.translated():
            copy_rows(source, database.dialect, connection, target.dialect, on_progress)
        target.dialect.maintenance.checkpoint_writes(target.engine, target.settings.busy_timeout)
    finally:
        target.close()
    backup_file.make_single(new)


def _name(created: datetime, revision: str) -> str:
    return f"chatledger-{created.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z-r{revision}.db"


def _rotate(folder: Path, newest: Path, ledger: str, keep: int) -> tuple[str, ...]:
    """Delete the oldest backups of a ledger in a folder until `keep` are left; never the one that was just made.

    A folder may hold the backups of several ledgers, and anything else. Only a file whose manifest says that it is a
    backup of this very ledger is deleted.
    """
    others = sorted(entry for entry in folder.iterdir() if entry.name != newest.name and _is_backup_of(entry, ledger))
    gone = others[: max(0, len(others) - (keep - 1))]
    for old in gone:
        # The backup first: a manifest without its backup misleads nobody.
        old.unlink(missing_ok=True)
        manifests.beside(old).unlink(missing_ok=True)
    return tuple(str(old) for old in gone)


def _is_backup_of(path: Path, ledger: str) -> bool:
    if not _PATTERN.fullmatch(path.name) or path.is_symlink() or not path.is_file():
        return False
    manifest = manifests.found_at(manifests.beside(path))
    if manifest is None or manifest.ledger != ledger:
        return False
    return (manifest.file, manifest.bytes) == (path.name, path.stat().st_size)
