"""`chatledger message …`: single messages, shown, changed, redacted and deleted."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import Actor, AsJson, Database, Owner, Reason, SessionId, Yes, json_value
from chatledger.cli.errors import needs_yes
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Screen, counted
from chatledger.cli.sessions.messages import show_messages, standard_input
from chatledger.cli.sessions.sessions import warn_of_open_calls
from chatledger.enums import Outcome, Role
from chatledger.schemas import Message

app = typer.Typer(no_args_is_help=True, help="Show, change, redact and delete single messages.")

_Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, show_default=False, help="The number that `history` shows.")
]
_Snapshot = Annotated[bool, typer.Option("--snapshot", help="Take a snapshot of the session before.")]
# Fields that `--clear` empties.
_CLEARABLE = ("payload", "metadata", "name", "tool-call-id", "model", "cost", "outcome")


@app.command()
def show(
    session_id: SessionId, number: _Number, user: Owner = None, db: Database = None, as_json: AsJson = False
) -> None:
    """Show one message."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.messages.get(session_id, number)
    _show(found, as_json=as_json)


@app.command()
def update(
    session_id: SessionId,
    number: _Number,
    content: Annotated[
        str | None, typer.Option("--content", metavar="TEXT", help="The new text; - reads it from standard input.")
    ] = None,
    role: Annotated[Role | None, typer.Option("--role")] = None,
    payload: Annotated[str | None, typer.Option("--payload", metavar="JSON")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL")] = None,
    cost: Annotated[str | None, typer.Option("--cost", metavar="DOLLARS")] = None,
    outcome: Annotated[Outcome | None, typer.Option("--outcome")] = None,
    clear: Annotated[
        list[str] | None,
        typer.Option("--clear", metavar="FIELD", help=f"Empty it: {', '.join(_CLEARABLE)}. May be repeated."),
    ] = None,
    snapshot: _Snapshot = False,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Change the fields that are given. The others stay, and so do the number and the time of the message.

    The old text stays in forks and snapshots; `redact` removes a text.
    """
    given: dict[str, Any] = {
        "content": standard_input() if content == "-" else content, "role": role,
        "payload": json_value(payload, "--payload"), "name": name, "model_id": model, "cost": cost, "outcome": outcome,
    }  # fmt: skip
    if set(clear or ()) - set(_CLEARABLE):
        raise typer.BadParameter(f"is not one of {', '.join(_CLEARABLE)}", param_hint="'--clear'")
    fields = {"tool-call-id": "tool_call_id", "model": "model_id"}
    cleared = [fields.get(field, field) for field in clear or ()]
    if any(given.get(field) is not None for field in cleared):
        raise typer.BadParameter("is given a value, too", param_hint="'--clear'")
    changes = {field: value for field, value in given.items() if value is not None} | dict.fromkeys(cleared)
    if not changes:
        raise typer.BadParameter("give what to change, such as --content", param_hint="update")
    with opened_for(db, user) as ledger:
        changed = ledger.run(
            lambda uow: uow.messages.update(session_id, number, snapshot=snapshot, reason=reason, **changes),
            actor=actor,
        )
    _show(changed, as_json=as_json)


@app.command()
def redact(
    session_id: SessionId,
    number: _Number,
    replacement: Annotated[
        str, typer.Option("--replacement", metavar="TEXT", help="The text that takes its place.")
    ] = "[redacted]",
    yes: Yes = False,
    actor: Actor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Remove the text of a message from the session, its snapshots and the search index for good.

    The number, the time, the tokens and the cost of the message stay. Forks, exports and backups are not changed.
    """
    with opened_for(db, user) as ledger:
        if not yes:
            with ledger.read() as uow:
                uow.messages.get(session_id, number)
            needs_yes(f"the text of message {number} of session {session_id!r} would be removed for good")
        changed = ledger.run(lambda uow: uow.messages.redact(session_id, number, replacement=replacement), actor=actor)
    _show(changed, as_json=as_json)


@app.command()
def delete(
    session_id: SessionId,
    numbers: Annotated[
        list[int], typer.Argument(metavar="NUMBER...", min=1, show_default=False, help="As `history` shows them.")
    ],
    snapshot: _Snapshot = False,
    yes: Yes = False,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Delete messages: all of them or none. The other messages keep their numbers."""
    if not yes:
        needs_yes(f"{counted(len(set(numbers)), 'message')} of session {session_id!r} would be deleted")
    with opened_for(db, user) as ledger:
        gone = ledger.run(
            lambda uow: uow.messages.delete(session_id, *numbers, snapshot=snapshot, reason=reason), actor=actor
        )
    _show_deleted(session_id, gone, as_json=as_json)


@app.command()
def truncate(
    session_id: SessionId,
    after: Annotated[int, typer.Option("--after", min=0, metavar="N", show_default=False, help="The last to keep.")],
    snapshot: _Snapshot = False,
    yes: Yes = False,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Delete every message after one, for example an answer that `query` is to give again."""
    with opened_for(db, user) as ledger:
        with ledger.read() as uow:
            gone = sum(1 for _ in uow.messages.iterate(session_id, after=after))
        if not yes:
            needs_yes(f"{counted(gone, 'message')} of session {session_id!r} would be deleted")
        left = ledger.run(
            lambda uow: uow.messages.truncate(session_id, after=after, snapshot=snapshot, reason=reason), actor=actor
        )
    _show_deleted(session_id, gone, as_json=as_json)
    warn_of_open_calls(left.open_calls)


@app.command()
def pop(
    session_id: SessionId,
    yes: Yes = False,
    actor: Actor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Delete the last message, and print it. Its number is not used again."""
    if not yes:
        needs_yes(f"the last message of session {session_id!r} would be deleted")
    with opened_for(db, user) as ledger:
        gone = ledger.run(lambda uow: uow.messages.pop(session_id), actor=actor)
    _show(gone, as_json=as_json)


@app.command()
def clear(
    session_id: SessionId,
    yes: Yes = False,
    actor: Actor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Delete all messages of a session. The session stays, and numbers go on from where they were."""
    with opened_for(db, user) as ledger:
        if not yes:
            with ledger.read() as uow:
                count = uow.sessions.get(session_id, include_expired=True).message_count
            needs_yes(f"{counted(count, 'message')} of session {session_id!r} would be deleted")
        gone = ledger.run(lambda uow: uow.messages.clear(session_id), actor=actor)
    _show_deleted(session_id, gone, as_json=as_json)


def _show(message: Message, *, as_json: bool) -> None:
    if as_json:
        write_document(message)
    else:
        show_messages(Screen(), [message])


def _show_deleted(session_id: str, count: int, *, as_json: bool) -> None:
    if as_json:
        write_document({"session_id": session_id, "deleted": count})
    else:
        Screen().line(f"deleted {counted(count, 'message')} of {session_id}")
