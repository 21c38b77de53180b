"""Ledger: a database of conversations, its pool, and its transactions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool

from chatledger import migrate as migrations
from chatledger.backup import health
from chatledger.backup.counts import count_rows
from chatledger.backup.progress import Progress, or_silent
from chatledger.clock import Clock, utc_now
from chatledger.database import Database
from chatledger.enums import Orphans, OrphansLike
from chatledger.errors import InvalidInput
from chatledger.ledger.user_ledger import UserLedger
from chatledger.observers import Observer
from chatledger.schemas.fields import flags, identifier, number
from chatledger.settings import DEFAULT_URL, Preset, Settings

if TYPE_CHECKING:
    from chatledger.backup.maintenance import Vacuum
    from chatledger.schemas import (
        BackupReport,
        CopyReport,
        Health,
        IntegrityReport,
        MaintenanceReport,
        RepairReport,
        RestoreReport,
    )

# Who a repair is in the audit log, where nobody else is named.
REPAIRER = "repair"


class Ledger(UserLedger):
    """A database of conversations.

        ledger = Ledger("sqlite:///chat.db")      # or "postgresql://…"; a bare path is a SQLite file

    Opening looks at the database once: an empty one is migrated to head, one that is behind, ahead or something else is
    refused. `migrate="always"` also upgrades one that is behind; `migrate="never"` does not look. `engine=` shares an
    application's pool instead of making one: its settings stay as they are (on SQLite, foreign keys are switched on for
    the time of our transactions), and `close` leaves it open. `prepared_statements=False` is for a pooler in transaction
    mode, as is `?prepared_statements=false` in the URL.

    A ledger may be used from any number of threads and survives a fork.

    Raises:
        SchemaBehind, SchemaAhead, NotALedger, CorruptDatabase: what is there is not a ledger of this release.
        Unavailable, ReadOnly, Busy: it cannot be opened.
        InvalidInput: the URL is none, or its database is not supported.
    """

    def __init__(
        self,
        url: str | Path | URL | None = None,
        *,
        engine: Engine | None = None,
        settings: Settings | None = None,
        preset: Preset | str | None = None,
        migrate: Literal["empty", "always", "never"] = "empty",
        durability: Literal["normal", "full"] | None = None,
        prepared_statements: bool | None = None,
        clock: Clock = utc_now,
    ) -> None:
        if engine is not None and url is not None:
            raise InvalidInput("engine", "cannot stand beside a URL: it has one of its own")
        if getattr(getattr(engine, "dialect", None), "is_async", False):
            raise InvalidInput(
                "engine",
                "is asynchronous: open the ledger by its URL, or join the transaction of your AsyncSession with "
                "AsyncUnitOfWork(session)",
            )
        if engine is not None and not isinstance(engine, Engine):
            raise InvalidInput("engine", f"must be a SQLAlchemy Engine, not {type(engine).__name__}")
        if migrate not in ("empty", "always", "never"):
            raise InvalidInput("migrate", "is not one of 'empty', 'always', 'never'")
        chosen = chosen_settings(settings, preset, durability, prepared_statements)
        super().__init__(Database(DEFAULT_URL if url is None else url, engine, chosen, clock), user_id=None)
        try:
            self._database.open(migrate)
        except BaseException:
            self.close()
            raise

    def for_user(self, user_id: str) -> UserLedger:
        """The same ledger as one user sees it: other users' sessions do not exist there."""
        return UserLedger(self._database, owner_id(user_id))

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Tell an observer of everything that this ledger does from now on; call what is given back to end that.

        `chatledger.telemetry` has observers for OpenTelemetry and Prometheus.
        """
        return self._database.observers.add(observer)

    def upgrade(self, revision: str = "head") -> None:
        """Migrate up, by default to this release's newest revision."""
        with self._database.translated():
            migrations.upgrade(self._database.engine, revision, dialect=self._database.dialect)

    def downgrade(self, revision: str, *, drop_content: bool = False) -> None:
        """Migrate down. A way down that would drop content, such as to `base`, is refused without `drop_content`.

        Raises:
            InvalidInput: no such revision, or one that is not below where the database stands.
            Conflict: content would be dropped; the error says how many rows of which tables. Nothing was changed.
        """
        with self._database.translated():
            migrations.downgrade(
                self._database.engine, revision, drop_content=drop_content, dialect=self._database.dialect
            )

    def current(self) -> str | None:
        """The revision that the database stands at, or None."""
        with self._database.transaction("read") as connection, self._database.translated():
            return migrations.current(connection, self._database.dialect)

    def info(self) -> dict[str, Any]:
        """What the database is: version, revision, sizes, settings in force, rows, pool."""
        with self._database.transaction("read") as connection, self._database.translated():
            facts = self._database.dialect.facts(connection)
            facts["revision"] = self._database.dialect.state(connection).revision
            if facts["revision"] == migrations.HEAD:
                facts["rows"] = count_rows(connection)
        return {**facts, "head": migrations.HEAD, "url": self.url, "pool": self.pool_status()}

    def check(self, full: bool = True, progress: Callable[[str, int, int], object] | None = None) -> IntegrityReport:
        """Look for everything that is not as it was written. Changes nothing.

        Always: the schema against a freshly migrated one, the database's own check of its files, foreign keys, rows of
        missing sessions, counters and numbers. `full` reads every row as well: digests, JSON, words, times, snapshots,
        timeouts, and the full-text index against the messages. Memory is bounded, whatever the size.

        A damaged ledger is looked at as far as it can be read; the rest is named as `unreadable` or `unchecked`. On
        SQLite writers wait while the schema and the full-text index are looked at, and not for the rest. `progress` is
        told the table, the rows read, and how many there are about (0: not known).

        Raises:
            SchemaBehind, SchemaAhead, NotALedger: the database is no ledger of this release.
            CorruptDatabase: nothing of it can be read.
            Busy, Unavailable, ReadOnly: it cannot be looked at now, or by this user.
        """
        from chatledger.integrity.check import check  # noqa: PLC0415 - most programs do without, here and below

        return check(self._database, full=full, progress=progress)

    def repair(
        self,
        *,
        dry_run: bool = False,
        orphans: OrphansLike = Orphans.KEEP,
        accept_changed: bool = False,
        backup: bool | str | Path = True,
        actor: str | None = REPAIRER,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> RepairReport:
        """Mend what can be mended without guessing, in one transaction; a killed repair leaves everything as it was.

        Triggers, views and indexes are recreated, the full-text index too; counters are recounted and last numbers
        raised; invalid JSON is set aside as text in the session's metadata, under `repaired/…`. Rows of a missing
        session move into an archived and held session, `recovered-` and its id; `orphans="drop"` deletes them
        instead. A message whose digest is not that of its text is only named; `accept_changed` gives it the digest of
        what it says now. What cannot be mended is in `left`, which is a full check of the result. Each kind of act is
        in the audit log, as `repair.` and the kind.

        Before, a SQLite file is copied beside itself, to a file that only its owner can read; `backup` names another
        place, or is False. PostgreSQL is backed up with `pg_dump`. Writers wait. A file with damaged pages is not
        written to: nothing is mended, and `left` says why. `dry_run` does all of it and takes it back. `progress` is
        told of the look at the result, as by `check`; what it raises takes the repair back.

        Raises:
            SchemaBehind, SchemaAhead, NotALedger, CorruptDatabase, Busy, Unavailable, ReadOnly: as `check`.
            InvalidInput: the place of the backup is taken, or on a server.
        """
        from chatledger.integrity.repair import repair  # noqa: PLC0415

        return repair(
            self._database, dry_run=dry_run, orphans=orphans, accept_changed=accept_changed, backup=backup, actor=actor,
            progress=progress,
        )  # fmt: skip

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
        from chatledger.backup import backup  # noqa: PLC0415 - most programs do without, like the others below

        return backup.back_up(self._database, path, keep=keep, overwrite=overwrite, on_progress=or_silent(progress))

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
            InvalidInput: a path or URL that is not valid.
            Unavailable, OutOfSpace, ReadOnly: the new ledger cannot be written.
        """
        flags(overwrite=overwrite)
        from chatledger.backup import restore  # noqa: PLC0415

        return restore.restore(path, url, overwrite=overwrite, on_progress=or_silent(progress), clock=utc_now)

    def copy_to(self, target: str | Path | URL, *, progress: Progress | None = None) -> CopyReport:
        """`copy_ledger` of this ledger, as it is at this moment, into an empty database.

        Raises:
            Conflict, InvalidInput, SchemaError, CorruptDatabase, Busy, Unavailable: as `copy_ledger`.
        """
        from chatledger.backup import copy  # noqa: PLC0415

        return copy.copy_to(self._database, target, or_silent(progress))

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
        cuts it off. Writers wait meanwhile on SQLite, for a vacuum as long as it takes to rewrite the file, with as
        much room again on the disk.

        Raises:
            Busy: somebody held the lock for longer than `busy_timeout`.
            SchemaError: the database is not a ledger of this release.
            OutOfSpace, Unavailable: the files cannot be written.
        """
        flags(analyze=analyze, checkpoint=checkpoint, full_text=full_text)
        from chatledger.backup import maintenance  # noqa: PLC0415

        return maintenance.maintain(
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
        from chatledger.backup import maintenance  # noqa: PLC0415

        return maintenance.sizes(self._database)

    def pool_status(self) -> dict[str, int]:
        """How many connections the pool may hold, holds unused, and has handed out."""
        pool = self._database.engine.pool
        if not isinstance(pool, QueuePool):
            return {}
        out, idle = pool.checkedout(), pool.checkedin()
        most = pool.size() + max(0, getattr(pool, "_max_overflow", 0))
        return {"size": pool.size(), "max": most, "open": out + idle, "in_use": out, "idle": idle}

    @property
    def url(self) -> str:
        """Where the ledger is, with the password hidden."""
        return self._database.url.render_as_string(hide_password=True)

    @property
    def engine(self) -> Engine:
        """The pooled engine, for queries of one's own."""
        return self._database.engine

    def close(self) -> None:
        """Close the pool, unless it is the application's. Closing twice is harmless."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Ledger({self.url!r})"


def owner_id(user_id: str) -> str:
    """A user to limit a ledger to. Raises InvalidInput for an empty one, which would limit it to nobody by mistake."""
    if not identifier(user_id, "user_id"):
        raise InvalidInput("user_id", "must not be empty")
    return user_id


def chosen_settings(
    settings: Settings | None, preset: Preset | str | None, durability: str | None, prepared_statements: bool | None
) -> Settings:
    """The settings of a ledger from what its constructor was given.

    Raises:
        InvalidInput: an unknown preset or durability, or another argument that is not valid.
    """
    if preset is not None and preset not in list(Preset):
        raise InvalidInput("preset", f"{preset!r} is not one of {', '.join(Preset)}")
    if settings is not None and not isinstance(settings, Settings):
        raise InvalidInput("settings", f"must be Settings, not {type(settings).__name__}")
    chosen = settings or (Settings.preset(preset) if preset else Settings())
    given = {"durability": durability, "prepared_statements": prepared_statements}
    changes = {name: value for name, value in given.items() if value is not None}
    return Settings(**{**chosen.model_dump(), **changes}) if changes else chosen
