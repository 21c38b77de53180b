"""Snapshots of conversations: taken, listed, shown, compared, brought back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.cells import cell_len, set_cell_size

from chatledger.cli.arguments.options import Actor, AsJson, Database, Owner, Reason, SessionId, Yes
from chatledger.cli.errors import needs_yes
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.escaping import one_line
from chatledger.cli.output.json_output import encoded, write_document, write_line
from chatledger.cli.output.screen import Column, Screen, counted, sized, when
from chatledger.cli.sessions.messages import show_messages
from chatledger.enums import SnapshotKind
from chatledger.schemas import Message, Session, Snapshot, SnapshotDiff
from chatledger.unit_of_work import UnitOfWork

app = typer.Typer(no_args_is_help=True, help="Snapshots of sessions: take, compare and restore.")

_SnapshotId = Annotated[
    str, typer.Argument(metavar="SNAPSHOT_ID", show_default=False, help="SESSION_ID:NUMBER, as `snapshot list` shows.")
]

# Columns of a message's first words.
_WORDS = 60


@app.command()
def take(
    session_id: SessionId,
    kind: Annotated[SnapshotKind, typer.Option("--kind", help="What it is for.")] = SnapshotKind.MANUAL,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take a snapshot of a session, and print its id."""
    with opened_for(db, user) as ledger:
        taken = ledger.run(lambda uow: uow.snapshots.take(session_id, kind, reason=reason), actor=actor)
    if as_json:
        write_document(taken)
    else:
        Screen().line(taken.snapshot_id)


