"""Whether a ledger is whole, and mending what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from chatledger import migrate as migrations
from chatledger.callbacks import callback
from chatledger.enums import Orphans
from chatledger.errors import InvalidInput
from chatledger.housekeeping import Housekeeping
from chatledger.schemas.fields import acting, flags
from chatledger.services.base import ServiceContext

if TYPE_CHECKING:
    from chatledger.schemas import IntegrityReport, RepairAction, RepairReport
    from chatledger.services.integrity.findings import Findings

#: Who a repair is in the audit log, where nobody else is named.
REPAIRER = "repair"


class Inspection(Housekeeping):
    """A whole ledger, looked at and mended."""

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
        flags(full=full)
        from chatledger.schemas import IntegrityReport  # noqa: PLC0415 - as the next two
        from chatledger.services.integrity import looking  # noqa: PLC0415 - most programs do without, here and below
        from chatledger.services.integrity.findings import Findings  # noqa: PLC0415

        progress = callback(progress, "progress")
        findings = Findings()
        core = self._database
        with core.transaction("write") as connection, core.translated():
            revision = self._require_head(connection)
            context = ServiceContext(connection, None, core.clock)
            _look_at_schema(context, findings, migrations.expected(connection, core.dialect))
            if full:
                looking.look_at_full_text(context, findings)
            connection.rollback()
        with core.transaction("read") as connection, core.translated():
            looking.look(ServiceContext(connection, None, core.clock), findings, full=full, progress=progress)
        return IntegrityReport(revision=revision, findings=findings.all(), full=full)

    def repair(
        self,
        *,
        dry_run: bool = False,
        orphans: Orphans | str = Orphans.KEEP,
        accept_changed: bool = False,
        backup: bool | str | Path = True,
        actor: str | None = REPAIRER,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> RepairReport:
        """Mend what can be mended without guessing, in one transaction; a killed repair leaves everything as it was.

        Triggers, views and indexes are made anew, and the full-text index; counters are counted and last numbers raised;
        invalid JSON is set aside as text in the session's metadata, under `repaired/…`. Rows of a missing session move
        into an archived and held session, `recovered-` and its id; `orphans="drop"` deletes them instead. A message whose
        digest is not that of its text is only named; `accept_changed` gives it the digest of what it says now. What
        cannot be mended is in `left`, which is a full check of the result. Each kind of act is in the audit log, as
        `repair.` and the kind.

        Before, a SQLite file is copied beside itself, to a file that only its owner can read; `backup` names another
        place, or is False. PostgreSQL is backed up with `pg_dump`. Writers wait. A file with damaged pages is not
        written to: nothing is mended, and `left` says why. `dry_run` does all of it and takes it back. `progress` is
        told of the look at the result, as by `check`; what it raises takes the repair back.

        Raises:
            SchemaBehind, SchemaAhead, NotALedger, CorruptDatabase, Busy, Unavailable, ReadOnly: as `check`.
            InvalidInput: the place of the backup is taken, or on a server.
        """
        flags(dry_run=dry_run, accept_changed=accept_changed)
        from chatledger.schemas import IntegrityReport, RepairReport  # noqa: PLC0415
        from chatledger.services.integrity import looking  # noqa: PLC0415
        from chatledger.services.integrity.findings import Findings  # noqa: PLC0415
        from chatledger.services.integrity.repairing import NAMES, Repair  # noqa: PLC0415

        if orphans not in list(Orphans):
            raise InvalidInput("orphans", f"is not one of {', '.join(map(repr, map(str, Orphans)))}")
        if (not backup and backup is not False) or not isinstance(backup, bool | str | Path):
            raise InvalidInput("backup", "must be True, False or a path")
        core = self._database
        acting(actor)
        progress = callback(progress, "progress")
        copy: Path | None = None
        with core.transaction("write") as connection, core.translated():
            try:
                revision = self._require_head(connection)
                context = ServiceContext(connection, None, core.clock, actor)
                integrity = core.dialect.integrity
                integrity.lock(connection, NAMES)
                wanted = migrations.expected(connection, core.dialect)
                actions: tuple[RepairAction, ...] = ()
                if not integrity.file_faults(connection, NAMES, quick=False).pages:
                    if backup is not False and not dry_run:
                        place = None if backup is True else Path(backup)
                        copy = integrity.keep_copy(core.url, place, core.clock())
                    differences = migrations.differences(connection, core.dialect, wanted)
                    mending = Repair(context, Orphans(orphans), accept_changed=accept_changed)
                    actions = mending.run(differences, wanted.definitions)
                findings = Findings()
                _look_at_schema(context, findings, wanted)
                looking.look_at_full_text(context, findings)
                looking.look(context, findings, full=True, progress=progress)
            except BaseException:
                if copy is not None:
                    copy.unlink()  # nothing has been changed
                raise
            if dry_run or not actions:
                connection.rollback()
        if copy is not None and not actions:
            copy.unlink()
            copy = None
        left = IntegrityReport(revision=revision, findings=findings.all())
        return RepairReport(dry_run=dry_run, backup=copy, actions=actions, left=left)

    def _require_head(self, connection: Connection) -> str | None:
        state = self._database.dialect.state(connection)
        migrations.require_head(state)
        return state.revision


def _look_at_schema(context: ServiceContext, findings: Findings, wanted: migrations.Expected) -> None:
    with findings.probing(context, "schema"):
        findings.add("schema", *migrations.differences(context.connected(), context.dialect, wanted))
