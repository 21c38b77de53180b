"""Sessions written to a file or to standard output."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO, cast

import typer

from chatledger.cli.failures import fail
from chatledger.cli.neutral import Neutral
from chatledger.cli.opening import opened_for
from chatledger.cli.options import Database, Owner, Project, Since, Until
from chatledger.cli.screen import Screen, counted
from chatledger.exchange.formats import ExportFormat
from chatledger.vocabulary import Status


def export(
    session_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[SESSION_ID]...", show_default=False, help="Else all that match.")
    ] = None,
    format_: Annotated[
        ExportFormat | None, typer.Option("--format", "-f", help="Else by the file's name, else jsonl.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Else standard output.", show_default=False)
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Put the export in the place of a file that is there.")
    ] = False,
    user: Owner = None,
    project: Project = None,
    status: Annotated[
        list[Status] | None, typer.Option("--status", help="May be repeated. Without it: all, expired ones too.")
    ] = None,
    since: Since = None,
    until: Until = None,
    db: Database = None,
) -> None:
    """Write sessions as JSON Lines (to be imported again), JSON, Markdown, or HTML in one file.

    A file is readable by its owner only, and appears when it is complete.
    """
    from chatledger.exchange import export_sessions  # noqa: PLC0415 - the writers are needed here only

    chosen = format_ or _format_of(output)
    with opened_for(db, user) as ledger, writing(output, force=force) as out:
        done = export_sessions(
            ledger, out, format=chosen, session_ids=session_ids or None, project_id=project,
            status=status or None, since=since, until=until,
        )  # fmt: skip
    if output is not None:
        text = f"{counted(done.sessions, 'session')} with {counted(done.messages, 'message')} in {str(output)!r}"
        Screen.errors().line(text)


@contextmanager
def writing(path: Path | None, *, force: bool = False) -> Iterator[TextIO]:
    """Standard output, or a new file that appears under its name when the block has ended well."""
    if path is None:
        # What passes is the same, but a terminal would act upon control characters.
        yield cast(TextIO, Neutral(sys.stdout)) if sys.stdout.isatty() else sys.stdout
        return
    if path.exists() and not path.is_file():
        fail(f"{str(path)!r} is not a file")
    if path.exists() and not force:
        fail(f"{str(path)!r} exists: add --force to put the export in its place")
    # mkstemp: mode 0600.
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".new", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - an open handle
            yield file
        if force:
            Path(name).replace(path)
        else:
            os.link(name, path)  # refuses when somebody made the file meanwhile
    except FileExistsError:
        fail(f"{str(path)!r} exists: add --force to put the export in its place")
    finally:
        Path(name).unlink(missing_ok=True)


def _format_of(path: Path | None) -> ExportFormat:
    endings = {".json": ExportFormat.JSON, ".md": ExportFormat.MARKDOWN, ".html": ExportFormat.HTML}
    return endings.get(path.suffix.lower(), ExportFormat.JSONL) if path else ExportFormat.JSONL
