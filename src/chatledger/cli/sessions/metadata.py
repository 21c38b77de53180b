"""Metadata of a session: JSON values under keys."""

from __future__ import annotations

from typing import Annotated

import typer

from chatledger.cli.arguments.options import AsJson, Database, Owner, SessionId, json_or_text
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import encoded, write_document
from chatledger.cli.output.screen import Screen
from chatledger.errors import MetadataNotFound

app = typer.Typer(no_args_is_help=True, help="Metadata of a session.")

_Key = Annotated[str, typer.Argument(metavar="KEY", show_default=False)]
_MISSING = object()


@app.command("set")
def set_(
    session_id: SessionId,
    key: _Key,
    value: Annotated[
        str, typer.Argument(show_default=False, help="Stored as JSON if it is valid JSON, otherwise as text.")
    ],
    user: Owner = None,
    db: Database = None,
) -> None:
    """Set a value."""
    with opened_for(db, user) as ledger:
        ledger.run(lambda uow: uow.metadata.set(session_id, key, json_or_text(value)))


@app.command()
def get(session_id: SessionId, key: _Key, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Print a value: text unchanged, anything else as JSON."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        value = uow.metadata.get(session_id, key, _MISSING)
    if value is _MISSING:
        raise MetadataNotFound(session_id, key)
    if as_json:
        write_document(value)
    else:
        Screen().text(value if isinstance(value, str) else encoded(value, ascii_only=False))


@app.command("list")
def list_(session_id: SessionId, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Print every key with its value."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.metadata.all(session_id)
    if as_json:
        write_document(found)
        return
    screen = Screen()
    for key, value in found.items():
        screen.line((key, "bold"), f" = {encoded(value, ascii_only=False)}")


@app.command()
def delete(session_id: SessionId, key: _Key, user: Owner = None, db: Database = None) -> None:
    """Delete a value."""
    with opened_for(db, user) as ledger:
        ledger.run(lambda uow: uow.metadata.delete(session_id, key))
