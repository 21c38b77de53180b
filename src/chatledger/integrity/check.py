"""A check of a ledger: the quick one asks the database, the full one reads every row as well."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, func, select

from chatledger import migrate as migrations
from chatledger.callbacks import callback
from chatledger.database import Database
from chatledger.dialects.integrity import Unreadable
from chatledger.integrity import (
    batches,
    comparisons,
    counters,
    orphans,
    session_names,
    timeout_rows,
    tool_calls,
    usage,
    workflows,
)
from chatledger.integrity.findings import NAMED, Findings
from chatledger.integrity.values import TABLES, Progress, scan
from chatledger.models.copy_promotion import holders
from chatledger.schemas import IntegrityReport
from chatledger.schemas.fields import flags
from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions

_OURS = tuple(table.name for table in TABLES)


def check(
    database: Database, *, full: bool = True, progress: Callable[[str, int, int], object] | None = None
) -> IntegrityReport:
    """`Ledger.check`."""
    flags(full=full)
    progress = callback(progress, "progress")
    findings = Findings()
    with database.transaction("write") as connection, database.translated():
        revision = require_head(connection, database)
        context = ServiceContext(connection, None, database.clock)
        look_at_schema(context, findings, migrations.expected(connection, database.dialect))
        if full:
            look_at_full_text(context, findings)
        connection.rollback()
    with database.transaction("read") as connection, database.translated():
        look(ServiceContext(connection, None, database.clock), findings, full=full, progress=progress)
    return IntegrityReport(revision=revision, findings=findings.all(), full=full)


def require_head(connection: Connection, database: Database) -> str | None:
    """The revision of a ledger that is at this release's.

    Raises:
        SchemaBehind, SchemaAhead, NotALedger: it is not.
    """
    state = database.dialect.state(connection)
    migrations.require_head(state)
    return state.revision


def look_at_schema(context: ServiceContext, findings: Findings, wanted: migrations.Expected) -> None:
    """Add what differs from a freshly migrated database."""
    with findings.probing(context, "schema"):
        findings.add("schema", *migrations.differences(context.connected(), context.dialect, wanted))


def look(context: ServiceContext, findings: Findings, *, full: bool, progress: Progress | None = None) -> None:
    """Add what is wrong with the rows."""
    with findings.probing(context, "file"):
        look_at_file(context, findings, full=full)
    with findings.probing(context, "orphans"):
        for orphan in orphans.find_orphans(context):
            message = f"{orphan.table}: {orphan.rows} of missing session {orphan.session_id!r}"
            findings.add("orphans", message, count=orphan.rows)
    with findings.probing(context, "batches"):
        for job in batches.wrong(context):
            findings.add("batches", job.message)
    with findings.probing(context, "comparisons"):
        for table, group_id, number in comparisons.groupless(context):
            findings.add("groupless", f"{table}: {number} of missing comparison {group_id!r}", count=number)
    with findings.probing(context, "executions"):
        for execution_id, number in workflows.executionless(context):
            findings.add("executions", f"{number} steps of missing execution {execution_id!r}", count=number)
        for execution_id in workflows.stepless(context):
            findings.add("executions", f"execution {execution_id!r} has no steps")
    with findings.probing(context, "counters"):
        for wrong in counters.wrong(context):
            findings.add("sequence" if wrong.behind else "counters", f"{wrong.session_id!r}: {wrong.message}")
    with findings.probing(context, "usage"):
        for session_id in usage.wrong(context):
            findings.add("usage", repr(session_id))
    with findings.probing(context, "names of sessions"):
        for wrong_name in session_names.wrong(context):
            findings.add("session_names", wrong_name)
    with findings.probing(context, "sequence numbers"):
        for session_id, number in counters.below_one(context):
            findings.add("sequence", f"{session_id!r} #{number}")
    with findings.probing(context, "copies"):
        for session_id in context.execute(holders()).scalars():
            findings.add("copies", repr(session_id))
    if full:
        with findings.probing(context, "timeouts"):
            for session_id in timeout_rows.forgotten(context, context.now()):
                findings.add("timeouts", repr(session_id))
        with findings.probing(context, "results"):
            for job_id, number in batches.unheld(context):
                findings.add("results", f"{job_id!r} item {number}")
        with findings.probing(context, "sessions of comparisons"):
            for group_id, session_id in comparisons.without_session(context):
                findings.add("comparisons", f"{session_id!r} of comparison {group_id!r}")
        with findings.probing(context, "names"):
            for column, name, number in orphans.unknown_names(context):
                findings.add("names", f"{column} {name!r}, in {number} rows")
        with findings.probing(context, "parents"):
            for session_id in session_names.parentless(context):
                findings.add("parents", repr(session_id))
        with findings.probing(context, "forks"):
            for session_id in timeout_rows.rootless(context):
                findings.add("forks", repr(session_id))
        with findings.probing(context, "tool calls"):
            for kind, session_id, number in tool_calls.unpaired(context):
                findings.add(kind, f"{session_id!r} #{number}")
        _look_at_rows(context, findings, progress)


def look_at_file(context: ServiceContext, findings: Findings, *, full: bool) -> None:
    """Add what the database says of its files."""
    faults = context.dialect.integrity.file_faults(context.connected(), _OURS, quick=not full)
    findings.add("file", *faults.pages)
    findings.add("indexes", *faults.indexes)
    findings.add("unused", *faults.unused)
    if not full:  # a full check says which rows, under other kinds
        findings.add("constraints", *faults.constraints)


def look_at_full_text(context: ServiceContext, findings: Findings) -> None:
    """Add what is wrong with the full-text index."""
    with findings.probing(context, "full text"):
        fault = context.dialect.integrity.full_text_fault(context.connected())
        if fault is not None:
            findings.add("full_text", fault)


def _look_at_rows(context: ServiceContext, findings: Findings, progress: Progress | None) -> None:
    for table in TABLES:
        with findings.probing(context, table.name):
            for defect in scan(context, (table,), _telling(context, table.name, progress)):
                if isinstance(defect, Unreadable):
                    findings.add("unreadable", *defect.places[:NAMED], count=defect.rows)
                else:
                    findings.add(defect.kind, str(defect))


def _telling(context: ServiceContext, table: str, progress: Progress | None) -> Callable[[str, int], object] | None:
    if progress is None:
        return None
    # Messages are not counted, which would read them all: the sessions' counters say about how many there are.
    count = func.sum(sessions.c.message_count) if table == "chatledger_messages" else None
    if count is None:
        return lambda name, number: progress(name, number, 0)
    total = int(context.execute(select(func.coalesce(count, 0))).scalar_one())
    return lambda name, number: progress(name, number, total)
