"""Conversation files read into a ledger."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chatledger.cli.arguments.files import existing_file
from chatledger.cli.arguments.options import AsJson, Database
from chatledger.cli.errors import FAILED, report
from chatledger.cli.open_ledger import file_of, opened
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Screen, counted
from chatledger.exchange.formats import Format
from chatledger.exchange.report import ImportReport, Progress

#: Failures that are listed one by one.
_LISTED = 20


class OnConflict(StrEnum):
    """What becomes of a conversation whose session is there already."""

    ERROR = "error"
    SKIP = "skip"
    NEW = "new"


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, callback=existing_file)],
    format_: Annotated[Format, typer.Option("--format", help="What the file is; found out by itself.")] = Format.AUTO,
    user: Annotated[str | None, typer.Option("--user-id", metavar="USER", help="Whose the sessions become.")] = None,
    project: Annotated[str | None, typer.Option("--project", metavar="PROJECT", help="Where they belong.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help="What answered in them.")] = None,
    on_conflict: Annotated[
        OnConflict, typer.Option(help="Sessions that are there already: named as failures, skipped, or under a new id.")
    ] = OnConflict.ERROR,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, write nothing.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Read conversations from a file. What fails is named; the rest is imported.

    OpenAI chat messages (a list of messages, or records that hold one), ShareGPT, ChatGPT's and Claude's exports,
    OpenAssistant's message trees, and our own JSON Lines export. Branches become forks.
    """
    from chatledger.exchange import import_file  # noqa: PLC0415 - the readers are needed here only

    # A rehearsal must not make a ledger where there is none.
    nowhere = dry_run and (path := file_of(db)) is not None and not path.exists()
    with opened(":memory:" if nowhere else db, new=True) as ledger, _bar() as show:
        done = import_file(
            ledger, file, format=format_, user_id=user, project_id=project, model_id=model, dry_run=dry_run,
            on_conflict=on_conflict.value, progress=show,
        )  # fmt: skip
    if as_json:
        write_document(done)
    else:
        Screen().line(_summary(done))
    for failure in done.failures[:_LISTED]:
        report(str(failure))
    if done.failed > _LISTED:
        report(f"and {counted(done.failed - _LISTED, 'more failure')}")
    if done.failed:
        raise typer.Exit(FAILED)


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - for terminals only
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def show(progress: Progress) -> None:
            words = f"{counted(progress.conversations, 'conversation')}, {counted(progress.messages, 'message')}"
            if progress.failures:
                words += f", {progress.failures:,} failed"
            bar.update(task, total=progress.bytes_total, completed=progress.bytes_read, description=words)

        yield show


def _summary(done: ImportReport) -> str:
    sessions = counted(done.conversations, "conversation")
    if done.forks:
        sessions += f" and {counted(done.forks, 'fork')}"
    summary = f"{sessions} with {counted(done.messages, 'message')}"
    text = f"{'would import' if done.dry_run else 'imported'} {summary} ({done.format.value})"
    if done.skipped:
        text += f", {done.skipped:,} skipped"
    if done.failed:
        text += f", {done.failed:,} failed"
    return text
