"""Sessions written to a file or to standard output."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import Database, Overwrite, Owner, Project, Since, Until
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.new_file import writing, writing_bytes
from chatledger.cli.output.screen import Screen, counted
from chatledger.enums import Status
from chatledger.exchange.formats import ExportFormat, TableFormat, TableOf

Form = StrEnum("Form", {form.value: form.value for form in (*ExportFormat, *TableFormat)})  # type: ignore[misc]  # functional
"""Every form that there is."""


def export(
    session_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SESSION_ID]...", show_default=False, help="By default, all that match."),
    ] = None,
    format_: Annotated[
        Form | None, typer.Option("--format", "-f", help="By default, chosen by the file name, or jsonl.")
    ] = None,
    table: Annotated[TableOf, typer.Option("--table", help="What the rows of csv and parquet are.")] = TableOf.MESSAGES,
    guard: Annotated[
        bool,
        typer.Option(
            "--guard/--no-guard", help="In CSV, put a ' before text that a spreadsheet would run as a formula."
        ),
    ] = True,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="By default, standard output.", show_default=False),
    ] = None,
    force: Overwrite = False,
    user: Owner = None,
    project: Project = None,
    status: Annotated[
        list[Status] | None, typer.Option("--status", help="Only this status. May be repeated. By default, all.")
    ] = None,
    since: Since = None,
    until: Until = None,
    db: Database = None,
) -> None:
    """Write sessions as JSON Lines (to be imported again), JSON, Markdown, or HTML in one file.

    openai and sharegpt are training sets for fine-tuning, without unfinished answers.

    csv and parquet are tables, for spreadsheets and notebooks: of messages, or of sessions.

    A file is readable by its owner only, and appears when it is complete.
    """
    from chatledger.exchange import export_sessions, export_table  # noqa: PLC0415 - the writers are needed here only

    chosen = format_ or _format_of(output)
    choice: dict[str, Any] = {
        "session_ids": session_ids or None, "project_id": project, "status": status or None, "since": since,
        "until": until,
    }  # fmt: skip
    with opened_for(db, user) as ledger:
        if chosen.value in list(TableFormat):
            opening: Any = writing_bytes if chosen.value == TableFormat.PARQUET else writing
            with opening(output, force=force) as file:
                done = export_table(ledger, file, format=chosen.value, of=table, guard=guard, **choice)
        else:
            with writing(output, force=force) as out:
                done = export_sessions(ledger, out, format=chosen.value, **choice)
    if output is not None:
        of_sessions = chosen.value in list(TableFormat) and table is TableOf.SESSIONS
        messages = "" if of_sessions else f" with {counted(done.messages, 'message')}"
        Screen.errors().line(f"{counted(done.sessions, 'session')}{messages} in {str(output)!r}")


def _format_of(path: Path | None) -> Form:
    endings = {".json": "json", ".md": "markdown", ".html": "html", ".csv": "csv", ".parquet": "parquet"}
    return Form(endings.get(path.suffix.lower(), "jsonl")) if path else Form("jsonl")
