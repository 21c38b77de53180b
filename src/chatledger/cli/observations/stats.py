"""Statistics: what is used, by whom and when, how long it takes and how often it fails."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from chatledger.cli.arguments.options import AsJson, Database, IncludeCopies, ModelFilter, Owner, Project, Since, Until
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.escaping import one_line
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Column, Screen, counted, money
from chatledger.schemas import Activity, ContextUse, Latency, Usage, UsageComparison, UsageOf, UsagePeriod
from chatledger.services.statistics.service import Statistics
from chatledger.unit_of_work import UnitOfWork


class View(StrEnum):
    """What to show."""

    OVERVIEW = "overview"
    MODELS = "models"
    PROJECTS = "projects"
    USERS = "users"
    ROLES = "roles"
    SESSIONS = "sessions"
    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    ACTIVITY = "activity"
    LATENCY = "latency"
    ERRORS = "errors"
    CONTEXT = "context"
    COMPARE = "compare"


_BAR = 20
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_PERIODS = frozenset({View.HOURS, View.DAYS, View.WEEKS, View.MONTHS})
_ZONED = _PERIODS | {View.ACTIVITY}
# Views of which no rows can be left out.
_WHOLE = frozenset({View.OVERVIEW, View.ACTIVITY, View.LATENCY, View.COMPARE})
# Rows of sessions and context.
_DEFAULT_LIMIT = 20

_SessionOption = Annotated[
    str | None, typer.Option("--session-id", metavar="SESSION_ID", help="Only of this session.", show_default=False)
]


def stats(
    view: Annotated[View, typer.Argument(metavar="[VIEW]", help=f"One of {', '.join(View)}.")] = View.OVERVIEW,
    since: Since = None,
    until: Until = None,
    tz: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="The time zone of periods, such as Europe/Lisbon.")
    ] = "UTC",
    project: Project = None,
    model: ModelFilter = None,
    session: _SessionOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            min=1,
            metavar="N",
            show_default=False,
            help="The first N rows; of periods, the last N. By default all; 20 of sessions and context.",
        ),
    ] = None,
    include_copies: IncludeCopies = False,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show usage by model, project, user and time, with costs, latency and errors.

    Costs are dollars, times milliseconds. Percentiles are exact, by nearest rank. `compare` needs --since and --until,
    and compares with as long a time right before. A message counts once, also where forks hold copies of it.
    """
    if as_json and as_csv:
        raise typer.BadParameter("give one of them", param_hint="--json / --csv")
    if view is View.COMPARE and as_csv:
        raise typer.BadParameter("is not for compare", param_hint="--csv")
    if view is View.COMPARE and (since is None or until is None):
        raise typer.BadParameter("needs both", param_hint="--since / --until")
    if tz != "UTC" and view not in _ZONED:
        raise typer.BadParameter(f"is for {', '.join(sorted(_ZONED))}", param_hint="--timezone")
    if limit is not None and view in _WHOLE:
        raise typer.BadParameter(f"is not for {view}", param_hint="--limit")
    which: dict[str, Any] = {
        "project_id": project, "model_id": model, "session_id": session, "since": since, "until": until,
        "include_copies": include_copies,
    }  # fmt: skip
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = _ask(uow.statistics, view, which, tz, limit or _DEFAULT_LIMIT)
        if limit is not None:
            found = found[-limit:] if view in _PERIODS else found[:limit]
        models = _without_price(uow, which) if view in (View.OVERVIEW, View.MODELS) else []
    if as_json:
        write_document(found if isinstance(found, BaseModel) else {"items": found})
    elif as_csv:
        _write_csv([found] if isinstance(found, BaseModel) else found, _RECORDS.get(view, UsageOf))
    elif isinstance(found, UsageComparison):
        _show_comparison(found)
    elif isinstance(found, BaseModel):
        _show_one(found)
        if isinstance(found, Usage):
            _hint(found, models)
    elif found:
        _TABLES.get(view, _show_usage)(found)
        _hint(None, models)
    else:
        Screen.errors().line("nothing to count")


def _ask(statistics: Statistics, view: View, which: dict[str, Any], tz: str, limit: int) -> Any:
    asked: dict[View, Callable[[], Any]] = {
        View.OVERVIEW: lambda: statistics.overview(**which),
        View.MODELS: lambda: statistics.by_model(**which),
        View.PROJECTS: lambda: statistics.by_project(**which),
        View.USERS: lambda: statistics.by_user(**which),
        View.ROLES: lambda: statistics.by_role(**which),
        View.SESSIONS: lambda: statistics.by_session(limit=limit, **which),
        View.HOURS: lambda: statistics.by_hour(tz=tz, **which),
        View.DAYS: lambda: statistics.by_day(tz=tz, **which),
        View.WEEKS: lambda: statistics.by_week(tz=tz, **which),
        View.MONTHS: lambda: statistics.by_month(tz=tz, **which),
        View.ACTIVITY: lambda: statistics.activity(tz=tz, **which),
        View.LATENCY: lambda: statistics.latency(**which),
        View.ERRORS: lambda: statistics.errors(**which),
        View.CONTEXT: lambda: statistics.context_use(limit=limit, **which),
        View.COMPARE: lambda: statistics.compare(**which),
    }
    return asked[view]()


