"""The audit log, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from chatledger.cli.arguments.options import AsJson, Cursor, Database, Owner, Since, Until
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import encoded, write_document
from chatledger.cli.output.screen import Column, Screen, when
from chatledger.schemas import AuditEntry


def audit(
    session_id: Annotated[
        str | None, typer.Argument(metavar="[SESSION_ID]", show_default=False, help="Only of this session.")
    ] = None,
    by: Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Only what this actor did.")] = None,
    action: Annotated[
        str | None, typer.Option("--action", metavar="ACTION", help="Only this action, such as session.deleted.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most 1,000.")] = 20,
    cursor: Cursor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Print the audit log, newest first: who did what, when and why. Deletions by raw SQL have no name."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        page = uow.audit.list(
            session_id=session_id, actor=by, action=action, since=since, until=until,
            limit=limit, cursor=cursor,
        )  # fmt: skip
    if as_json:
        write_document({"items": page.items, "next_cursor": page.next_cursor})
        return
    if page.items:
        _show_table(Screen(), page.items)
    else:
        Screen.errors().line("no entries")
    if page.next_cursor:
        Screen.errors().line((f"more with --cursor {page.next_cursor}", "dim"))


def _show_table(screen: Screen, entries: Sequence[AuditEntry]) -> None:
    screen.table(
        (
            Column("When"),
            Column("Who", rank=2),
            Column("What"),
            Column("Session", rank=1),
            Column("User", rank=4),
            Column("Count", rank=5, right=True),
            Column("Why", rank=3, flexible=True),
            Column("Details", rank=6, flexible=True),
        ),
        [
            (
                when(entry.at),
                entry.actor or "",
                entry.action,
                entry.session_id or "",
                entry.user_id or "",
                f"{entry.count:,}",
                entry.reason or "",
                _details(entry),
            )
            for entry in entries
        ],
    )


def _details(entry: AuditEntry) -> str:
    shown = {name: value for name, value in (entry.details or {}).items() if value is not None}
    return ", ".join(
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else encoded(value, ascii_only=False)}"
        for name, value in shown.items()
    )
