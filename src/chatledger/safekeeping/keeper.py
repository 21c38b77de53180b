"""What a ledger does for its own safety: backups, copies, upkeep, and telling how it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool

from chatledger.clock import utc_now
from chatledger.housekeeping import Housekeeping
from chatledger.safekeeping import health
from chatledger.safekeeping.progress import Progress, heard
from chatledger.schemas.fields import flags, number

if TYPE_CHECKING:
    from chatledger.safekeeping.upkeep import Vacuum
    from chatledger.schemas import BackupReport, CopyReport, Health, MaintenanceReport, RestoreReport


class Safekeeping(Housekeeping):
    """On a whole ledger, never on what is one user's."""

    def backup(
        self,
        path: str | Path,
        *,
        keep: int | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> BackupReport:
        """Write the whole ledger, as it is at this moment, into one file, while others write on.

        The file is a SQLite ledger whatever database this one lives in, readable by its owner only, and is verified and
        on the disk before it gets its name. A manifest beside it (the same name and `.json`) has its checksum, revision
        and rows. In a folder the name is made: `chatledger-TIME-rREVISION.db`; `keep` then deletes the oldest backups of
        this ledger in that folder but the newest so many. It goes by the manifests: other files stay, and so do backups
        of other ledgers and of the one that a restored ledger replaced. `overwrite` replaces a regular file and its
        manifest, and never a part of a ledger in use. A SQLite ledger is copied by its pages, at any revision, deleted
        text in free pages included; on PostgreSQL every row is written out. `progress` is told what is done and how far.

        Raises:
            Conflict: the file or its manifest exists already, and `overwrite` was not asked for; or the file is a ledger
                in use; or what has the manifest's name is not a manifest.
            InvalidInput: the ledger itself, a part of a database such as `chat.db-wal`, a device or a FIFO.
            NotALedger, SchemaAhead: there is no ledger, or one of a newer release.
            SchemaBehind: on PostgreSQL, the ledger must be at this release's revision.
            CorruptDatabase: what was copied is damaged. No file is left.
            OutOfSpace, ReadOnly, Unavailable: the file cannot be written. None is left.
        """
        flags(overwrite=overwrite)
        from chatledger.safekeeping import backing_up  # noqa: PLC0415 - most programs do without, like the others below

        return backing_up.back_up(self._database, path, keep=keep, overwrite=overwrite, tell=heard(progress))

    @staticmethod
    def restore(
        path: str | Path, url: str | Path | URL, *, overwrite: bool = False, progress: Progress | None = None
    ) -> RestoreReport:
        """Make a ledger of a backup, in a file or in an empty database on a server.

        The backup is verified first: by the checksum of its manifest, or where there is none by SQLite's own full check
        and the digest of every message. An older one is upgraded, as a copy; the backup is not touched. With `overwrite`
        it takes the place of a ledger that nobody has open: a file is replaced in one step, a server's rows in one
        transaction, so that a kill leaves the old ledger or the new one. A damaged file that is replaced is kept beside
        it under another name. What the replaced ledger's audit log says of erased users goes over to the new one; users
        who were erased since the backup and are back with it are named in the report.

        Raises:
            Conflict: there is a ledger already, and `overwrite` was not asked for.
            Busy: the ledger that is to be replaced is in use, or the backup is.
            CorruptDatabase: the backup is cut off, or a byte of it has changed.
            NotALedger, SchemaAhead: the backup is empty, encrypted, something else or newer than this release; or what
                would be overwritten is no ledger.
            InvalidInput, Unavailable, OutOfSpace, ReadOnly
        """
        flags(overwrite=overwrite)
        from chatledger.safekeeping import restoring  # noqa: PLC0415

        return restoring.restore(path, url, overwrite=overwrite, tell=heard(progress), clock=utc_now)

    def copy_to(self, target: str | Path | URL, *, progress: Progress | None = None) -> CopyReport:
        """`copy_ledger` of this ledger, as it is at this moment, into an empty database.

        Raises:
            Conflict, InvalidInput, SchemaError, CorruptDatabase, Busy, Unavailable: as `copy_ledger`.
        """
        from chatledger.safekeeping import copying  # noqa: PLC0415

        return copying.copy_to(self._database, target, heard(progress))

    def maintain(
        self,
        *,
        analyze: bool = True,
        vacuum: Vacuum = "auto",
        checkpoint: bool = True,
        full_text: bool = True,
    ) -> MaintenanceReport:
        """Keep the ledger quick and small; the report says what was done and what was not worth it.

        `full_text` merges the index of SQLite, and empties the list beside that of PostgreSQL. `vacuum` gives back the
        room of deleted rows: by itself ("auto") when more than a quarter of a file's pages are free, or a tenth of a
        server's rows are dead. `analyze` renews the planner's figures. `checkpoint` brings SQLite's log into the file and
        cuts it off. Writers wait meanwhile on SQLite, for a vacuum as long as it takes to write the file anew, with as
        much room again on the disk.

        Raises:
            Busy: somebody held the lock for longer than `busy_timeout`.
            SchemaError, OutOfSpace, Unavailable
        """
        flags(analyze=analyze, checkpoint=checkpoint, full_text=full_text)
        from chatledger.safekeeping import upkeep  # noqa: PLC0415

        return upkeep.maintain(
            self._database, analyze=analyze, vacuum=vacuum, checkpoint=checkpoint, full_text=full_text
        )

    def health(
        self,
        *,
        timeout: float = health.TIMEOUT,
        pool_share: float = health.POOL_SHARE,
        wal_bytes: int = health.WAL_BYTES,
        disk_free_bytes: int = health.DISK_FREE_BYTES,
        sweep_lag: float = health.SWEEP_LAG,
    ) -> Health:
        """How the ledger is, for a health endpoint: a few statements, and nothing is raised but for wrong arguments.

        A problem is: no answer within `timeout` seconds (2); a database that cannot be written; a revision that is not
        this release's; a pool of which more than `pool_share` (0.9) is in use; a log of SQLite above `wal_bytes`
        (256 MiB); less than `disk_free_bytes` (256 MiB) free on its disk; a session that a sweep should have looked at
        more than `sweep_lag` seconds ago (3,600). Where all connections are in use the database is not asked.
        """
        number(timeout, "timeout", 0.0, 3600.0)
        number(pool_share, "pool_share")
        number(wal_bytes, "wal_bytes")
        number(disk_free_bytes, "disk_free_bytes")
        number(sweep_lag, "sweep_lag")
        limits = health.Limits(timeout, pool_share, wal_bytes, disk_free_bytes, sweep_lag)
        return health.look(self._database, self.pool_status(), limits)

    def sizes(self) -> dict[str, Any]:
        """Bytes of each table and index, and what is free. On SQLite it reads the whole file.

        SQLite tells of tables and indexes only where its library was built with `dbstat`.
        """
        from chatledger.safekeeping import upkeep  # noqa: PLC0415

        return upkeep.sizes(self._database)

    def pool_status(self) -> dict[str, int]:
        """How many connections the pool may hold, holds unused, and has handed out."""
        pool = self._database.engine.pool
        if not isinstance(pool, QueuePool):
            return {}
        out, idle = pool.checkedout(), pool.checkedin()
        most = pool.size() + max(0, getattr(pool, "_max_overflow", 0))
        return {"size": pool.size(), "max": most, "open": out + idle, "in_use": out, "idle": idle}
