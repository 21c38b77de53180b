"""Batches: created from a file, run, watched, tried again, and their results."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.duration import age, duration
from chatledger.cli.arguments.files import existing_file
from chatledger.cli.arguments.options import AsJson, Cursor, Database, Overwrite, Owner, Yes
from chatledger.cli.batches.items import ItemFormat, add_from, create_from
from chatledger.cli.batches.progress import show_jobs, show_progress
from chatledger.cli.batches.run import run
from chatledger.cli.errors import needs_yes
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import encoded, write_document, write_line
from chatledger.cli.output.new_file import writing
from chatledger.cli.output.screen import Screen, counted
from chatledger.enums import ItemStatus
from chatledger.schemas import BatchItem, BatchJob
from chatledger.unit_of_work import UnitOfWork

app = typer.Typer(no_args_is_help=True, help="Batches: jobs of many items, each answered once.")
app.command("run")(run)

_Job = Annotated[str, typer.Argument(metavar="JOB_ID", show_default=False)]
_File = Annotated[
    str,
    typer.Argument(
        metavar="FILE", show_default=False, help="The items; - reads standard input.", callback=existing_file
    ),
]
_Key = Annotated[
    str | None,
    typer.Option("--key", metavar="FIELD", help="The field that is the key of an item. By default, the line number."),
]
_Format = Annotated[
    ItemFormat | None,
    typer.Option("--format", help="By default, chosen by the file name; in other files, each line is a payload."),
]


@app.command()
def create(
    file: _File = "-",
    job_id: Annotated[str | None, typer.Option("--id", metavar="JOB_ID", help="By default, a new id.")] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="For people.")] = None,
    key: _Key = None,
    form: _Format = None,
    max_attempts: Annotated[int, typer.Option(min=1, metavar="N", help="Start an item at most N times.")] = 5,
    backoff: Annotated[
        timedelta, typer.Option(metavar="LENGTH", parser=age, help="Wait up to this long before the second attempt.")
    ] = "1s",  # type: ignore[assignment]  # parsed, as if it were typed
    max_running: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Work on at most N items at once, over all workers.")
    ] = None,
    time_limit: Annotated[
        timedelta | None, typer.Option(metavar="LENGTH", parser=duration, help="The time limit of one attempt.")
    ] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Create a job with the items of a file, and print its id.

    JSON Lines, CSV with a header, or plain lines. An object with a `payload` may have a `key` and a `priority` beside
    it; anything else is itself the payload. If a line is not an item, no job is created.
    """
    settings: dict[str, Any] = {
        "name": name, "max_attempts": max_attempts, "backoff": backoff, "max_running": max_running,
        "time_limit": time_limit,
    }  # fmt: skip
    with opened_for(db, user, new=True) as ledger:
        made, added = create_from(ledger, file, form, key, job_id=job_id, user_id=user, **settings)
    if as_json:
        write_document({"job_id": made.job_id, "added": added})
    else:
        Screen().line(made.job_id)
        Screen.errors().line((counted(added, "item"), "dim"))


@app.command()
def add(
    job_id: _Job,
    file: _File = "-",
    key: _Key = None,
    form: _Format = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Add the items of a file to a job. Keys that the job already has add nothing."""
    with opened_for(db, user) as ledger:
        added = add_from(ledger, job_id, file, form, key)
    if as_json:
        write_document({"job_id": job_id, "added": added})
    else:
        Screen().line(f"{counted(added, 'item')} added")


@app.command()
def status(
    job_id: Annotated[str | None, typer.Argument(metavar="[JOB_ID]", show_default=False, help="Or all jobs.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until the job is finished.")] = False,
    every: Annotated[
        timedelta, typer.Option("--every", metavar="LENGTH", parser=duration, help="With --watch: how often.")
    ] = "2s",  # type: ignore[assignment]  # parsed, as if it were typed
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="Of all jobs: the newest.")] = 50,
    cursor: Cursor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show the progress, speed and errors of a job. With --watch and --json, one line each time."""
    if watch and job_id is None:
        raise typer.BadParameter("needs a job", param_hint="'--watch'")
    with opened_for(db, user) as ledger:
        if job_id is None:
            with ledger.read() as uow:
                page = uow.batches.list(limit=limit, cursor=cursor)
            if as_json:
                write_document({"items": page.items, "next_cursor": page.next_cursor})
            else:
                show_jobs(Screen(), page.items)
            return
        while True:
            with ledger.read() as uow:
                now = uow.batches.progress(job_id)
            if not as_json:
                show_progress(Screen(), now)
            elif watch:
                write_line({**dict(now), "finished": now.finished})
            else:
                write_document({**dict(now), "finished": now.finished})
            sys.stdout.flush()
            if not watch or now.finished:
                return
            time.sleep(every.total_seconds())


@app.command()
def retry(
    job_id: _Job,
    kind: Annotated[str | None, typer.Option(metavar="ERROR", help="Only items that failed with this error.")] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Put failed items back into the queue."""
    with opened_for(db, user) as ledger:
        number = ledger.run(lambda uow: uow.batches.retry_failed(job_id, kind=kind))
    if as_json:
        write_document({"job_id": job_id, "retried": number})
    else:
        Screen().line(f"{counted(number, 'item')} to be tried again")


@app.command()
def pause(job_id: _Job, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Pause a job: workers get no more items, and wait."""
    _become(lambda uow: uow.batches.pause(job_id), user, db, as_json=as_json)


@app.command()
def resume(job_id: _Job, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Resume a paused or cancelled job."""
    _become(lambda uow: uow.batches.resume(job_id), user, db, as_json=as_json)


@app.command()
def cancel(job_id: _Job, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Cancel a job: workers get no more items, and end. Nothing is deleted; `resume` continues."""
    _become(lambda uow: uow.batches.cancel(job_id), user, db, as_json=as_json)


@app.command()
def results(
    job_id: _Job,
    status_: Annotated[ItemStatus | None, typer.Option("--status", help="Only items with this status.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default, standard output.")
    ] = None,
    overwrite: Overwrite = False,
    user: Owner = None,
    db: Database = None,
) -> None:
    """Print items with their results as JSON Lines, in the order in which they were added."""
    number = 0
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.batches.iterate(job_id, status=status_)
        if output is None:
            for item in found:
                write_line(_line(item))
            return
        with writing(output, force=overwrite) as file:
            for number, item in enumerate(found, 1):  # noqa: B007 - counted
                file.write(encoded(_line(item)) + "\n")
    Screen().line(f"{counted(number, 'item')} in {str(output)!r}")


@app.command()
def delete(job_id: _Job, yes: Yes = False, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Delete a job with its items and results. Sessions that were recorded stay."""
    if not yes:
        needs_yes(f"job {job_id!r} would be deleted with its items and results")
    with opened_for(db, user) as ledger:
        number = ledger.run(lambda uow: uow.batches.delete(job_id))
    if as_json:
        write_document({"job_id": job_id, "deleted": number})
    else:
        Screen().line(f"deleted with {counted(number, 'item')}")


def _become(act: Callable[[UnitOfWork], BatchJob], user: str | None, db: str | None, *, as_json: bool) -> None:
    with opened_for(db, user) as ledger:
        job = ledger.run(act)
    if as_json:
        write_document(job)
    else:
        Screen().line(job.status.value)


def _line(item: BatchItem) -> dict[str, Any]:
    return {
        "key": item.key, "status": item.status, "result": item.result, "session_id": item.session_id,
        "attempts": item.attempts, "error_kind": item.error_kind, "error": item.error, "finished_at": item.finished_at,
    }  # fmt: skip
