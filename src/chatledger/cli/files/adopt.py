"""Older databases taken over into a ledger."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from chatledger.adoption import adopt as take_over
from chatledger.adoption.layouts import Layout
from chatledger.adoption.report import AdoptionProgress, AdoptionReport, SourceFinding
from chatledger.cli.arguments.files import existing_file
from chatledger.cli.arguments.options import AsJson, Database, Overwrite
from chatledger.cli.open_ledger import file_of, opened
from chatledger.cli.output.json_output import document, write_document
from chatledger.cli.output.new_file import writing
from chatledger.cli.output.screen import Column, Screen, counted
from chatledger.enums import Orphans

# Keys of a finding that are shown.
_SHOWN = 2

_FINDINGS = (
    Column("Found"), Column("Table"), Column("Count", right=True), Column("Such as", 2, flexible=True),
    Column("What becomes of it", 1, flexible=True),
)  # fmt: skip
_TABLES = (
    Column("Table"), Column("Rows", right=True), Column("Copied", right=True), Column("Kept beside", right=True),
    Column("There already", right=True), Column("Derived", right=True), Column("Left out", right=True),
    Column("Rows left out", 1, flexible=True),
)  # fmt: skip


def adopt(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", show_default=False, callback=existing_file)],
    layout: Annotated[
        Layout, typer.Option("--layout", help="What wrote the source; found out by itself.")
    ] = Layout.AUTO,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what is found, and write nothing.")] = False,
    orphans: Annotated[
        Orphans, typer.Option(help="Messages whose session is gone: kept in recovery sessions, or dropped and named.")
    ] = Orphans.KEEP,
    timezone: Annotated[str, typer.Option("--timezone", metavar="ZONE", help="Of times that name none.")] = "UTC",
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write the whole report to a file, as JSON.", show_default=False),
    ] = None,
    overwrite: Overwrite = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take over an older database: reported, copied in one transaction, and proved.

    The AI-router database, `chat_sessions`, the LLM-session-management schema, and the stores of llm, OpenAI Agents,
    LangChain and Google ADK. The source is read and never written.
    """
    # A rehearsal must not make a ledger where there is none.
    nowhere = dry_run and (path := file_of(db)) is not None and not path.exists()
    # The file for the report is begun first: an adoption that is done should not end with an error.
    written = nullcontext(None) if report is None else writing(report, force=overwrite)
    with opened(":memory:" if nowhere else db, new=True) as ledger, written as out, _bar() as show:
        done = take_over(
            ledger, source, layout=layout, dry_run=dry_run, orphans=orphans, timezone=timezone, progress=show
        )  # fmt: skip
        if out is not None:
            _write(out, done)
    if as_json:
        write_document(done)
    else:
        _show(Screen(), done)


def _write(out: TextIO, done: AdoptionReport) -> None:
    out.write(document(done))


@contextmanager
def _bar() -> Iterator[Callable[[AdoptionProgress], None] | None]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - for terminals only
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("opening", total=None)

        def show(progress: AdoptionProgress) -> None:
            said = f"{progress.step}, {progress.rows_done:,} of {counted(progress.rows_total, 'row')}"
            bar.update(task, total=progress.rows_total, completed=progress.rows_done, description=said)

        yield show


def _show(screen: Screen, done: AdoptionReport) -> None:
    screen.line(f"{done.source!r}: {done.layout.value}, times without a zone read as {done.timezone}")
    screen.line()
    if done.findings:
        screen.table(_FINDINGS, [_finding(found) for found in done.findings])
    else:
        screen.line("nothing is wrong with it")
    screen.line()
    rows = []
    for table in done.tables:
        counts = (table.copied, table.kept, table.already_there, table.derived, table.left_out)
        numbers = [f"{count:,}" if count else "" for count in counts]
        rows.append([table.table, f"{table.rows:,}", *numbers, ", ".join(table.left_out_rows)])
    screen.table(_TABLES, rows)
    screen.line()
    screen.line(_summary(done))


def _finding(found: SourceFinding) -> list[str]:
    examples = ", ".join(_key(key) for key in found.examples[:_SHOWN])
    more = " …" if found.count > _SHOWN else ""
    return [found.kind, found.table, f"{found.count:,}", f"{examples}{more}", found.action]


def _key(key: Any) -> str:
    if isinstance(key, list | tuple):
        return " ".join(map(_key, key))
    if isinstance(key, dict):
        return " ".join(f"{name}={value}" for name, value in key.items())
    return str(key)


def _summary(done: AdoptionReport) -> str:
    what = f"{counted(done.sessions, 'session')} with {counted(done.messages, 'message')}"
    if done.other_rows:
        what += f" and {counted(done.other_rows, 'other row')}"
    if done.already_there:
        what += f", {counted(done.already_there, 'session')} there already"
    if done.dry_run:
        return f"would adopt {what}; nothing was written"
    return f"adopted {what}; every row of the source is accounted for"
