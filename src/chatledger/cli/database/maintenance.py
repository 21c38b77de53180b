"""Keeping a ledger quick and small, and asking how it is."""

from __future__ import annotations

from typing import Annotated

import typer

from chatledger.backup.health import DISK_FREE_BYTES, SWEEP_LAG, TIMEOUT, WAL_BYTES
from chatledger.cli.arguments.options import AsJson, Database
from chatledger.cli.errors import FAILED
from chatledger.cli.open_ledger import opened
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Screen, sized
from chatledger.settings import MIB


def maintain(
    analyze: Annotated[bool, typer.Option("--analyze", help="Update the statistics of the query planner.")] = False,
    vacuum: Annotated[bool, typer.Option("--vacuum", help="Free the space of deleted rows.")] = False,
    checkpoint: Annotated[bool, typer.Option("--checkpoint", help="Truncate SQLite's write-ahead log.")] = False,
    full_text: Annotated[bool, typer.Option("--full-text", help="Merge the full-text index.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild-full-text", help="Build the full-text index again, while others read.")
    ] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Run the maintenance that is named, or all that is useful."""
    every = not (analyze or vacuum or checkpoint or full_text or rebuild)
    with opened(db) as ledger:
        done = ledger.maintain(
            analyze=analyze or every,
            vacuum="auto" if every else vacuum,
            checkpoint=checkpoint or every,
            full_text=full_text or every,
            rebuild_full_text=rebuild,
        )
    if as_json:
        write_document(done)
        return
    screen = Screen()
    width = max(len(step.name) for step in done.steps)
    for step in done.steps:
        screen.line((step.name.replace("_", " ").ljust(width), "bold"), f"  {'done' if step.done else step.why or ''}")
    if done.bytes_before is not None and done.bytes_after is not None:
        screen.line(f"{sized(done.bytes_before)} → {sized(done.bytes_after)}")


def health(
    timeout: Annotated[
        float, typer.Option(min=0.01, metavar="SECONDS", help="Wait this long for the database.")
    ] = TIMEOUT,
    wal: Annotated[
        int, typer.Option(min=0, metavar="MIB", help="Report a larger write-ahead log as a problem.")
    ] = WAL_BYTES // MIB,
    disk_free: Annotated[
        int, typer.Option(min=0, metavar="MIB", help="Report less free disk space as a problem.")
    ] = DISK_FREE_BYTES // MIB,
    sweep_lag: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Report a session that has been due for longer as a problem."),
    ] = SWEEP_LAG,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Check the health of the ledger. Exit code 1 if there is a problem."""
    with opened(db, migrate="never") as ledger:
        found = ledger.health(
            timeout=timeout, wal_bytes=wal * MIB, disk_free_bytes=disk_free * MIB, sweep_lag=sweep_lag
        )
    if as_json:
        write_document(found.document())
    else:
        screen = Screen()
        if found.ok:
            screen.line(("ok", "green"), f" (revision {found.revision})")
        for problem in found.problems:
            screen.line((problem.kind, "bold red"), f"  {problem.message}")
        for note in found.notes:
            screen.line((f"note: {note}", "dim"))
    if not found.ok:
        raise typer.Exit(FAILED)
