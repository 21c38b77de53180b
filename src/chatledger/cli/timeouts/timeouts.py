"""Limits of sessions: set, cleared, shown, and who is near or past them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.duration import NONE, ArchiveAfter, Hard, Idle, WarnBefore, age, spelled
from chatledger.cli.arguments.options import Actor, AsJson, Database, Owner
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Column, Screen, when
from chatledger.errors import NotFound
from chatledger.schemas import Due, Timeout, TimeoutDefault, TimeoutReport
from chatledger.schemas.session import KEEP, Keep

app = typer.Typer(no_args_is_help=True, help="Timeouts of sessions, and the sweep that applies them.")

_Session = Annotated[
    str | None, typer.Argument(metavar="[SESSION_ID]", show_default=False, help="Or --default and no session.")
]
_Default = Annotated[bool, typer.Option("--default", help="Those of all sessions that have none of their own.")]
_ForUser = Annotated[
    str | None, typer.Option("--for-user", metavar="USER", help="With --default: of this user's sessions.")
]
_ForProject = Annotated[
    str | None, typer.Option("--for-project", metavar="PROJECT", help="With --default: of this project's sessions.")
]


@app.command("set")
def set_(
    session_id: _Session = None,
    default: _Default = False,
    for_user: _ForUser = None,
    for_project: _ForProject = None,
    idle: Idle = None,
    archive_after: ArchiveAfter = None,
    hard: Hard = None,
    warn_before: WarnBefore = None,
    actor: Actor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Set the timeouts of a session, or default timeouts. Timeouts that are not given stay.

    Without any limit named, one hour idle and 24 hours hard are switched on; `none` switches one off. A session's own
    limits count before those of its user, its project and the whole ledger.
    """
    _require_one(session_id, default, for_user, for_project)
    given: dict[str, timedelta | Keep | None] = {
        "idle_timeout": _given(idle),
        "archive_timeout": _given(archive_after),
        "hard_timeout": _given(hard),
        "warn_before": _given(warn_before),
    }
    with opened_for(db, user) as ledger:
        if session_id is not None:
            own = ledger.run(lambda uow: uow.timeouts.configure(session_id, **given), actor=actor)
            _show(own, as_json=as_json)
            return
        made = ledger.run(
            lambda uow: uow.timeouts.configure_default(user_id=for_user, project_id=for_project, **given), actor=actor
        )
    if as_json:
        write_document(made)
        return
    _show_defaults([made])
    Screen.errors().line(
        ("they hold for sessions that are there, too: see `chatledger timeouts sweep --dry-run`", "dim")
    )


