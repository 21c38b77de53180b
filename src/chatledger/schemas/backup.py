"""The results of a backup, a restore, a copy, maintenance and a health check."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.schemas.fields import Record


class BackupReport(Record):
    """A backup that was written, verified, and is on the disk."""

    path: str
    """The file."""
    manifest: str
    """The file beside it that says what it is."""
    bytes: int
    sha256: str
    revision: str
    created: datetime
    rows: dict[str, int]
    """How many rows each table has."""
    removed: tuple[str, ...]
    """Older backups that were deleted for it, as `keep` asked."""
    seconds: float


class RestoreReport(Record):
    """A ledger that was restored from a backup."""

    url: str
    """Where it is, without a password."""
    revision_of_backup: str
    """The revision that the backup was made at, and the one that the ledger is at now."""
    revision: str
    rows: dict[str, int]
    by_manifest: bool
    """Whether the file was compared with the checksum of its manifest. False: there was none, and its contents were
    checked in its place.
    """
    erased_users_returning: tuple[str, ...]
    """Users who had been erased, and are back with the backup. Erase them again."""
    erasures_carried_over: int
    """Entries about erased users that were taken over from the audit log of the ledger that was replaced."""
    erasures_known: bool | None
    """Whether that log could be read. None: nothing was replaced."""
    kept_aside: str | None
    """Where the damaged file lies that was replaced."""
    seconds: float


class CopyReport(Record):
    """A ledger that was copied and compared."""

    source: str
    target: str
    revision: str
    rows: dict[str, int]
    seconds: float


class UpkeepStep(Record):
    """One step, and why it was left out where it was."""

    name: str
    done: bool
    why: str | None


class MaintenanceReport(Record):
    """What was done to keep a ledger quick and small."""

    steps: tuple[UpkeepStep, ...]
    bytes_before: int | None
    """Bytes of its files before and after; None for one on a server or in memory."""
    bytes_after: int | None
    seconds: float


class Problem(Record):
    """Something about a ledger that somebody should look at."""

    kind: str
    """`unreachable`, `unwritable`, `schema`, `pool`, `wal`, `disk`, `sweep`, `closed`."""
    message: str


class Health(Record):
    """How a ledger is at the moment. True when nothing is wrong."""

    reachable: bool
    writable: bool
    revision: str | None
    head: str
    pool: dict[str, int]
    wal_bytes: int | None
    """Bytes of SQLite's log, and free on its disk; None where they do not apply."""
    disk_free_bytes: int | None
    sweep_lag: float
    """Seconds since a session should have been looked at by a sweep; 0 when none is late."""
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    """What is worth knowing, and no problem by itself."""
    seconds: float
    """Seconds that the answer took."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.ok

    def document(self) -> dict[str, Any]:
        """All of it in plain types, for a health endpoint."""
        return {"ok": self.ok, **self.model_dump(mode="json")}
