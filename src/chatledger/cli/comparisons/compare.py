"""Comparisons: create, fill, list and delete them."""

from __future__ import annotations

from typing import Annotated

import typer

from chatledger.cli.arguments.options import Actor, AsJson, Database, Owner, Reason, Yes
from chatledger.cli.errors import needs_yes
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Column, Screen, when
from chatledger.enums import ComparisonKind

app = typer.Typer(no_args_is_help=True, help="Models, prompts or parameters side by side.")

GroupId = Annotated[str, typer.Argument(metavar="GROUP_ID", show_default=False)]


@app.command()
def new(
    variants: Annotated[
        list[str],
        typer.Argument(metavar="VARIANT…", show_default=False, help="The others are compared with the first one."),
    ],
    group_id: Annotated[
        str | None, typer.Option("--id", metavar="GROUP_ID", help="By default, a new id is generated.")
    ] = None,
    kind: Annotated[ComparisonKind, typer.Option(help="What the variants differ in.")] = ComparisonKind.MODEL,
    title: Annotated[str | None, typer.Option(metavar="TEXT")] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Create a comparison, and print its id."""
    with opened_for(db, user, new=True) as ledger:
        made = ledger.run(lambda uow: uow.comparisons.create(group_id, kind=kind, variants=variants, title=title))
    if as_json:
        write_document(made)
    else:
        Screen().line(made.group_id)


@app.command()
def add(
    group_id: GroupId,
    variant: Annotated[str, typer.Argument(metavar="VARIANT", show_default=False)],
    session_id: Annotated[str | None, typer.Argument(metavar="SESSION_ID", show_default=False)] = None,
    prompt_key: Annotated[
        str | None, typer.Option("--prompt", metavar="KEY", help="The session is the answer to this prompt.")
    ] = None,
    trial: Annotated[int, typer.Option("--trial", min=1, metavar="N", help="Which run of the prompt it is.")] = 1,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Add a variant, or an existing session to a variant."""
    with opened_for(db, user) as ledger:
        group = ledger.run(
            lambda uow: uow.comparisons.add(group_id, variant, session_id, prompt_key=prompt_key, trial=trial)
        )
    if as_json:
        write_document(group)
    else:
        Screen().line(", ".join(group.variants))


@app.command("list")
def list_(user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """List the newest comparisons."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = list(uow.comparisons.list(limit=1000))
    if as_json:
        write_document({"items": found})
        return
    columns = (
        Column("Comparison"),
        Column("Kind"),
        Column("Created"),
        Column("Variants", flexible=True),
        Column("Title"),
    )
    rows = [[g.group_id, g.kind.value, when(g.created_at), ", ".join(g.variants), g.title or ""] for g in found]
    Screen().table(columns, rows)


@app.command()
def delete(
    group_id: GroupId,
    yes: Yes = False,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
) -> None:
    """Delete a comparison with its results. Its sessions are kept."""
    if not yes:
        needs_yes(f"comparison {group_id!r} would be deleted with its results")
    with opened_for(db, user) as ledger:
        ledger.run(lambda uow: uow.comparisons.delete(group_id, reason=reason), actor=actor)
    Screen().line(f"deleted {group_id}")
