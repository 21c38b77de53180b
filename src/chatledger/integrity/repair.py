"""A repair: what can be mended without guessing is, in an order in which each step can rely on the ones before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from chatledger import migrate as migrations
from chatledger.callbacks import callback
from chatledger.database import Database
from chatledger.dialects.integrity import Definition, Unreadable
from chatledger.enums import Orphans, OrphansLike
from chatledger.errors import InvalidInput
from chatledger.integrity import batches, counters, orphans, session_names, timeout_rows, usage
from chatledger.integrity.check import look, look_at_full_text, look_at_schema, require_head
from chatledger.integrity.findings import Findings, listed
from chatledger.integrity.quarantine import SettingAside
from chatledger.integrity.schema import recreate
from chatledger.integrity.values import TABLES, Defect, scan
from chatledger.schemas import IntegrityReport, RepairAction, RepairReport
from chatledger.schemas.fields import acting, flags
from chatledger.services import audit
from chatledger.services.base import ServiceContext
from chatledger.services.messages import copies
from chatledger.services.timeouts import limits

NAMES = tuple(table.name for table in TABLES)


# Who a repair is in the audit log, where nobody else is named.
REPAIRER = "repair"


def repair(
    database: Database,
    *,
    dry_run: bool = False,
    orphans: OrphansLike = Orphans.KEEP,
    accept_changed: bool = False,
    backup: bool | str | Path = True,
    actor: str | None = REPAIRER,
    progress: Callable[[str, int, int], object] | None = None,
) -> RepairReport:
    """`Ledger.repair`."""
    flags(dry_run=dry_run, accept_changed=accept_changed)
    if orphans not in list(Orphans):
        raise InvalidInput("orphans", f"is not one of {', '.join(map(repr, map(str, Orphans)))}")
    if (not backup and backup is not False) or not isinstance(backup, bool | str | Path):
        raise InvalidInput("backup", "must be True, False or a path")
    acting(actor)
    progress = callback(progress, "progress")
    copy: Path | None = None
    with database.transaction("write") as connection, database.translated():
        try:
            revision = require_head(connection, database)
            context = ServiceContext(connection, None, database.clock, actor)
            integrity = database.dialect.integrity
            integrity.lock(connection, NAMES)
            wanted = migrations.expected(connection, database.dialect)
            actions: tuple[RepairAction, ...] = ()
            if not integrity.file_faults(connection, NAMES, quick=False).pages:
                if backup is not False and not dry_run:
                    place = None if backup is True else Path(backup)
                    copy = integrity.keep_copy(database.url, place, database.clock())
                differences = migrations.differences(connection, database.dialect, wanted)
                mending = Repair(context, Orphans(orphans), accept_changed=accept_changed)
                actions = mending.run(differences, wanted.definitions)
            findings = Findings()
            look_at_schema(context, findings, wanted)
            look_at_full_text(context, findings)
            look(context, findings, full=True, progress=progress)
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


class Repair:
    """One repair, within one transaction."""

    def __init__(self, context: ServiceContext, orphans: Orphans, *, accept_changed: bool) -> None:
        self._context = context
        self._orphans = orphans
        self._accept_changed = accept_changed
        self._done: list[RepairAction] = []

    def run(self, differences: Sequence[str], definitions: Mapping[str, Definition]) -> tuple[RepairAction, ...]:
        """Mend everything; what was done."""
        integrity = self._context.dialect.integrity
        early = [kind for kind in integrity.mendable if kind not in integrity.last]
        # Triggers first, so that they count what is moved, and the index before the rows that they index.
        self._note("schema", "rebuilt", recreate(self._context, differences, definitions, early))
        self._mend_indexes()
        self._mend_full_text()
        self._mend_names()
        self._mend_orphans()
        self._mend_batches()
        self._mend_numbers()
        self._mend_values()
        self._note("copies", "promoted to originals", list(map(repr, copies.pass_on(self._context, None))))
        self._mend_counters()
        self._mend_usage()
        self._mend_session_names()
        self._mend_timeouts()
        # Constraints last: only now do the rows obey them.
        self._note("schema", "rebuilt", recreate(self._context, differences, definitions, integrity.last))
        return tuple(self._done)

    def _note(self, kind: str, what: str, examples: Sequence[str], count: int | None = None) -> None:
        number = len(examples) if count is None else count
        if number:
            self._done.append(RepairAction(kind=kind, what=what, count=number, examples=listed(examples)))
            audit.record(self._context, f"repair.{kind}", count=number, details={"what": what})

    def _mend_indexes(self) -> None:
        connection, integrity = self._context.connected(), self._context.dialect.integrity
        faults = integrity.file_faults(connection, NAMES, quick=False)
        if faults.indexes:
            self._note("indexes", "rebuilt", self._context.dialect.integrity.rebuild_indexes(connection, NAMES))

    def _mend_full_text(self) -> None:
        connection, integrity = self._context.connected(), self._context.dialect.integrity
        if integrity.full_text_fault(connection) is not None:
            integrity.rebuild_full_text(connection)
            self._note("full_text", "rebuilt", ["chatledger_messages_fts"])

    def _mend_names(self) -> None:
        names = list(orphans.unknown_names(self._context))
        for column, name, _ in names:
            orphans.register(self._context, column, name)
        self._note("names", "registered", [f"{column} {name!r}" for column, name, _ in names])

    def _mend_orphans(self) -> None:
        found = sorted(orphans.find_orphans(self._context), key=lambda orphan: orphan.session_id)
        rows = sum(orphan.rows for orphan in found)
        if self._orphans is Orphans.DROP:
            orphans.drop(self._context, found)
            message = [f"{orphan.table}: {orphan.rows} of {orphan.session_id!r}" for orphan in found]
            self._note("orphans", "deleted", message, rows)
            return
        message = []
        for session_id, group in groupby(found, key=lambda orphan: orphan.session_id):
            message.append(f"{session_id!r} into {orphans.recover(self._context, session_id, list(group))!r}")
        self._note("orphans", "moved into sessions of their own", message, rows)

    def _mend_batches(self) -> None:
        found = list(batches.wrong(self._context))
        for job in found:
            batches.mend(self._context, job)
        self._note("batches", "jobs recreated or recounted", [job.message for job in found])

    def _mend_numbers(self) -> None:
        found = list(counters.below_one(self._context))
        message = []
        for session_id, group in groupby(found, key=lambda place: place[0]):
            numbers = [number for _, number in group]
            message.append(f"{session_id!r} into {orphans.move_below_one(self._context, session_id, numbers)!r}")
        self._note("sequence", "messages without a number moved into sessions of their own", message, len(found))

    def _mend_values(self) -> None:
        wanted = {"json", "words", "times", "full_text", *(("digest",) if self._accept_changed else ())}
        found = [one for one in scan(self._context) if not isinstance(one, Unreadable) and one.kind in wanted]
        aside = SettingAside(self._context)
        for kind, what in (("json", "set aside"), ("words", "mended"), ("times", "set aside")):
            self._note(kind, what, [str(one) for one in found if one.kind == kind and aside.mend(one)])
        texts = [str(one) for one in found if one.kind == "full_text" and aside.index_text(one)]
        self._note("full_text", "texts reindexed", texts)
        changed: list[Defect] = [one for one in found if one.kind == "digest"]
        self._note("digest", "accepted as it is", [str(one) for one in changed if aside.accept(one)])

    def _mend_counters(self) -> None:
        found = list(counters.wrong(self._context))
        counters.recount(self._context, sorted({wrong.session_id for wrong in found}))
        self._note("counters", "recounted", [repr(wrong.session_id) for wrong in found if not wrong.behind])
        self._note("sequence", "last number raised", [repr(wrong.session_id) for wrong in found if wrong.behind])

    def _mend_usage(self) -> None:
        found = list(usage.wrong(self._context))
        usage.recount(self._context, found)
        self._note("usage", "recounted", list(map(repr, found)))

    def _mend_session_names(self) -> None:
        before = list(session_names.wrong(self._context))
        if before:
            session_names.mend(self._context)
            left = set(session_names.wrong(self._context))
            self._note("session_names", "entered again", [one for one in before if one not in left])

    def _mend_timeouts(self) -> None:
        found = list(timeout_rows.forgotten(self._context, self._context.now()))
        for session_id in found:
            limits.arm(self._context, session_id)
        self._note("timeouts", "left to the next sweep", list(map(repr, found)))
