"""The life of a session: closed, opened again, paused, held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from chatledger.cli.arguments.options import Actor, AsJson, Database, Owner, Reason, SessionId
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Screen
from chatledger.schemas import Session
from chatledger.unit_of_work import UnitOfWork


def archive(
    session_id: SessionId,
    snapshot: Annotated[
        bool, typer.Option("--snapshot/--no-snapshot", help="Take a snapshot before.", show_default=False)
    ] = True,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take a snapshot of a session, then close it for writing. It stays readable."""
    _turn(
        lambda uow: uow.sessions.archive(session_id, reason=reason, snapshot=snapshot),
        "archived", actor=actor, user=user, db=db, as_json=as_json,
    )  # fmt: skip


def expire(
    session_id: SessionId,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Close a session and hide it from lists that do not ask for expired ones. Nothing is deleted."""
    _turn(
        lambda uow: uow.sessions.expire(session_id, reason=reason),
        "expired", actor=actor, user=user, db=db, as_json=as_json,
    )  # fmt: skip


def fail(
    session_id: SessionId,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Close a session because something went wrong. It stays readable."""
    _turn(
        lambda uow: uow.sessions.fail(session_id, reason=reason),
        "marked as failed:", actor=actor, user=user, db=db, as_json=as_json,
    )  # fmt: skip


def reopen(
    session_id: SessionId,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make an archived, expired or failed session active again. Its limits restart."""
    _turn(
        lambda uow: uow.sessions.reopen(session_id, reason=reason),
        "reopened", actor=actor, user=user, db=db, as_json=as_json,
    )  # fmt: skip


def hold(
    session_id: SessionId,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Keep a session as it is: nothing automatic touches it, and it is not deleted, until it is released."""
    _turn(
        lambda uow: uow.sessions.hold(session_id, reason=reason),
        "held", actor=actor, user=user, db=db, as_json=as_json,
    )  # fmt: skip


def release(
    session_id: SessionId,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """End the hold of a session."""
    _turn(
        lambda uow: uow.sessions.release(session_id, reason=reason),
        "released", actor=actor, user=user, db=db, as_json=as_json,
    )  # fmt: skip


def pause(session_id: SessionId, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Stop the idle and archive timeouts of a session. It still takes messages; its hard limit still applies."""
    _turn(lambda uow: uow.sessions.pause(session_id), "paused", user=user, db=db, as_json=as_json)


def resume(session_id: SessionId, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Make a paused or idle session active. That counts as activity."""
    _turn(lambda uow: uow.sessions.resume(session_id), "resumed", user=user, db=db, as_json=as_json)


def _turn(
    act: Callable[[UnitOfWork], Session],
    done: str,
    *,
    user: str | None,
    db: str | None,
    as_json: bool,
    actor: str | None = None,
) -> None:
    with opened_for(db, user) as ledger:
        session = ledger.run(act, actor=actor)
    if as_json:
        write_document(session)
    else:
        Screen().line(f"{done} {session.session_id}")