@app.command("list")
def list_(session_id: SessionId, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """List the snapshots of a session, oldest first."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.snapshots.list(session_id)
    if as_json:
        write_document({"items": found})
    elif found:
        _show_table(Screen(), found)
    else:
        Screen.errors().line("no snapshots")


@app.command()
def show(
    snapshot_id: _SnapshotId,
    user: Owner = None,
    db: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines: one message on each line.")] = False,
) -> None:
    """Print the messages of a snapshot."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        snapshot, messages = uow.snapshots.get(snapshot_id), uow.snapshots.messages(snapshot_id)
    if as_json:
        for message in messages:
            write_line(message)
        return
    screen = Screen()
    facts = [snapshot.snapshot_id, snapshot.kind.value, when(snapshot.created_at)]
    facts += [counted(snapshot.message_count, "message"), snapshot.actor or "", snapshot.reason or ""]
    screen.line((" · ".join(fact for fact in facts if fact), "dim"))
    show_messages(screen, messages)


@app.command()
def diff(snapshot_id: _SnapshotId, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Compare a session with a snapshot: + added since, - deleted, ~ changed."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.snapshots.diff(snapshot_id)
        if as_json:
            write_document({"differs": bool(found), **dict(found)})
        elif found:
            _show_diff(Screen(), uow, found)
        else:
            Screen.errors().line("no difference")


@app.command()
def restore(
    snapshot_id: _SnapshotId,
    new_id: Annotated[
        str | None, typer.Option("--as", metavar="NEW_ID", help="Restore as a new session with this id.")
    ] = None,
    yes: Yes = False,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Restore a snapshot, over its session or, with --as, as a new session.

    Over the session it takes a snapshot before, so that it can be undone, and wants to hear --yes where something that
    came since would go.
    """

    def act(uow: UnitOfWork) -> tuple[Session, str | None] | SnapshotDiff:
        if new_id is not None:
            return uow.snapshots.restore(snapshot_id, as_session_id=new_id, reason=reason), None
        found = uow.snapshots.diff(snapshot_id)
        if not yes and (found.added or found.changed or found.fields):
            return found
        session = uow.snapshots.restore(snapshot_id, reason=reason)
        # What it was before is the newest: numbers only rise.
        return session, uow.snapshots.list(session.session_id)[-1].snapshot_id

    with opened_for(db, user) as ledger:
        done = ledger.run(act, actor=actor)
    if isinstance(done, SnapshotDiff):
        needs_yes(f"{_losses(done)} (--as NEW_ID restores beside it)")
    session, undo = done
    if as_json:
        write_document({"session": session, "undo": undo})
    elif undo is None:
        Screen().line(session.session_id)
    else:
        Screen().line(f"restored {session.session_id} as it was in {snapshot_id}")
        Screen().line(f"to undo it: chatledger snapshot restore {undo} --yes")


@app.command()
def delete(
    snapshot_id: _SnapshotId,
    yes: Yes = False,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
) -> None:
    """Delete a snapshot. Its session stays."""
    with opened_for(db, user) as ledger:
        if not yes:
            with ledger.read() as uow:
                count = uow.snapshots.get(snapshot_id).message_count
            needs_yes(f"snapshot {snapshot_id!r} would be deleted with {counted(count, 'message')}")
        ledger.run(lambda uow: uow.snapshots.delete(snapshot_id, reason=reason), actor=actor)
    Screen().line(f"deleted {snapshot_id}")


def _show_table(screen: Screen, snapshots: Sequence[Snapshot]) -> None:
    screen.table(
        (
            Column("ID"),
            Column("Kind", rank=1),
            Column("Taken"),
            Column("Messages", right=True),
            Column("Tokens", rank=4, right=True),
            Column("Size", rank=5, right=True),
            Column("Stored", rank=3, right=True),
            Column("Who", rank=2),
            Column("Why", rank=2, flexible=True),
        ),
        [
            (
                snapshot.snapshot_id,
                snapshot.kind.value,
                when(snapshot.created_at),
                f"{snapshot.message_count:,}",
                f"{snapshot.total_tokens:,}" if snapshot.total_tokens else "",
                sized(snapshot.size),
                sized(snapshot.stored_size),
                snapshot.actor or "",
                snapshot.reason or "",
            )
            for snapshot in snapshots
        ],
    )


def _show_diff(screen: Screen, uow: UnitOfWork, found: SnapshotDiff) -> None:
    """A line for each message, in the order of their numbers."""
    session_id = found.snapshot_id.rpartition(":")[0]
    now = _numbered(_between(uow, session_id, found.added + found.changed), found.added + found.changed)
    then = _numbered(uow.snapshots.messages(found.snapshot_id), found.removed + found.changed)
    width = len(str(max((0, *now, *then))))
    for number in sorted({*now, *then}):
        old, new = then.get(number), now.get(number)
        if old is not None and new is not None:
            screen.line((f"~ #{number:<{width}} {new.role.value}", "yellow"), f"  {_words(old)} → {_words(new)}")
        elif new is not None:
            screen.line((f"+ #{number:<{width}} {new.role.value}", "green"), f"  {_words(new)}")
        elif old is not None:
            screen.line((f"- #{number:<{width}} {old.role.value}", "red"), f"  {_words(old)}")
    if found.fields:
        screen.line((f"~ {', '.join(found.fields)}", "yellow"))


def _between(uow: UnitOfWork, session_id: str, numbers: Sequence[int]) -> Iterable[Message]:
    """The stretch of a session that holds some messages."""
    if not numbers:
        return ()
    return uow.messages.iterate(session_id, after=min(numbers) - 1, before=max(numbers) + 1)


def _numbered(messages: Iterable[Message], wanted: Sequence[int]) -> dict[int, Message]:
    chosen = set(wanted)
    return {message.sequence_number: message for message in messages if message.sequence_number in chosen}


def _words(message: Message) -> str:
    """The beginning of a message, on one line."""
    text = message.content or ("" if message.payload is None else encoded(message.payload, ascii_only=False))
    line = one_line(" ".join(text[: 4 * _WORDS].split()))
    return line if cell_len(line) <= _WORDS else set_cell_size(line, _WORDS - 1).rstrip() + "…"


def _losses(found: SnapshotDiff) -> str:
    parts = []
    if found.added:
        parts.append(f"{counted(len(found.added), 'message')} that came since would go")
    if found.changed:
        parts.append(f"{counted(len(found.changed), 'message')} would read as before")
    if found.fields:
        parts.append(f"{', '.join(found.fields)} would be as before")
    return f"snapshot {found.snapshot_id!r}: {'; '.join(parts)}"
