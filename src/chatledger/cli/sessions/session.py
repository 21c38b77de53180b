"""`chatledger session …`: what is known about a session, shown and changed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import AsJson, Database, Owner, SessionId, json_value, pairs
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import encoded, write_document
from chatledger.cli.output.screen import Screen, money, when
from chatledger.cli.sessions.sessions import status_of
from chatledger.schemas import Session

app = typer.Typer(no_args_is_help=True, help="Show, rename and update a session.")

# Fields that `--clear` empties.
_CLEARABLE = ("owner", "project", "model", "title", "system-prompt", "context", "name", "parent")


@app.command()
def show(session_id: SessionId, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Show what is known about a session. `history` shows its messages."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        session = uow.sessions.get(session_id, include_expired=True)
    _show(session, as_json=as_json)


@app.command()
def rename(
    session_id: SessionId,
    title: Annotated[str, typer.Argument(metavar="TITLE", show_default=False)],
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Give a session another title. Its id stays."""
    with opened_for(db, user) as ledger:
        session = ledger.run(lambda uow: uow.sessions.update(session_id, title=title))
    _show(session, as_json=as_json)


@app.command()
def update(
    session_id: SessionId,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT")] = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="USER", help="The user it belongs to.")] = None,
    project: Annotated[str | None, typer.Option("--project", metavar="PROJECT")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL")] = None,
    system_prompt: Annotated[str | None, typer.Option("--system-prompt", metavar="TEXT")] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Unique within the user and the project.")
    ] = None,
    parent: Annotated[
        str | None, typer.Option("--parent", metavar="ID", help="The session that it is deleted with.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", metavar="KEY=VALUE", help="Set one entry of the context. May be repeated."),
    ] = None,
    whole_context: Annotated[
        str | None, typer.Option("--replace-context", metavar="JSON", help="Replace the whole context.")
    ] = None,
    clear: Annotated[
        list[str] | None,
        typer.Option("--clear", metavar="FIELD", help=f"Empty it: {', '.join(_CLEARABLE)}. May be repeated."),
    ] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Change the fields that are given. The others stay. `metadata set` changes metadata."""
    given: dict[str, Any] = {
        "title": title, "user_id": owner, "project_id": project, "model_id": model, "system_prompt": system_prompt,
        "context": json_value(whole_context, "--replace-context"), "name": name, "parent": parent,
    }  # fmt: skip
    fields = {"owner": "user_id", "project": "project_id", "model": "model_id", "system-prompt": "system_prompt"}
    cleared = [fields.get(name, name) for name in clear or ()]
    entries = pairs(context, "--context")
    if set(clear or ()) - set(_CLEARABLE):
        raise typer.BadParameter(f"is not one of {', '.join(_CLEARABLE)}", param_hint="'--clear'")
    if any(given[name] is not None for name in cleared):
        raise typer.BadParameter("is given a value, too", param_hint="'--clear'")
    if entries and (whole_context is not None or "context" in cleared):
        raise typer.BadParameter("sets entries of a context that is replaced", param_hint="'--context'")
    changes = {name: value for name, value in given.items() if value is not None} | dict.fromkeys(cleared)
    if not changes and not entries:
        raise typer.BadParameter("give what to change, such as --title", param_hint="update")
    with opened_for(db, user) as ledger, ledger.begin() as uow:
        if entries:
            uow.sessions.update_context(session_id, entries)
        session = uow.sessions.update(session_id, **changes)
    _show(session, as_json=as_json)


def _show(session: Session, *, as_json: bool) -> None:
    if as_json:
        write_document(session)
        return
    facts = {
        "title": session.title,
        "name": session.name,
        "parent": session.parent_id,
        "user": session.user_id,
        "project": session.project_id,
        "model": session.model_id,
        "status": status_of(session),
        "messages": f"{session.message_count:,}",
        "tokens": f"{session.total_tokens:,}",
        "cost": money(session.total_cost),
        "created": when(session.created_at),
        "last activity": when(session.last_activity),
        "system prompt": session.system_prompt,
        "context": encoded(session.context, ascii_only=False) if session.context else None,
    }
    screen = Screen()
    screen.line((session.session_id, "bold"))
    width = max(map(len, facts))
    for name, fact in facts.items():
        if fact:
            screen.line((f"  {name.ljust(width)}", "bold"), f"  {fact}")
