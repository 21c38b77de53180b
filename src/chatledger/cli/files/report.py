"""A page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import (
    Database,
    IncludeCopies,
    ModelFilter,
    Overwrite,
    Owner,
    Project,
    Since,
    Until,
)
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.new_file import writing
from chatledger.cli.output.screen import Screen
from chatledger.clock import utc_now


def report(
    path: Annotated[Path, typer.Argument(metavar="OUT.html", show_default=False, help="The HTML file to write.")],
    title: Annotated[str, typer.Option("--title", metavar="TEXT")] = "Conversations",
    tz: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Of days and hours, such as Europe/Lisbon.")
    ] = "UTC",
    by: Annotated[
        str | None, typer.Option("--by", metavar="PERIOD", help="day, week or month. By default, chosen by the length.")
    ] = None,
    force: Overwrite = False,
    project: Project = None,
    model: ModelFilter = None,
    user: Owner = None,
    since: Since = None,
    until: Until = None,
    include_copies: IncludeCopies = False,
    db: Database = None,
) -> None:
    """Write an HTML page with plots of cost, tokens, latency, activity and users.

    With --since the time until now (or --until) is held against the same length before. The page holds titles and names,
    and no messages.
    """
    from chatledger.report import write_report  # noqa: PLC0415 - nobody else needs pages

    filters: dict[str, Any] = {
        "project_id": project,
        "model_id": model,
        "since": since,
        "until": until,
        "include_copies": include_copies,
    }
    if since is not None and until is None:
        filters["until"] = utc_now()
    with opened_for(db, user) as ledger, writing(path, force=force) as out:
        write_report(ledger, out, title=title, tz=tz, period=by, **filters)
    Screen.errors().line(f"the report is in {str(path)!r}")
