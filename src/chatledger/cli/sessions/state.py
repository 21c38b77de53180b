"""State of a user, a project or a session: JSON values under keys."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import AsJson, Database, json_or_text
from chatledger.cli.errors import fail
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import encoded, write_document
from chatledger.cli.output.screen import Screen

app = typer.Typer(no_args_is_help=True, help="Values under keys, of a user, a project or a session.")

_Key = Annotated[str, typer.Argument(metavar="KEY", show_default=False)]
_User = Annotated[str | None, typer.Option("--user-id", metavar="USER", help="The state of a user.")]
_Project = Annotated[str | None, typer.Option("--project", metavar="PROJECT", help="The state of a project.")]
_Session = Annotated[str | None, typer.Option("--session-id", metavar="ID", help="The state of a session.")]
_Version = Annotated[
    int | None,
    typer.Option(
        "--expected-version", min=0, metavar="N", help="Only if it has this version; 0: only if there is none."
    ),
]


@app.command("set")
def set_(
    key: _Key,
    value: Annotated[str, typer.Argument(show_default=False, help="JSON where it is JSON, else text.")],
    user: _User = None,
    project: _Project = None,
    session_id: _Session = None,
    expected_version: _Version = None,
    db: Database = None,
) -> None:
    """Store a value in place of the one that was there, and print its version."""
    owner = _owner(user, project, session_id)
    with opened_for(db, None) as ledger:
        entry = ledger.run(
            lambda uow: uow.state.set(key, json_or_text(value), expected_version=expected_version, **owner)
        )
    Screen().line(str(entry.version))


@app.command()
def get(
    key: _Key,
    user: _User = None,
    project: _Project = None,
    session_id: _Session = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Print a value: text as it is, anything else as JSON. --json prints the entry with its version."""
    owner = _owner(user, project, session_id)
    with opened_for(db, None) as ledger, ledger.read() as uow:
        entry = uow.state.find(key, **owner)
    if entry is None:
        fail(f"no state {key!r} of {_named(owner)}")
    if as_json:
        write_document(entry)
    else:
        Screen().text(entry.value if isinstance(entry.value, str) else encoded(entry.value, ascii_only=False))


@app.command("list")
def list_(
    user: _User = None,
    project: _Project = None,
    session_id: _Session = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Print every key with its value."""
    owner = _owner(user, project, session_id)
    with opened_for(db, None) as ledger, ledger.read() as uow:
        found = uow.state.all(**owner)
    if as_json:
        write_document({"items": found})
        return
    screen = Screen()
    for entry in found:
        screen.line((entry.key, "bold"), f" = {encoded(entry.value, ascii_only=False)}")


@app.command()
def delete(
    key: _Key,
    user: _User = None,
    project: _Project = None,
    session_id: _Session = None,
    expected_version: _Version = None,
    db: Database = None,
) -> None:
    """Delete a value."""
    owner = _owner(user, project, session_id)
    with opened_for(db, None) as ledger:
        if not ledger.run(lambda uow: uow.state.delete(key, expected_version=expected_version, **owner)):
            fail(f"no state {key!r} of {_named(owner)}")


def _owner(user: str | None, project: str | None, session_id: str | None) -> dict[str, Any]:
    given = {"user_id": user, "project_id": project, "session_id": session_id}
    owner = {name: value for name, value in given.items() if value is not None}
    if len(owner) != 1:
        raise typer.BadParameter("give one of --user-id, --project and --session-id", param_hint="'--user-id'")
    return owner


def _named(owner: dict[str, Any]) -> str:
    ((name, value),) = owner.items()
    return f"{name.removesuffix('_id')} {value!r}"
