"""Putting a backup in the place of a ledger, so that at every moment the old one or the new one is there, whole.

The backup is copied, and only the copy is opened: checked, upgraded, and given what the replaced ledger knew of erased
users. In a file, it then takes the old one's place by a renaming (`dialects/backup_file.py` says in which order); on a
server, its rows replace the old ones in one transaction.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from chatledger import migrate as migrations
from chatledger.backup import erasures
from chatledger.backup import manifest as manifests
from chatledger.backup.copy import require_no_rows
from chatledger.backup.digests import first_changed
from chatledger.backup.manifest import Manifest
from chatledger.backup.progress import Progress
from chatledger.backup.row_copy import TABLES, copy_rows, count_all, first_rows
from chatledger.backup.verify import dialect_of_files, examine
from chatledger.clock import Clock
from chatledger.database import Database
from chatledger.dialects import backup_file, dialect_of, parse_url
from chatledger.dialects.base import State
from chatledger.errors import Conflict, CorruptDatabase, InvalidInput, NotALedger, Unavailable
from chatledger.models import AuditEntry
from chatledger.schemas import RestoreReport
from chatledger.schemas.fields import file_path
from chatledger.settings import Settings

# Seconds to wait for those who have the old file open. A ledger in use is not replaced, so there is no use in patience.
_WAIT = 2.0
_OTHER = "take another backup"


@dataclass
class _Restoration:
    """What is found out on the way."""

    manifest: Manifest | None = None
    sha256: str = ""
    revision: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    returning: list[str] = field(default_factory=list)
    carried: int = 0
    known: bool | None = None
    aside: Path | None = None


def restore(
    path: str | Path, url: str | Path | URL, *, overwrite: bool, on_progress: Progress, clock: Clock
) -> RestoreReport:
    """`Ledger.restore`."""
    began = time.perf_counter()
    backup = file_path(path)
    parsed = parse_url(url)
    dialect = dialect_of(parsed.get_backend_name())
    file = dialect.restore_target(parsed)
    if file is not None:
        file = file.absolute().resolve()
        _require_replaceable(backup, file, overwrite=overwrite)
    done = _Restoration()
    with backup_file.temporary(file.parent if file else Path(tempfile.gettempdir()), "chatledger-restore") as new:
        _fetch(backup, new, done, on_progress)
        on_progress("verifying", 0, None)
        quick = done.manifest is not None
        done.revision = examine(new, str(backup), quick=quick, rows=done.manifest.rows if done.manifest else None)
        on_progress("upgrading", 0, None)
        copy = Database(new, None, Settings.preset("cli"), clock)
        try:
            copy.open("always")
            if not quick:
                _require_own_schema(copy, backup)
                _require_unchanged(copy, backup, on_progress)
            if file is not None:
                _into_file(copy, new, file, done, on_progress)
            else:
                _into_server(copy, parsed, done, overwrite, on_progress)
        finally:
            copy.close()
    return RestoreReport(
        url=parsed.render_as_string(hide_password=True),
        revision_of_backup=done.revision,
        revision=migrations.HEAD,
        rows=done.rows,
        by_manifest=done.manifest is not None,
        erased_users_returning=tuple(done.returning),
        erasures_carried_over=done.carried,
        erasures_known=done.known,
        kept_aside=None if done.aside is None else str(done.aside),
        seconds=time.perf_counter() - began,
    )


def _require_replaceable(backup: Path, file: Path, *, overwrite: bool) -> None:
    """Before anything is read: the target can be there, or not be there, as was asked for."""
    if not file.parent.is_dir():
        raise Unavailable(f"the folder {str(file.parent)!r} does not exist: create it first")
    if (part_of := backup_file.part_of(file)) is not None:
        raise InvalidInput("url", f"names a part of the database {part_of.name!r}: choose another name")
    if not file.exists():
        return
    if not file.is_file():
        raise Unavailable(f"{str(file)!r} is not a file")
    if backup.exists() and backup.samefile(file):
        raise InvalidInput("path", "is the ledger itself: name a backup of it")
    if not overwrite:
        raise Conflict(f"{str(file)!r} exists already: restore to another place, or overwrite it")


def _fetch(backup: Path, new: Path, done: _Restoration, on_progress: Progress) -> None:
    """Copy the backup, and see that it is what was written."""
    try:
        size = backup.stat().st_size
    except OSError as error:
        raise Unavailable(f"the backup {str(backup)!r} cannot be read: {error.strerror}") from None
    if not backup.is_file():
        raise InvalidInput("path", "is not a file: name a backup, not its folder")
    backup_file.inspect_file(backup, size, _OTHER)
    done.manifest = manifests.read(backup)
    done.sha256 = backup_file.fetch(backup, new, lambda part, of: on_progress("copying", part, of))
    if done.manifest is not None and done.manifest.sha256 != done.sha256:
        raise CorruptDatabase(
            f"{str(backup)!r} is not what was written: its checksum is another than in its manifest; {_OTHER}"
        )


def _require_own_schema(copy: Database, backup: Path) -> None:
    """Without a checksum, a changed byte of the schema or a trigger that somebody added is only found by comparison."""
    with copy.transaction("write") as connection, copy.translated():
        differences = migrations.differences(connection, copy.dialect, migrations.expected(connection, copy.dialect))
        connection.rollback()
    if differences:
        raise CorruptDatabase(
            f"{str(backup)!r} does not have the tables of a ledger ({differences[0]}): nothing was restored; {_OTHER}"
        )


def _require_unchanged(copy: Database, backup: Path, on_progress: Progress) -> None:
    with copy.transaction("read") as connection, copy.translated():
        changed = first_changed(connection, copy.dialect, on_progress)
    if changed is not None:
        raise CorruptDatabase(
            f"{str(backup)!r} is damaged (message {changed[1]} of session {changed[0]!r} is not what was stored):"
            f" nothing was restored; {_OTHER}"
        )


def _finish(copy: Database, replaced: list[dict[str, Any]], done: _Restoration) -> None:
    """Give the copy what it must know of the ledger that it replaces, and close it."""
    with copy.transaction("write") as connection, copy.translated():
        done.carried = erasures.carry_over(connection, replaced)
        done.returning = erasures.returning(connection, replaced)
        details: dict[str, Any] = {"sha256": done.sha256, "revision": done.revision}
        if done.manifest is not None:
            details["created"] = done.manifest.created.isoformat()
        erasures.note_restoration(connection, copy.clock(), details)
        done.rows = count_all(connection, {table.name for table in TABLES})


def _into_file(copy: Database, new: Path, file: Path, done: _Restoration, on_progress: Progress) -> None:
    mark = f"{copy.clock().astimezone(UTC):%Y%m%dT%H%M%S.%f}Z"

    def ready(replaced: list[dict[str, Any]]) -> None:
        _finish(copy, replaced, done)
        copy.close()
        if backup_file.has_log(new):  # it is not named with the file
            backup_file.make_single(new)
        backup_file.flush(new)

    if not file.exists():
        ready([])
        if backup_file.has_log(file):  # of a ledger that was deleted: it would be played into the new one
            backup_file.put_log_aside(file, file.with_name(f"{file.name}.left-{mark}"))
        on_progress("replacing", 0, None)
        backup_file.put(new, file, overwrite=False)
        on_progress("replaced", 0, None)
        return
    sound = _is_sound(file)
    on_progress("waiting for the old ledger", 0, None)
    with copy.translated(), backup_file.alone(file, _WAIT) as old:
        on_progress("replacing", 0, None)
        replaced = None
        if old is not None:
            _require_ledger(dialect_of_files().state(old), file)
            replaced = _erasures(old)
        done.known = replaced is not None
        ready(replaced or [])
        _take_after(new, file)
        if old is None or replaced is None or not sound:
            done.aside = backup_file.put_aside(file, mark)
        on_progress("renaming", 0, None)
        new.replace(file)
        backup_file.flush(file.parent)
    on_progress("replaced", 0, None)


def _is_sound(file: Path) -> bool:
    """Whether the old file looks like a database.

    Raises:
        NotALedger: it is something else, and not to be overwritten by a slip of the pen.
    """
    size = file.stat().st_size
    try:
        backup_file.inspect_file(file, size)
    except CorruptDatabase:
        return False
    except NotALedger:
        if size:
            raise NotALedger(f"{str(file)!r} is no ledger and is not overwritten: move it away first") from None
        return False
    return True


def _require_ledger(state: State, file: Path) -> None:
    if not state.ours and state.tables:
        raise NotALedger(f"{str(file)!r} is the database of something else and is not overwritten: move it away first")


def _erasures(old: Connection) -> list[dict[str, Any]] | None:
    """What the old ledger knows of erased users; None where it cannot be read."""
    dialect = dialect_of_files()
    if AuditEntry.__tablename__ not in dialect.state(old).tables:
        return []
    try:
        return erasures.erasures(old)
    except CorruptDatabase:
        return None
    except Exception as error:
        if not dialect.recognises(error):
            raise
        return None


def _take_after(new: Path, old: Path) -> None:
    """Whoever could read and write the old file can do so with the new one."""
    found = old.stat()
    new.chmod(found.st_mode & 0o777)
    with suppress(OSError):  # only root may give files away
        shutil.chown(new, found.st_uid, found.st_gid)


def _into_server(copy: Database, url: URL, done: _Restoration, overwrite: bool, on_progress: Progress) -> None:
    target = Database(url, None, Settings.preset("cli"), copy.clock)
    try:
        with target.transaction("read") as connection, target.translated():
            state = target.dialect.state(connection)
        if state.revision is not None and not overwrite:
            migrations.require_head(state)
        with target.translated():
            migrations.upgrade(target.engine, dialect=target.dialect)
        with target.transaction("write") as connection, target.translated():
            target.dialect.maintenance.lock_tables(connection, TABLES)
            taken = first_rows(connection)
            if not overwrite:
                require_no_rows(taken, "restore to an empty database, or overwrite it")
            replaced = erasures.erasures(connection) if taken else []
            done.known = True if taken else None
            _finish(copy, replaced, done)
            with copy.transaction("read") as source:
                copy_rows(source, copy.dialect, connection, target.dialect, on_progress, clear=bool(taken))
            on_progress("replacing", 0, None)
    finally:
        target.close()
    on_progress("replaced", 0, None)
