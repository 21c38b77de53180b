"""Conversation files read into a ledger."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chatledger.cli.arguments.duration import duration
from chatledger.cli.arguments.options import AsJson, Database
from chatledger.cli.errors import FAILED, fail, report
from chatledger.cli.open_ledger import file_of, opened
from chatledger.cli.output.json_output import write_document, write_line
from chatledger.cli.output.screen import Screen, counted
from chatledger.exchange.formats import Format
from chatledger.exchange.report import ImportReport, Progress

# Failures that are listed one by one.
_LISTED = 20


class OnConflict(StrEnum):
    """What becomes of a conversation whose session is there already."""

    UPDATE = "update"
    ERROR = "error"
    SKIP = "skip"
    NEW = "new"


def _existing(paths: list[Path]) -> list[Path]:
    """Files and folders to read."""
    for path in paths:
        if not path.exists():
            fail(f"no file {str(path)!r}")
    return paths


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False, callback=_existing)],
    format_: Annotated[Format, typer.Option("--format", help="What the files are; found out by itself.")] = Format.AUTO,
    user: Annotated[str | None, typer.Option("--user-id", metavar="USER", help="Whose the sessions become.")] = None,
    project: Annotated[str | None, typer.Option("--project", metavar="PROJECT", help="Where they belong.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help="What answered in them.")] = None,
    on_conflict: Annotated[
        OnConflict | None,
        typer.Option(
            help="Sessions that are there already: extended by new messages, named as failures, skipped, or under a new "
            "id. By default, update.",
            show_default=False,
        ),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update/--no-update", help="Extend sessions that are there already, or skip them.")
    ] = True,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse conversations with characters that cannot be stored, or unread text."),
    ] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Also read files of folders that have not changed since the last import.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on importing what is new, until you press Ctrl-C.")
    ] = False,
    every: Annotated[
        timedelta, typer.Option("--every", metavar="LENGTH", parser=duration, help="With --watch: the interval.")
    ] = "5s",  # type: ignore[assignment]  # parsed, as if it were typed
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, write nothing.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Read conversations from files, ZIP archives and folders. What fails is named; the rest is imported.

    Chat messages of OpenAI, Anthropic, Gemini and the AI SDK (a list of messages, or records that hold one), ShareGPT,
    ChatGPT's and Claude's exports (as downloaded), OpenAssistant's message trees, transcripts of Claude Code, Codex and
    Gemini CLI, and our own JSON Lines export. Branches become forks. Conversations that are there already get the
    messages that are new. Files of folders that have not changed since the last import are not read again.
    """
    from chatledger.exchange.importer import Importer  # noqa: PLC0415 - the readers are needed here only

    conflict = on_conflict or (OnConflict.UPDATE if update else OnConflict.SKIP)
    # A rehearsal must not make a ledger where there is none.
    nowhere = dry_run and (path := file_of(db)) is not None and not path.exists()
    with opened(":memory:" if nowhere else db, new=True) as ledger, _bar() as show:
        done: ImportReport | None = None
        while done is None or watch:
            if done is not None:
                time.sleep(every.total_seconds())
            work = Importer(
                ledger, format=format_, user_id=user, project_id=project, model_id=model, dry_run=dry_run,
                on_conflict=conflict.value, strict=strict, reread=reread, progress=show,
            )  # fmt: skip
            try:
                work.run(files)
            except KeyboardInterrupt:
                report(f"interrupted: {_summary(work.report())}. Run the command again to import the rest")
                raise
            before, done = done, work.report()
            if before is None or _is_news(done, before):
                _tell(done, as_json=as_json, lines=watch)
                sys.stdout.flush()
    if done.failed:
        raise typer.Exit(FAILED)


def _is_news(done: ImportReport, before: ImportReport) -> bool:
    """Whether a look at files that are watched is worth a line: something was imported, or fails now."""
    return bool(done.conversations or done.messages) or (done.failed, done.failures) != (before.failed, before.failures)


def _tell(done: ImportReport, *, as_json: bool, lines: bool) -> None:
    if as_json and lines:
        write_line(done)
    elif as_json:
        write_document(done)
    else:
        Screen().line(_summary(done))
    _list("warning: ", done.warnings, done.warned, "more warning")
    _list("", done.failures, done.failed, "more failure")
    if done.ignored:
        report(f"not read, because they are of no known format: {', '.join(done.ignored[:_LISTED])}")


def _list(prefix: str, listed: Sequence[object], count: int, others: str) -> None:
    for one in listed[:_LISTED]:
        report(f"{prefix}{one}")
    if count > _LISTED:
        report(f"and {counted(count - _LISTED, others)}")


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
    text = f"{'would import' if done.dry_run else 'imported'} {summary}"
    if done.files or not done.files_unchanged:
        text += f" ({done.files:,} files)" if done.files > 1 else f" ({done.format.value})"
    if done.extended:
        text += f", {done.extended:,} extended"
    if done.unchanged:
        text += f", {done.unchanged:,} unchanged"
    if done.files_unchanged:
        text += f", {counted(done.files_unchanged, 'file')} unchanged"
    if done.skipped:
        text += f", {done.skipped:,} skipped"
    if done.failed:
        text += f", {done.failed:,} failed"
    return text
