"""Sessions: created, listed, forked, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.duration import NewArchiveAfter, NewHard, NewIdle
from chatledger.cli.arguments.options import (
    Actor,
    AsJson,
    Cursor,
    Database,
    Metadata,
    ModelFilter,
    Owner,
    Project,
    Reason,
    SessionId,
    Since,
    Until,
    Yes,
    pairs,
)
from chatledger.cli.errors import needs_yes
from chatledger.cli.open_ledger import opened, opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Column, Screen, counted, money, when
from chatledger.enums import SessionOrder, Status
from chatledger.schemas import Session, ToolCall
from chatledger.unit_of_work import UnitOfWork

_PAGE = 1000


def create(
    session_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The id of the session. By default, a new UUIDv7.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user-id", metavar="USER", help="The owner of the session.")] = None,
    project: Annotated[
        str | None, typer.Option("--project", metavar="PROJECT", help="Registered if it is new.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help="Registered if it is new.")] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT")] = None,
    system_prompt: Annotated[str | None, typer.Option("--system-prompt", metavar="TEXT")] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Unique within the user and the project.")
    ] = None,
    parent: Annotated[
        str | None, typer.Option("--parent", metavar="ID", help="The session that it is deleted with.")
    ] = None,
    metadata: Metadata = None,
    idle: NewIdle = None,
    archive_after: NewArchiveAfter = None,
    hard: NewHard = None,
    if_not_exists: Annotated[
        bool, typer.Option("--if-not-exists", help="Leave a session that has the id or the name already as it is.")
    ] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Create a session, and print its id."""
    if if_not_exists and session_id is None and name is None:
        raise typer.BadParameter("needs --id or --name", param_hint="'--if-not-exists'")
    fields: dict[str, Any] = {
        "user_id": user, "project_id": project, "model_id": model, "title": title, "system_prompt": system_prompt,
        "metadata": pairs(metadata), "idle_timeout": idle, "archive_timeout": archive_after, "hard_timeout": hard,
        "name": name, "parent": parent,
    }  # fmt: skip

    def begin(uow: UnitOfWork) -> Session:
        return uow.sessions.get_or_create(session_id, **fields)

    with opened(db, new=True) as ledger:
        if if_not_exists:
            session = (ledger if user is None else ledger.for_user(user)).run(begin)
        else:
            # Not limited to the user: whoever has the database may put somebody's first session into a project.
            session = ledger.create(session_id, **fields)
    _show(session, as_json=as_json)


def list_(
    user: Owner = None,
    project: Project = None,
    model: ModelFilter = None,
    status: Annotated[
        list[Status] | None,
        typer.Option("--status", help="Only this status. May be repeated. By default, all except expired."),
    ] = None,
    annotated: Annotated[
        str | None, typer.Option("--annotated", metavar="LABEL", help="Only sessions with this label.")
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", "-m", metavar="KEY=VALUE", help="Only those with this entry. May be repeated."),
    ] = None,
    name_prefix: Annotated[
        str | None, typer.Option("--name-prefix", metavar="TEXT", help="Only sessions whose name begins with it.")
    ] = None,
    parent: Annotated[
        str | None, typer.Option("--parent", metavar="ID", help="Only the children of this session.")
    ] = None,
    forked_from: Annotated[
        str | None, typer.Option("--forked-from", metavar="ID", help="Only the direct forks of this session.")
    ] = None,
    order: Annotated[
        SessionOrder,
        typer.Option("--order", help="A minus reverses the order. By name, only sessions that have one are listed."),
    ] = SessionOrder.RECENT,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most 1,000.")] = 20,
    cursor: Cursor = None,
    everything: Annotated[bool, typer.Option("--all", help="All pages.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List sessions, by default by their last activity, newest first."""
    found: list[Session] = []
    entries = pairs(metadata)
    with opened_for(db, user) as ledger, ledger.read() as uow:
        while True:
            page = uow.sessions.list(
                project_id=project, model_id=model, status=status or None, annotated=annotated,
                metadata=entries, name_prefix=name_prefix, parent=parent, forked_from=forked_from, order=order,
                since=since, until=until,
                limit=_PAGE if everything else limit, cursor=cursor,
            )  # fmt: skip
            found += page.items
            cursor = page.next_cursor
            if not (everything and cursor):
                break
    if as_json:
        write_document({"items": found, "next_cursor": cursor})
        return
    if found:
        show_table(Screen(), found)
    else:
        Screen.errors().line("no sessions")
    if cursor:
        Screen.errors().line((f"more with --cursor {cursor}", "dim"))


def fork(
    session_id: SessionId,
    at: Annotated[int | None, typer.Option("--at", min=1, metavar="N", help="The last message to copy.")] = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="By default, the title of the original.")
    ] = None,
    new_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The id of the copy. By default, a new UUIDv7.")
    ] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Copy a session, up to a message, into a new one. Prints the new id."""
    with opened_for(db, user) as ledger:
        session = ledger.run(lambda uow: uow.sessions.fork(session_id, at=at, title=title, new_session_id=new_id))
    _show(session, as_json=as_json)
    warn_of_open_calls(session.open_calls)


def delete(
    session_id: SessionId,
    yes: Yes = False,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
) -> None:
    """Delete a session with its messages and its child sessions. The deletion is recorded in the audit log."""
    with opened_for(db, user) as ledger:
        if not yes:
            with ledger.read() as uow:
                count = uow.sessions.get(session_id, include_expired=True).message_count
                children = uow.sessions.count(parent=session_id, status=list(Status))
            below = f" and {counted(children, 'child session')}" if children else ""
            needs_yes(f"session {session_id!r} would be deleted with {counted(count, 'message')}{below}")
        ledger.run(lambda uow: uow.sessions.delete(session_id, reason=reason), actor=actor)
    Screen().line(f"deleted {session_id}")


_NAME = Column("Name", rank=2)
_COLUMNS = (
    Column("ID"),
    Column("Title", flexible=True),
    Column("User", rank=3),
    Column("Model", rank=6, flexible=True),
    Column("Status", rank=5),
    Column("Messages", rank=2, right=True),
    Column("Tokens", rank=4, right=True),
    Column("Cost", rank=4, right=True),
    # The order of the list, so it goes last.
    Column("Last activity", rank=1),
)


def show_table(screen: Screen, sessions: Sequence[Session]) -> None:
    """Sessions as people read them."""
    named = any(session.name is not None for session in sessions)
    screen.table(
        (_COLUMNS[0], _NAME, *_COLUMNS[1:]) if named else _COLUMNS,
        [
            (
                session.session_id,
                *([session.name or ""] if named else []),
                session.title or "",
                session.user_id or "",
                session.model_id or "",
                status_of(session),
                f"{session.message_count:,}",
                f"{session.total_tokens:,}" if session.total_tokens else "",
                money(session.total_cost),
                when(session.last_activity),
            )
            for session in sessions
        ],
    )


def status_of(session: Session) -> str:
    """Where a session stands, and whether it is held there."""
    return f"{session.status.value}, held" if session.held_at is not None else session.status.value


def warn_of_open_calls(calls: Sequence[ToolCall]) -> None:
    """Say on standard error which tool calls have no result, if any."""
    if calls:
        ids = ", ".join(str(call.id) for call in calls)
        Screen.errors().line(f"{counted(len(calls), 'tool call')} without a result: {ids}")


def _show(session: Session, *, as_json: bool) -> None:
    if as_json:
        write_document(session)
    else:
        Screen().line(session.session_id)
