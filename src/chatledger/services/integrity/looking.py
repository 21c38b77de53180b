"""A check of the rows: the quick one asks the database, the full one reads every row as well."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import func, select

from chatledger.dialects.integrity import Unreadable
from chatledger.models.copies import holders
from chatledger.services.integrity import batches, comparisons, counters, orphans, schedules, usage, workflows
from chatledger.services.integrity.findings import NAMED, Findings
from chatledger.services.integrity.stored import TABLES, Progress, scan
from chatledger.services.rows import sessions
from chatledger.services.work import Work

_OURS = tuple(table.name for table in TABLES)


def look(work: Work, findings: Findings, *, full: bool, progress: Progress | None = None) -> None:
    """Add what is wrong with the rows."""
    with findings.probing(work, "file"):
        look_at_file(work, findings, full=full)
    with findings.probing(work, "orphans"):
        for orphan in orphans.orphaned(work):
            said = f"{orphan.table}: {orphan.rows} of missing session {orphan.session_id!r}"
            findings.add("orphans", said, count=orphan.rows)
    with findings.probing(work, "batches"):
        for job in batches.wrong(work):
            findings.add("batches", job.said)
    with findings.probing(work, "comparisons"):
        for table, group_id, number in comparisons.groupless(work):
            findings.add("groupless", f"{table}: {number} of missing comparison {group_id!r}", count=number)
    with findings.probing(work, "executions"):
        for execution_id, number in workflows.executionless(work):
            findings.add("executions", f"{number} steps of missing execution {execution_id!r}", count=number)
        for execution_id in workflows.stepless(work):
            findings.add("executions", f"execution {execution_id!r} has no steps")
    with findings.probing(work, "counters"):
        for wrong in counters.wrong(work):
            findings.add("sequence" if wrong.behind else "counters", f"{wrong.session_id!r}: {wrong.said}")
    with findings.probing(work, "usage"):
        for session_id in usage.wrong(work):
            findings.add("usage", repr(session_id))
    with findings.probing(work, "sequence numbers"):
        for session_id, number in counters.below_one(work):
            findings.add("sequence", f"{session_id!r} #{number}")
    with findings.probing(work, "copies"):
        for session_id in work.execute(holders()).scalars():
            findings.add("copies", repr(session_id))
    if full:
        with findings.probing(work, "timeouts"):
            for session_id in schedules.forgotten(work, work.now()):
                findings.add("timeouts", repr(session_id))
        with findings.probing(work, "results"):
            for job_id, number in batches.unheld(work):
                findings.add("results", f"{job_id!r} item {number}")
        with findings.probing(work, "sessions of comparisons"):
            for group_id, session_id in comparisons.without_session(work):
                findings.add("comparisons", f"{session_id!r} of comparison {group_id!r}")
        with findings.probing(work, "names"):
            for column, name, number in orphans.unknown_names(work):
                findings.add("names", f"{column} {name!r}, in {number} rows")
        with findings.probing(work, "forks"):
            for session_id in schedules.rootless(work):
                findings.add("forks", repr(session_id))
        _look_at_rows(work, findings, progress)


def look_at_file(work: Work, findings: Findings, *, full: bool) -> None:
    """Add what the database says of its files."""
    faults = work.dialect.integrity.file_faults(work.connected(), _OURS, quick=not full)
    findings.add("file", *faults.pages)
    findings.add("indexes", *faults.indexes)
    findings.add("unused", *faults.unused)
    if not full:  # a full check says which rows, under other kinds
        findings.add("constraints", *faults.constraints)


def look_at_full_text(work: Work, findings: Findings) -> None:
    """Add what is wrong with the full-text index."""
    with findings.probing(work, "full text"):
        fault = work.dialect.integrity.full_text_fault(work.connected())
        if fault is not None:
            findings.add("full_text", fault)


def _look_at_rows(work: Work, findings: Findings, progress: Progress | None) -> None:
    for table in TABLES:
        with findings.probing(work, table.name):
            for defect in scan(work, (table,), _telling(work, table.name, progress)):
                if isinstance(defect, Unreadable):
                    findings.add("unreadable", *defect.places[:NAMED], count=defect.rows)
                else:
                    findings.add(defect.kind, str(defect))


def _telling(work: Work, table: str, progress: Progress | None) -> Callable[[str, int], object] | None:
    if progress is None:
        return None
    # Messages are not counted, which would read them all: the sessions' counters say about how many there are.
    count = func.sum(sessions.c.message_count) if table == "chatledger_messages" else None
    if count is None:
        return lambda name, number: progress(name, number, 0)
    total = int(work.execute(select(func.coalesce(count, 0))).scalar_one())
    return lambda name, number: progress(name, number, total)
