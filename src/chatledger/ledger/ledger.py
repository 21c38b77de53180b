"""Ledger: a database of conversations, its pool, and its transactions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool

from chatledger import migrate as migrations
from chatledger.backup import health
from chatledger.backup.progress import Progress, or_silent
from chatledger.clock import Clock, utc_now
from chatledger.database import Database
from chatledger.enums import Orphans, OrphansLike, Severity
from chatledger.errors import CorruptDatabase, InvalidInput
from chatledger.ledger.shared import LedgerOptions, Migrate, SharedLedgers
from chatledger.ledger.user_ledger import UserLedger
from chatledger.observers import Observer
from chatledger.replicas import Replica, ReplicatedDatabase
from chatledger.schemas.fields import flags, identifier, number
from chatledger.settings import DEFAULT_URL, ENVIRONMENT_PREPARED_STATEMENTS, Preset, Settings

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

# How long a read waits for the reader to replay the last commit, in seconds.
READER_WAIT = 0.05
# Who a repair is in the audit log, where nobody else is named.
REPAIRER = "repair"


class Ledger(UserLedger):
    """A database of conversations.

        ledger = Ledger("sqlite:///chat.db")      # or "postgresql://…"; a bare path is a SQLite file

    Opening a ledger reads its revision. An empty database is migrated to this release's revision; a database at another
    revision, or one that holds something else, is refused. `migrate="always"` also upgrades an older ledger;
    `migrate="check"` only looks, and refuses an empty database too; `migrate="never"` does not look. `create=False`
    refuses a missing file or an empty database, and makes no file.
    `check="quick"` runs `check(full=False)` while opening, `check="full"` the full check; a ledger with damage is
    refused. `engine=` uses an application's pool instead of creating one. The engine's settings
    stay as they are (on SQLite, foreign keys are switched on during our transactions), and `close` does not dispose of
    it. `prepared_statements=False` is for a connection pooler in transaction mode, as is `?prepared_statements=false`
    in the URL.

    `reader=` is the URL of a replica of the PostgreSQL server, which has a pool of its own of the same size. `read` and
    `view`, and so statistics, reports, exports, backups and copies, use it when it has replayed everything that this
    ledger has committed. They wait `reader_wait` seconds for that, and then read from the primary, as they do if the
    replica is away. It must be a physical replica of the same database.

    A ledger can be used from any number of threads, and after a fork.

    Raises:
        SchemaBehind, SchemaAhead, NotALedger, CorruptDatabase: the database is not a ledger of this release, there is
            none and `create` is False, or `check` has found damage.
        Unavailable, ReadOnly, Busy: it cannot be opened.
        InvalidInput: the URL is not valid, or its database is not supported; or `reader` is not a replica of it.
    """

    def __init__(
        self,
        url: str | Path | URL | None = None,
        *,
        engine: Engine | None = None,
        settings: Settings | None = None,
        preset: Preset | str | None = None,
        migrate: Migrate = "empty",
        create: bool = True,
        check: Literal["quick", "full"] | None = None,
        durability: Literal["normal", "full"] | None = None,
        prepared_statements: bool | None = None,
        reader: str | URL | None = None,
        reader_wait: float = READER_WAIT,
        clock: Clock = utc_now,
    ) -> None:
        if engine is not None and url is not None:
            raise InvalidInput("engine", "cannot be combined with a URL: an engine has its own")
        if getattr(getattr(engine, "dialect", None), "is_async", False):
            raise InvalidInput(
                "engine",
                "is asynchronous: open the ledger by its URL, or join the transaction of your AsyncSession with "
                "AsyncUnitOfWork(session)",
            )
        if engine is not None and not isinstance(engine, Engine):
            raise InvalidInput("engine", f"must be a SQLAlchemy Engine, not {type(engine).__name__}")
        if migrate not in ("empty", "always", "check", "never"):
            raise InvalidInput("migrate", "is not one of 'empty', 'always', 'check', 'never'")
        if check not in (None, "quick", "full"):
            raise InvalidInput("check", "is not one of 'quick', 'full', None")
        flags(create=create)
        chosen = chosen_settings(settings, preset, durability, prepared_statements)
        database = _database(DEFAULT_URL if url is None else url, engine, chosen, clock, reader, reader_wait)
        super().__init__(database, user_id=None)
        try:
            database.open(migrate, create=create)
            if isinstance(database, ReplicatedDatabase):
                database.open_replica()
            if check is not None:
                self._require_sound(full=check == "full")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def shared(url: str | Path | URL | None = None, **options: Unpack[LedgerOptions]) -> Ledger:
        """Return the ledger of a URL that this process shares: the first call opens it, later ones return the same.

        For libraries and frameworks that build an object for each conversation or request. Each call is to be followed
        by one `close`, as by a `with` block, and the last one closes the ledger. A child process has its parent's
        ledgers after a fork, with new connections. A file is known by its path, however the URL is written.
        The options are those of `Ledger`.

        Raises:
            InvalidInput: the process shares this ledger with other options already.
            SchemaError, CorruptDatabase, Unavailable, ReadOnly, Busy: as `Ledger`.
        """
        return _shared.take(url, dict(options), lambda: Ledger(url, **options))

    def _require_sound(self, *, full: bool) -> None:
        report = self.check(full=full)
        if not report.ok:
            found = ", ".join(f"{one.kind} ({one.count})" for one in report.findings if one.severity is Severity.DEFECT)
            raise CorruptDatabase(f"the check found defects: {found}. Run `chatledger db check`")

    def for_user(self, user_id: str) -> UserLedger:
        """Return a view of the ledger that is limited to one user. Other users' sessions do not exist in it."""
        return UserLedger(self._database, owner_id(user_id))

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Notify an observer of everything this ledger does from now on. Call the returned function to stop.

        `chatledger.telemetry` has observers for OpenTelemetry and Prometheus.
        """
        return self._database.observers.add(observer)

    def upgrade(self, revision: str = "head") -> None:
        """Upgrade the database, by default to this release's newest revision."""
        with self._database.translated():
            migrations.upgrade(self._database.engine, revision, dialect=self._database.dialect)

    def downgrade(self, revision: str, *, drop_content: bool = False) -> None:
        """Downgrade the database. A downgrade that would drop content, such as to `base`, is refused without
        `drop_content`.

        Raises:
            InvalidInput: the revision does not exist, or is not older than the database's.
            Conflict: content would be dropped; the error says how many rows of which tables. Nothing was changed.
        """
        with self._database.translated():
            migrations.downgrade(
                self._database.engine, revision, drop_content=drop_content, dialect=self._database.dialect
            )

    def current(self) -> str | None:
        """Return the revision of the database, or None."""
        with self._database.transaction("read") as connection, self._database.translated():
            return migrations.current(connection, self._database.dialect)

    def info(self) -> dict[str, Any]:
        """Return facts about the database: version, revision, sizes, settings in force, rows, pool.

        `left_behind` names files beside a SQLite file that a killed backup, restore or repair did not remove. The next
        one in the same folder removes them.
        """
        from chatledger.backup.counts import count_rows  # noqa: PLC0415 - most programs do without, here and below
        from chatledger.dialects.leftovers import left_behind  # noqa: PLC0415

        with self._database.transaction("read") as connection, self._database.translated():
            facts = self._database.dialect.facts(connection)
            facts["revision"] = self._database.dialect.state(connection).revision
            if facts["revision"] == migrations.HEAD:
                facts["rows"] = count_rows(connection)
        path = self._database.dialect.file(self._database.url)
        if path is not None and (left := left_behind(path.parent)):
            facts["left_behind"] = [str(file) for file in left]
        return {**facts, "head": migrations.HEAD, "url": self.url, "pool": self.pool_status()}

    def check(self, full: bool = True, progress: Callable[[str, int, int], object] | None = None) -> IntegrityReport:
        """Look for anything that differs from what was written. Changes nothing.

        A check always compares the schema with a freshly migrated one and looks at the database's own check of its
        files, foreign keys, rows whose session is missing, counters and sequence numbers. `full` also reads every row:
        digests, JSON, enum values, times, snapshots, timeouts, and the full-text index against the messages. Memory is
        bounded, whatever the size.

        A damaged ledger is checked as far as it can be read; the rest is reported as `unreadable` or `unchecked`. On
        SQLite, writers wait while the schema and the full-text index are checked, but not during the rest. `progress`
        is called with the table, the rows read so far, and the approximate number of rows (0: not known).

        Raises:
            SchemaBehind, SchemaAhead, NotALedger: the database is not a ledger of this release.
            CorruptDatabase: none of it can be read.
            Busy, Unavailable, ReadOnly: it cannot be checked now, or not by this user.
        """
        from chatledger.integrity.check import check  # noqa: PLC0415

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
        """Repair what can be repaired without guessing, in one transaction. A killed repair changes nothing.

        Triggers, views, indexes and the full-text index are recreated; counters are recounted and last sequence numbers
        are raised. Invalid JSON is kept as text in the session's metadata, under `repaired/…`. Rows of a missing
        session are moved into a new session named `recovered-` and its id, which is archived and on hold;
        `orphans="drop"` deletes them instead. A message whose digest does not match its text is only reported;
        `accept_changed` stores the digest of the present text. What cannot be repaired is in `left`, the result of a
        full check afterwards. Each kind of repair is recorded in the audit log, as `repair.` and the kind.

        A SQLite file is copied first, to a file beside it that only its owner can read. `backup` names another path, or
        is False. Back up PostgreSQL with `pg_dump`. Writers wait. A file with damaged pages is not written to: nothing
        is repaired, and `left` says why. `dry_run` does all of it and rolls back. `progress` is called during the final
        check, as by `check`; if it raises, the repair is rolled back.

        Raises:
            SchemaBehind, SchemaAhead, NotALedger, CorruptDatabase, Busy, Unavailable, ReadOnly: as `check`.
            InvalidInput: the path of the backup exists, or a backup was asked for on a server.
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
        """Write the whole ledger, as it is at this moment, into one file, while other writers go on.

        The file is a SQLite ledger, whichever database this one uses. Only its owner can read it. It is verified and
        flushed to disk before it gets its name. A manifest beside it (the same name and `.json`) has its checksum,
        revision and row counts. If the path is a folder, the file is named `chatledger-TIME-rREVISION.db`, and `keep`
        deletes the oldest backups of this ledger in the folder until that many are left. Backups are recognised by
        their manifests: other files stay, and so do backups of other ledgers and of a ledger that a restore has
        replaced. `overwrite` replaces a regular file and its manifest, but never a part of an open ledger. A SQLite
        ledger is copied page by page, at any revision, including deleted text in free pages; from PostgreSQL every row
        is written. `progress` is called with the step and how far it is.

        Raises:
            Conflict: the file or its manifest exists and `overwrite` was not passed; or the file is a ledger in use; or
                a file with the manifest's name is not a manifest.
            InvalidInput: the path is the ledger itself, a part of a database such as `chat.db-wal`, a device or a FIFO.
            NotALedger, SchemaAhead: the database is not a ledger, or is a ledger of a newer release.
            SchemaBehind: on PostgreSQL, the ledger must be at this release's revision.
            CorruptDatabase: the copy is damaged. No file is left.
            OutOfSpace, ReadOnly, Unavailable: the file cannot be written. No file is left.
        """
        flags(overwrite=overwrite)
        from chatledger.backup import backup  # noqa: PLC0415 - most programs do without, like the others below

        return backup.back_up(self._database, path, keep=keep, overwrite=overwrite, on_progress=or_silent(progress))

    @staticmethod
    def restore(
        path: str | Path, url: str | Path | URL, *, overwrite: bool = False, progress: Progress | None = None
    ) -> RestoreReport:
        """Create a ledger from a backup, in a file or in an empty database on a server.

        The backup is verified first, by the checksum in its manifest or, without a manifest, by SQLite's own full check
        and the digest of every message. A backup of an older release is upgraded in a copy; the backup itself is not
        changed. `overwrite` replaces a ledger that nobody has open: a file in one step, the rows on a server in one
        transaction, so that a kill leaves either the old ledger or the new one. A damaged file that is replaced is kept
        beside it under another name. The audit entries about erased users are carried over from the replaced ledger.
        Users who were erased after the backup was taken, and have come back with it, are named in the report.

        Raises:
            Conflict: a ledger exists already and `overwrite` was not passed.
            Busy: the ledger to be replaced, or the backup, is in use.
            CorruptDatabase: the backup is truncated or changed.
            NotALedger, SchemaAhead: the backup is empty, encrypted, something else or newer than this release; or what
                would be overwritten is not a ledger.
            InvalidInput: a path or URL that is not valid.
            Unavailable, OutOfSpace, ReadOnly: the new ledger cannot be written.
        """
        flags(overwrite=overwrite)
        from chatledger.backup import restore  # noqa: PLC0415

        return restore.restore(path, url, overwrite=overwrite, on_progress=or_silent(progress), clock=utc_now)

    def copy_to(self, target: str | Path | URL, *, progress: Progress | None = None) -> CopyReport:
        """Copy this ledger, as it is at this moment, into an empty database (`copy_ledger`).

        Raises:
            Conflict, InvalidInput, SchemaError, CorruptDatabase, Busy, Unavailable: as `copy_ledger`.
        """
        from chatledger.backup import copy  # noqa: PLC0415

        return copy.copy_to(self._database, target, or_silent(progress))

    def secure(self, role: str, *, leakproof_search: bool = False) -> None:
        """Limit a role of a PostgreSQL server to the rows of one user at a time (row-level security).

        Afterwards a ledger that connects as this role reads and writes through `for_user` only: each of its
        transactions names the user, and the server shows it the rows of that user, whatever SQL is run. Where no user
        is named, there are no rows. The role gets the rights on the tables that a ledger needs. Run it again after an
        upgrade. Superusers and the owner of the tables are not limited.

        `leakproof_search`, which needs a superuser, lets searches of the role use the index of words: it declares the
        server's operator of full text LEAKPROOF for the whole database.

        Raises:
            InvalidInput: the database is SQLite, or the role does not exist or cannot be limited.
            ReadOnly: this connection may not change the tables.
        """
        flags(leakproof_search=leakproof_search)
        with self._database.transaction("migrate") as connection, self._database.translated():
            self._database.dialect.secure(connection, identifier(role, "role"), leakproof_search=leakproof_search)

    def unsecure(self, role: str) -> None:
        """Undo `secure` for a role, and take its rights on the tables back.

        Raises:
            InvalidInput, ReadOnly: as `secure`.
        """
        with self._database.transaction("migrate") as connection, self._database.translated():
            self._database.dialect.unsecure(connection, identifier(role, "role"))

    def maintain(
        self,
        *,
        analyze: bool = True,
        vacuum: Vacuum = "auto",
        checkpoint: bool = True,
        full_text: bool = True,
        rebuild_full_text: bool = False,
    ) -> MaintenanceReport:
        """Keep the ledger fast and small. The report says what was done and what was not worth doing.

        `full_text` merges SQLite's full-text index, and empties the pending list of PostgreSQL's.
        `rebuild_full_text` makes both indexes again, of messages and of sessions, while others read. `vacuum` gives the
        space of deleted rows back; "auto" does so if more than a quarter of a file's pages are free, or a tenth of a
        server's rows are dead. `analyze` refreshes the planner's statistics. `checkpoint` moves SQLite's write-ahead
        log into the file and truncates it. On SQLite, writers wait meanwhile: during a vacuum until the file is
        rewritten, which needs as much free space again on the disk.

        Raises:
            Busy: another connection held the lock for longer than `busy_timeout`.
            SchemaError: the database is not a ledger of this release.
            OutOfSpace, Unavailable: the files cannot be written.
        """
        flags(analyze=analyze, checkpoint=checkpoint, full_text=full_text, rebuild_full_text=rebuild_full_text)
        from chatledger.backup import maintenance  # noqa: PLC0415

        return maintenance.maintain(
            self._database, analyze=analyze, vacuum=vacuum, checkpoint=checkpoint, full_text=full_text,
            rebuild_full_text=rebuild_full_text,
        )  # fmt: skip

    def health(
        self,
        *,
        timeout: float = health.TIMEOUT,
        pool_share: float = health.POOL_SHARE,
        wal_bytes: int = health.WAL_BYTES,
        disk_free_bytes: int = health.DISK_FREE_BYTES,
        sweep_lag: float = health.SWEEP_LAG,
    ) -> Health:
        """Return the state of the ledger for a health endpoint. Takes a few statements, and raises only for invalid
        arguments.

        These are problems: no answer within `timeout` seconds (2); a database that cannot be written; a revision other
        than this release's; a pool of which more than `pool_share` (0.9) is in use; a write-ahead log of SQLite above
        `wal_bytes` (256 MiB); less than `disk_free_bytes` (256 MiB) free on its disk; a session that was due for a
        sweep more than `sweep_lag` seconds ago (3,600). If every connection is in use, the database is not asked.
        """
        number(timeout, "timeout", 0.0, 3600.0)
        number(pool_share, "pool_share")
        number(wal_bytes, "wal_bytes")
        number(disk_free_bytes, "disk_free_bytes")
        number(sweep_lag, "sweep_lag")
        limits = health.Limits(timeout, pool_share, wal_bytes, disk_free_bytes, sweep_lag)
        return health.look(self._database, self.pool_status(), limits)

    def sizes(self) -> dict[str, Any]:
        """Return the bytes of each table and index, and the free bytes. On SQLite this reads the whole file.

        SQLite reports tables and indexes only if its library was built with `dbstat`.
        """
        from chatledger.backup import maintenance  # noqa: PLC0415

        return maintenance.sizes(self._database)

    def pool_status(self) -> dict[str, int]:
        """Return how many connections the pool may open, how many are idle, and how many are in use."""
        pool = self._database.engine.pool
        if not isinstance(pool, QueuePool):
            return {}
        out, idle = pool.checkedout(), pool.checkedin()
        most = pool.size() + max(0, getattr(pool, "_max_overflow", 0))
        return {"size": pool.size(), "max": most, "open": out + idle, "in_use": out, "idle": idle}

    @property
    def url(self) -> str:
        """The URL of the database, with the password hidden."""
        return self._database.url.render_as_string(hide_password=True)

    @property
    def reader(self) -> str | None:
        """The URL of the replica that is read from, with the password hidden, or None."""
        database = self._database
        if not isinstance(database, ReplicatedDatabase):
            return None
        return database.replica.given_url.render_as_string(hide_password=True)

    @property
    def engine(self) -> Engine:
        """The pooled engine, for your own queries."""
        return self._database.engine

    def close(self) -> None:
        """Close the pool, unless it is the application's. Closing twice is harmless.

        A `shared` ledger is closed once it has been closed as many times as it was asked for.
        """
        if _shared.give_back(self):
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Ledger({self.url!r})"


_shared: SharedLedgers[Ledger] = SharedLedgers()


def _database(
    url: str | Path | URL,
    engine: Engine | None,
    settings: Settings,
    clock: Clock,
    reader: str | URL | None,
    wait: float,
) -> Database:
    number(wait, "reader_wait", 0.0, 60.0)
    if reader is None:
        return Database(url, engine, settings, clock)
    return ReplicatedDatabase(url, engine, settings, clock, Replica(reader, settings, clock, wait))


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
    if settings is None and preset is None and prepared_statements is None:
        prepared_statements = _prepared_statements_of_environment()
    chosen = settings or (Settings.preset(preset) if preset else Settings())
    given = {"durability": durability, "prepared_statements": prepared_statements}
    changes = {name: value for name, value in given.items() if value is not None}
    return Settings(**{**chosen.model_dump(), **changes}) if changes else chosen


def _prepared_statements_of_environment() -> bool | None:
    word = os.environ.get(ENVIRONMENT_PREPARED_STATEMENTS, "").strip().lower()
    if word not in ("", "true", "false"):
        raise InvalidInput("prepared_statements", f"{ENVIRONMENT_PREPARED_STATEMENTS} must be true or false")
    return word == "true" if word else None
