"""Numbers over time: recorded, listed, put into periods, purged."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.duration import age
from chatledger.cli.arguments.options import (
    AsJson,
    Cursor,
    Database,
    Metadata,
    ModelFilter,
    Owner,
    Project,
    Since,
    Until,
    Yes,
    pairs,
)
from chatledger.cli.arguments.times import TIME_HELP, moment
from chatledger.cli.errors import fail, needs_yes
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Column, Screen, counted, when
from chatledger.errors import InvalidInput

# A field of one of many, as `record_many` names it.
_PLACE = re.compile(r"metrics\[(\d+)\]\.(.+)")

app = typer.Typer(no_args_is_help=True, help="Numbers with a name, a unit and a time.")

_Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
_OfName = Annotated[str | None, typer.Argument(metavar="[NAME]", show_default=False, help="Else every one.")]
_OfUnit = Annotated[str | None, typer.Option("--unit", metavar="UNIT", help="Only in this unit.")]
_OfSession = Annotated[str | None, typer.Option("--session-id", metavar="ID", help="Only of this session.")]
# Lines that are recorded in one transaction.
_BATCH = 5000


class Period(StrEnum):
    """What a series is divided into."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@app.command()
def record(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", show_default=False, help="Without it: JSON Lines from stdin.")
    ] = None,
    value: Annotated[float | None, typer.Argument(metavar="[VALUE]", show_default=False)] = None,
    unit: Annotated[str | None, typer.Option("--unit", metavar="UNIT", help="Such as s, ms, tokens.")] = None,
    session_id: Annotated[str | None, typer.Option("--session-id", metavar="ID", help="It goes with it.")] = None,
    for_user: Annotated[
        str | None, typer.Option("--for-user", metavar="USER", help="The owner of the session.")
    ] = None,
    project: Annotated[str | None, typer.Option("--project", metavar="PROJECT", help="Of which project.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help="Of which model.")] = None,
    metadata: Metadata = None,
    at: Annotated[
        datetime | None,
        typer.Option("--at", metavar="TIME", parser=moment, help=f"When it was measured; else now. {TIME_HELP}"),
    ] = None,
    user: Owner = None,
    db: Database = None,
) -> None:
    """Record a number. Without a name, record one for each line of input, such as {"name": "latency", "value": 0.4}.

    Lines are recorded 5,000 at a time, each time all or none. A wrong line is named, and nothing behind it is recorded.
    """
    if (name is None) is not (value is None):
        raise typer.BadParameter("give both or neither", param_hint="NAME VALUE")
    with opened_for(db, user) as ledger:
        if name is not None and value is not None:
            given, number = pairs(metadata), value
            ledger.run(
                lambda uow: uow.metrics.record(
                    name, number, unit, session_id=session_id, user_id=for_user, model_id=model, project_id=project,
                    metadata=given, at=at,
                )
            )  # fmt: skip
            return
        done = 0
        for lines, batch in _batches():
            try:
                done += ledger.run(lambda uow, batch=batch: uow.metrics.record_many(batch))  # type: ignore[misc]
            except InvalidInput as error:
                if (place := _PLACE.fullmatch(error.field)) is None:
                    raise
                wrong = f"line {lines[int(place[1])]}: {place[2]}: {error.reason}"
                fail(f"{wrong} (recorded {counted(done, 'number')}, of the lines before)")
    Screen().line(f"recorded {done:,}")


@app.command("list")
def list_(
    name: _OfName = None,
    unit: _OfUnit = None,
    session_id: _OfSession = None,
    project: Project = None,
    model: ModelFilter = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most 1,000.")] = 20,
    cursor: Cursor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Numbers as they were measured, newest first."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        page = uow.metrics.list(
            name, unit=unit, session_id=session_id, project_id=project, model_id=model, since=since, until=until,
            limit=limit, cursor=cursor,
        )  # fmt: skip
    if as_json:
        write_document({"items": page.items, "next_cursor": page.next_cursor})
        return
    columns = (Column("Name"), Column("Value", right=True), Column("Unit"), Column("When"), Column("Session", rank=1))
    more = (Column("User", rank=2), Column("Model", rank=3), Column("Project", rank=4))
    if page.items:
        Screen().table(
            (*columns, *more),
            [
                (each.name, f"{each.value:g}", each.unit or "", when(each.at), each.session_id or "",
                 each.user_id or "", each.model_id or "", each.project_id or "")
                for each in page.items
            ],
        )  # fmt: skip
    else:
        Screen.errors().line("no metrics")
    if page.next_cursor:
        Screen.errors().line((f"more with --cursor {page.next_cursor}", "dim"))


@app.command()
def series(
    name: _Name,
    by: Annotated[Period, typer.Option("--by", help="The length of a period, in UTC.")] = Period.DAY,
    unit: _OfUnit = None,
    session_id: _OfSession = None,
    project: Project = None,
    model: ModelFilter = None,
    since: Since = None,
    until: Until = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show count, sum, minimum, maximum and average for each period."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.metrics.series(
            name, by.value, unit=unit, session_id=session_id, project_id=project, model_id=model, since=since,
            until=until,
        )  # fmt: skip
    if as_json:
        write_document({"items": found})
        return
    _show_figures("Period", [(when(point.start), point) for point in found])


@app.command()
def names(user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """List the names of metrics."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.metrics.names()
    if as_json:
        write_document(found)
        return
    for name in found:
        Screen().line(name)


@app.command()
def summary(
    name: _OfName = None,
    session_id: _OfSession = None,
    project: Project = None,
    model: ModelFilter = None,
    since: Since = None,
    until: Until = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show count, sum, minimum, maximum and average over the whole time."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.metrics.summary(
            name, session_id=session_id, project_id=project, model_id=model, since=since, until=until
        )
    if as_json:
        write_document({"items": found})
        return
    _show_figures("Name", [(each.name, each) for each in found])


@app.command()
def purge(
    older_than: Annotated[
        timedelta,
        typer.Option("--older-than", metavar="LENGTH", parser=age, help="Measured longer ago than this (90d, 12h)."),
    ],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Only of this name.")] = None,
    yes: Yes = False,
    user: Owner = None,
    db: Database = None,
) -> None:
    """Delete old numbers for good."""
    with opened_for(db, user) as ledger:
        if not yes:
            with ledger.read() as uow:
                count = uow.metrics.purge(older_than=older_than, name=name, dry_run=True)
            needs_yes(f"{counted(count, 'number')} would be deleted")
        gone = ledger.run(lambda uow: uow.metrics.purge(older_than=older_than, name=name))
    Screen().line(f"deleted {counted(gone, 'number')}")


def _show_figures(first: str, rows: list[tuple[str, Any]]) -> None:
    if not rows:
        Screen.errors().line("no metrics")
        return
    figures = ("Count", "Sum", "Min", "Max", "Avg")
    Screen().table(
        (Column(first), Column("Unit"), *(Column(title, right=True) for title in figures)),
        [
            (
                title,
                each.unit or "",
                f"{each.count:,}",
                *(f"{each.__dict__[word]:g}" for word in ("sum", "min", "max", "avg")),
            )
            for title, each in rows
        ],
    )


def _batches() -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Numbers to record together, each with its line."""
    lines: list[int] = []
    batch: list[dict[str, Any]] = []
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            if batch:
                yield lines, batch
            fail(f"line {number} is not a JSON object: what stands before it is recorded")
        lines.append(number)
        batch.append(given)
        if len(batch) == _BATCH:
            yield lines, batch
            lines, batch = [], []
    if batch:
        yield lines, batch
