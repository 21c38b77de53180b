"""Backups, restoration and copies of a whole ledger."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from chatledger.backup.copy import copy_ledger
from chatledger.cli.arguments.files import existing_file, refuse_existing
from chatledger.cli.arguments.options import AsJson, Database, Overwrite
from chatledger.cli.errors import report
from chatledger.cli.open_ledger import file_of, opened, url_of
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.progress_bar import bar
from chatledger.cli.output.screen import Screen, counted, sized
from chatledger.ledger.ledger import Ledger


def backup(
    path: Annotated[
        Path, typer.Argument(metavar="[PATH]", help="A file, or a folder in which a name is made.")
    ] = Path(),
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", metavar="N", min=1, help="Keep the newest N backups of the folder, and delete the others."
        ),
    ] = None,
    overwrite: Overwrite = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Back up the whole ledger into one verified file. Writers are not stopped.

    The file is a SQLite ledger whatever database this one lives in, with a manifest (checksum, revision, rows) beside it.
    """
    if not path.is_dir():
        refuse_existing(path, overwrite=overwrite)
    with opened(db, migrate="never") as ledger, bar() as progress:
        done = ledger.backup(path, keep=keep, overwrite=overwrite, progress=progress)
    if as_json:
        write_document(done)
        return
    screen = Screen()
    screen.line((done.path, "bold"), f"  {sized(done.bytes)}, {_rows(done.rows)}, revision {done.revision}")
    for old in done.removed:
        screen.line(f"deleted {old}")


def restore(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The backup.", show_default=False, callback=existing_file)
    ],
    overwrite: Overwrite = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Verify a backup, and restore it as the ledger that --db names.

    Nobody may have that ledger open. A killed restoration leaves the old ledger or the new one.
    """
    replaced = file_of(db)
    if replaced is not None:
        refuse_existing(replaced, overwrite=overwrite)
    with bar() as progress:
        done = Ledger.restore(path, url_of(db), overwrite=overwrite, progress=progress)
    if as_json:
        write_document(done)
    else:
        screen = Screen()
        screen.line((str(replaced.resolve()) if replaced else done.url, "bold"), f" is restored: {_rows(done.rows)}")
        if done.revision != done.revision_of_backup:
            screen.line(f"upgraded from revision {done.revision_of_backup} to {done.revision}")
        if done.erasures_carried_over:
            noted = counted(done.erasures_carried_over, "erasure")
            screen.line(f"{noted} of the replaced ledger stand in the audit log of this one")
        if done.kept_aside:
            screen.line(f"the damaged file is kept as {done.kept_aside}")
    if done.erasures_known is False:
        report("the audit log of the replaced ledger cannot be read: nobody can tell whom it had erased")
    for user in done.erased_users_returning:
        report(f"{user!r} had been erased and is back: run `chatledger erase-user {shlex.quote(user)}` again")


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM_URL", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="TO_URL", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Copy a whole ledger into an empty database, SQLite or PostgreSQL, and compare both.

    One transaction: a copy that fails or is killed leaves the target empty. Run it again then.
    """
    with bar() as progress:
        done = copy_ledger(source, target, progress=progress)
    if as_json:
        write_document(done)
    else:
        Screen().line(f"copied and compared {_rows(done.rows)} to ", (done.target, "bold"))


def _rows(rows: dict[str, int]) -> str:
    sessions, messages = (rows.get(f"chatledger_{name}", 0) for name in ("sessions", "messages"))
    return f"{counted(sessions, 'session')} with {counted(messages, 'message')}"