def _show_one(found: BaseModel) -> None:
    facts = {name: _cell(name, value) for name, value in found.model_dump().items()}
    if isinstance(found, Usage):
        facts["cost"] = _cost(found)
    width = max(map(len, facts))
    for name, value in facts.items():
        Screen().line((name.replace("_", " ").ljust(width), "bold"), f"  {value or '-'}")


def _show_usage(found: Sequence[Any]) -> None:
    most = max(one.messages for one in found)
    first = "Period" if isinstance(found[0], UsagePeriod) else "Name"
    Screen().table(
        (
            Column(first),
            Column("Messages", right=True),
            Column("", rank=5),
            Column("Tokens", rank=1, right=True),
            Column("Cost", right=True),
            Column("Average ms", rank=3, right=True),
            Column("Errors", rank=2, right=True),
            Column("Cut off", rank=4, right=True),
        ),
        [
            (
                _name(one), f"{one.messages:,}", _bar(one.messages, most), f"{one.total_tokens:,}", _cost(one),
                _cell("average_duration_ms", one.average_duration_ms), _percent(one.error_rate),
                _percent(one.interruption_rate),
            )
            for one in found
        ],
    )  # fmt: skip


def _show_activity(found: Sequence[Any]) -> None:
    """A line for each day, a sign for each hour."""
    most = max(one.messages for one in found)
    screen = Screen()
    screen.line(("     0     6     12    18", "bold"))
    for day, name in enumerate(_DAYS, 1):
        of_day = [one.messages for one in found if one.weekday == day]
        screen.line((name, "bold"), f"  {''.join(_shade(number, most) for number in of_day)}  {sum(of_day):,}")


def _show_context(found: Sequence[ContextUse]) -> None:
    Screen().table(
        (
            Column("ID"), Column("Title", rank=2, flexible=True), Column("Model", rank=1),
            Column("Tokens", right=True), Column("Window", right=True), Column("Full", right=True),
        ),
        [
            (
                one.session_id, one.title or "", one.model_id, f"{one.tokens:,}", f"{one.context_window:,}",
                _percent(one.share),
            )
            for one in found
        ],
    )  # fmt: skip


def _show_comparison(found: UsageComparison) -> None:
    rows = []
    for name in Usage.model_fields:
        change = found.change(name)
        now, before = (
            _cost(usage) if name == "cost" else _cell(name, getattr(usage, name))
            for usage in (found.current, found.previous)
        )
        rows.append((name.replace("_", " "), before, now, "" if change is None else f"{change:+.1%}"))
    columns = (Column("Figure"), Column("Before", right=True), Column("Now", right=True), Column("Change", right=True))
    Screen().table(columns, rows)


_TABLES: dict[View, Callable[[Sequence[Any]], None]] = {View.ACTIVITY: _show_activity, View.CONTEXT: _show_context}


# What the rows of a view are, where they are no `UsageOf`.
_RECORDS: dict[View, type[BaseModel]] = {
    View.OVERVIEW: Usage, View.ACTIVITY: Activity, View.LATENCY: Latency, View.CONTEXT: ContextUse,
    **dict.fromkeys((View.HOURS, View.DAYS, View.WEEKS, View.MONTHS), UsagePeriod),
}  # fmt: skip


def _write_csv(found: Sequence[BaseModel], record: type[BaseModel]) -> None:
    """With a header, also where there is no row: who reads tables needs to know their columns."""
    rows = [one.model_dump() | ({"cost": None} if not getattr(one, "cost_known", True) else {}) for one in found]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*record.model_fields, *record.model_computed_fields])
    for row in rows:
        writer.writerow([_harmless(value) for value in row.values()])


def _harmless(value: Any) -> Any:
    """Nothing that a spreadsheet would run as a formula."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str):
        text = one_line(value)
        return f"'{text}" if text[:1] in "=+-@" and text else text
    return value


def _name(one: Any) -> str:
    if isinstance(one, UsagePeriod):
        hour = one.end.astimezone(one.start.tzinfo) - one.start
        return f"{one.start:%Y-%m-%d %H:%M}" if hour.total_seconds() <= 3600 else f"{one.start:%Y-%m-%d}"
    return one.key or ""


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("cost"):
        return money(value)
    if name.endswith("rate"):
        return _percent(value)
    return f"{value:,}"


def _cost(usage: Usage) -> str:
    """What is known of the cost: at least so much, where answers have none."""
    if not usage.cost_known:
        return "unknown"
    return f"≥ {money(usage.cost) or '$0'}" if usage.priced and usage.unpriced else money(usage.cost)


def _without_price(uow: UnitOfWork, which: dict[str, Any]) -> list[str]:
    """The models of which no message has a cost."""
    return [one.key for one in uow.statistics.by_model(**which) if one.key is not None and not one.cost_known]


def _hint(usage: Usage | None, models: Sequence[str]) -> None:
    if not models:
        return
    screen = Screen.errors()
    what = f"{counted(usage.unpriced, 'answer')} without a cost; " if usage is not None and usage.unpriced else ""
    others = f" and {len(models) - 1} more" if len(models) > 1 else ""
    screen.line(
        f"{what}no price is known for {one_line(models[0])}{others}: set one with `chatledger model price`, then run"
        " `chatledger model reprice`"
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _bar(number: int, most: int) -> str:
    return "█" * round(_BAR * number / most) if most else ""


def _shade(number: int, most: int) -> str:
    return " ▁▂▃▄▅▆▇█"[-(-8 * number // most)] if most else " "
