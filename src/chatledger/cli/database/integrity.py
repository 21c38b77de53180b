"""Whether the database is whole, and mending what is not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import AsJson, Database, Yes
from chatledger.cli.errors import FAILED, needs_yes
from chatledger.cli.open_ledger import opened
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Screen, counted
from chatledger.enums import Orphans, Severity
from chatledger.schemas import IntegrityReport, RepairReport


def check(
    quick: Annotated[
        bool, typer.Option("--quick", help="Check schema, file, foreign keys and counters, but not every row.")
    ] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Check the database for damage. Exit code 1 if something is wrong."""
    with opened(db, migrate="never") as ledger, _bar() as show:
        report = ledger.check(not quick, show)
    if as_json:
        write_document({"ok": report.ok, **dict(report)})
    else:
        _show(Screen(), report)
    if not report.ok:
        raise typer.Exit(FAILED)


def repair(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")] = False,
    orphans: Annotated[
        Orphans, typer.Option(help="Rows of missing sessions: keep them in sessions of their own, or drop them.")
    ] = Orphans.KEEP,
    accept_changed: Annotated[
        bool,
        typer.Option("--accept-changed", help="Accept messages whose digest differs."),
    ] = False,
    backup: Annotated[
        Path | None,
        typer.Option("--backup", metavar="PATH", help="Where to copy a SQLite file before.", show_default="beside it"),
    ] = None,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Make no copy before.")] = False,
    yes: Yes = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Repair what can be repaired without guessing, in one transaction. Exit code 1 if something is left.

    A SQLite file is copied first. On PostgreSQL, pg_dump is the backup.
    """
    if backup is not None and no_backup:
        raise typer.BadParameter("cannot be combined with --no-backup", param_hint="'--backup'")
    if not yes and not dry_run:
        needs_yes("a repair changes the database (--dry-run shows how)")
    with opened(db, migrate="never") as ledger, _bar() as show:
        done = ledger.repair(
            dry_run=dry_run,
            orphans=orphans,
            accept_changed=accept_changed,
            backup=backup if backup is not None else not no_backup,
            progress=show,
        )
    if as_json:
        written = {**dict(done), "backup": None if done.backup is None else str(done.backup)}
        write_document({"ok": done.ok, **written, "left": {"ok": done.ok, **dict(done.left)}})
    else:
        screen = Screen()
        _show_acts(screen, done, copied=not no_backup)
        _show(screen, done.left)
    if not done.ok:
        raise typer.Exit(FAILED)


def _show(screen: Screen, report: IntegrityReport) -> None:
    for finding in report.findings:
        style = "bold red" if finding.severity is Severity.DEFECT else "bold"
        screen.line((f"{_words(finding.kind)}: {counted(finding.count, finding.severity.value)}", style))
        for example in finding.examples:
            screen.line(f"  {example}")
        if finding.count > len(finding.examples) > 1:
            screen.line("  …")
        screen.line((f"  {finding.remedy}", "dim"))
    if report.ok:
        screen.line(("ok", "green"), f" (revision {report.revision}{'' if report.full else ', quick'})")


def _show_acts(screen: Screen, done: RepairReport, *, copied: bool) -> None:
    if done.backup is not None:
        screen.line(f"copied to {str(done.backup)!r}")
    elif done.actions and not done.dry_run and copied:
        screen.line("no copy was made: pg_dump is the backup of a server")
    if not done.actions:
        screen.line("nothing was mended" if not done.ok else "nothing to mend")
    for act in done.actions:
        screen.line((f"{_words(act.kind)}: {act.count:,} {'would be ' if done.dry_run else ''}{act.what}", "bold"))
        for example in act.examples:
            screen.line(f"  {example}")


def _words(kind: str) -> str:
    return kind.replace("_", " ")


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - for terminals only
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking", total=None)

        def show(table: str, rows: int, total: int) -> None:
            how: dict[str, Any] = {"total": max(total, rows)} if total else {}
            bar.update(task, completed=rows, description=f"{table}: {rows:,} rows", **how)

        yield show