@app.command()
def clear(
    session_id: _Session = None,
    default: _Default = False,
    for_user: _ForUser = None,
    for_project: _ForProject = None,
    actor: Actor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take the limits of a session away, so that the defaults hold for it, or a default."""
    _require_one(session_id, default, for_user, for_project)
    with opened_for(db, user) as ledger:
        if session_id is not None:
            _show(ledger.run(lambda uow: uow.timeouts.clear(session_id), actor=actor), as_json=as_json)
            return
        gone = ledger.run(lambda uow: uow.timeouts.clear_default(user_id=for_user, project_id=for_project), actor=actor)
    if not gone:
        raise NotFound("there is no such default")
    if as_json:
        write_document({"cleared": True})
    else:
        Screen().line("cleared")


@app.command()
def show(
    session_id: Annotated[
        str | None, typer.Argument(metavar="[SESSION_ID]", show_default=False, help="Without it: the defaults.")
    ] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """The limits that hold for a session, from where each comes, and when it is reached. Or the defaults."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        if session_id is not None:
            _show(uow.timeouts.get(session_id), as_json=as_json)
            return
        defaults = uow.timeouts.defaults()
    if as_json:
        write_document({"items": defaults})
    elif defaults:
        _show_defaults(defaults)
    else:
        Screen.errors().line("no defaults")


@app.command()
def due(
    within: Annotated[
        timedelta | None,
        typer.Option(
            "--within", metavar="LENGTH", parser=age, help="Also sessions that become due within this time (1h, 2d)."
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="The longest due first.")] = 1000,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the sessions that a sweep would act on now."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.timeouts.due(within=within, limit=limit)
    if as_json:
        write_document({"items": found})
    elif found:
        show_due(Screen(), found)
    else:
        Screen.errors().line("no session is due")


@app.command()
def report(user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Count sessions by status and timeout."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.timeouts.report()
    if as_json:
        write_document(found)
    else:
        _show_report(Screen(), found)


def show_due(screen: Screen, sessions: Sequence[Due]) -> None:
    """Sessions with what is, was or would be done with them."""
    screen.table(
        (
            Column("ID"),
            Column("Title", rank=5, flexible=True),
            Column("User", rank=3),
            Column("Status", rank=4),
            Column("Action"),
            Column("Limit", rank=1),
            Column("Reached", rank=1),
            Column("Last activity", rank=2),
            Column("Messages", rank=2, right=True),
        ),
        [
            (
                session.session_id,
                session.title or "",
                session.user_id or "",
                session.status.value,
                session.action.value,
                session.limit.value,
                when(session.at),
                when(session.last_activity),
                f"{session.message_count:,}",
            )
            for session in sessions
        ],
    )


def _require_one(session_id: str | None, default: bool, for_user: str | None, for_project: str | None) -> None:
    """A session or a default, and not both."""
    if (session_id is None) is not default:
        raise typer.BadParameter("give one of them", param_hint="SESSION_ID / --default")
    if not default and (for_user is not None or for_project is not None):
        raise typer.BadParameter("needs --default", param_hint="--for-user / --for-project")
    if for_user is not None and for_project is not None:
        raise typer.BadParameter("give one of them", param_hint="--for-user / --for-project")


def _given(typed: timedelta | None) -> timedelta | Keep | None:
    if typed is None:
        return KEEP
    return None if typed == NONE else typed


def _show(timeout: Timeout, *, as_json: bool) -> None:
    if as_json:
        write_document(timeout)
        return
    screen = Screen()
    status = f"{timeout.status.value}, held: no limit is enforced" if timeout.held else timeout.status.value
    screen.line((timeout.session_id, "bold"), f" · {status}")
    limits: tuple[tuple[str, str, timedelta | None, datetime | None], ...] = (
        ("idle", "idle_timeout", timeout.idle_timeout, timeout.idle_at),
        ("archive", "archive_timeout", timeout.archive_timeout, timeout.archive_at),
        ("hard", "hard_timeout", timeout.hard_timeout, timeout.expires_at),
        ("warn before", "warn_before", timeout.warn_before, None),
    )
    screen.table(
        (Column("Limit"), Column("Length"), Column("Set by", rank=2), Column("Reached", rank=1)),
        [
            (name, _length(length), timeout.sources.get(source, ""), when(at) if at else "")
            for name, source, length, at in limits
        ],
    )
    if timeout.warned_at is not None:
        screen.line(f"warned {when(timeout.warned_at)}")


def _show_defaults(defaults: Sequence[TimeoutDefault]) -> None:
    names = ("Idle", "Archive", "Hard", "Warn before")
    rows = []
    for default in defaults:
        lengths = (default.idle_timeout, default.archive_timeout, default.hard_timeout, default.warn_before)
        rows.append((default.scope.value, default.scope_id or "", *map(_said, lengths), when(default.updated_at)))
    columns = (Column("For"), Column("Which"), *map(Column, names), Column("Set", rank=1))
    Screen().table(columns, rows)


def _show_report(screen: Screen, report: TimeoutReport) -> None:
    facts: dict[str, Any] = {
        **report.by_status,
        "held": report.held,
        "with limits": report.limited,
        "to be warned": report.to_warn,
        "at the idle limit": report.at_idle_limit,
        "at the archive limit": report.at_archive_limit,
        "at the hard limit": report.at_hard_limit,
    }
    width = max(map(len, facts))
    digits = max(len(f"{number:,}") for number in facts.values())
    for name, number in facts.items():
        screen.line((name.ljust(width), "bold"), f"  {number:>{digits},}")
    if report.next_check_at is not None:
        screen.line(("next due".ljust(width), "bold"), f"  {when(report.next_check_at)} at the earliest")


def _length(length: timedelta | None) -> str:
    return "none" if length is None else spelled(length)


def _said(length: timedelta | None) -> str:
    """Of a default, which may leave a limit to a wider one."""
    return "" if length is None else spelled(length)
