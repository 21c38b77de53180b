"""Projects: names under which sessions are gathered."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import AsJson, Cursor, Database, Metadata, Owner, pairs
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Column, Screen, when
from chatledger.schemas import Project

app = typer.Typer(no_args_is_help=True, help="Projects, which group sessions.")

_Id = Annotated[str, typer.Argument(metavar="PROJECT_ID", show_default=False)]
_Name = Annotated[str | None, typer.Option("--name", metavar="TEXT", help="The name that people use.")]
_Description = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="A description.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most N rows.")]
Archived = Annotated[
    bool | None,
    typer.Option("--archived/--not-archived", show_default=False, help="Only archived, or only not archived ones."),
]


@app.command("list")
def list_(
    archived: Archived = None, limit: Limit = 50, cursor: Cursor = None, user: Owner = None, db: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print projects by id."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        page = uow.projects.list(archived=archived, limit=limit, cursor=cursor)
    if as_json:
        write_document({"items": page.items, "next_cursor": page.next_cursor})
        return
    columns = (Column("Project"), Column("Name", flexible=True), Column("Created"), Column("Archived"))
    rows = [(one.project_id, one.name or "", when(one.created_at), dated(one)) for one in page]
    Screen().table(columns, rows)
    if page.next_cursor:
        Screen.errors().line((f"more with --cursor {page.next_cursor}", "dim"))


def dated(one: Any) -> str:
    """Since when something is archived."""
    return when(one.archived_at) if one.archived_at else ""


@app.command()
def show(project_id: _Id, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Print one project."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        _print(uow.projects.get(project_id), as_json)


@app.command()
def create(
    project_id: _Id, name: _Name = None, description: _Description = None, metadata: Metadata = None,
    user: Owner = None, db: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Create a project."""
    fields: dict[str, Any] = {"name": name, "description": description, "metadata": pairs(metadata) or None}
    with opened_for(db, user) as ledger:
        _print(ledger.run(lambda uow: uow.projects.create(project_id, **fields)), as_json)


@app.command()
def update(
    project_id: _Id, name: _Name = None, description: _Description = None, metadata: Metadata = None,
    user: Owner = None, db: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Change what is given. Metadata that is given replaces all of it."""
    found: dict[str, Any] = {"name": name, "description": description, "metadata": pairs(metadata) or None}
    fields = {key: value for key, value in found.items() if value is not None}
    with opened_for(db, user) as ledger:
        _print(ledger.run(lambda uow: uow.projects.update(project_id, **fields)), as_json)


@app.command()
def archive(project_id: _Id, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Archive a project. Its sessions are not changed."""
    with opened_for(db, user) as ledger:
        _print(ledger.run(lambda uow: uow.projects.archive(project_id)), as_json)


@app.command()
def unarchive(project_id: _Id, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Unarchive a project."""
    with opened_for(db, user) as ledger:
        _print(ledger.run(lambda uow: uow.projects.unarchive(project_id)), as_json)


@app.command()
def delete(project_id: _Id, user: Owner = None, db: Database = None) -> None:
    """Delete a project that no session belongs to."""
    with opened_for(db, user) as ledger:
        ledger.run(lambda uow: uow.projects.delete(project_id))


def _print(project: Project, as_json: bool) -> None:
    if as_json:
        write_document(project)
        return
    said = [project.project_id, project.name, f"archived {when(project.archived_at)}" if project.archived_at else None]
    screen = Screen()
    screen.line(" · ".join(part for part in said if part))
    if project.description:
        screen.text(project.description)
