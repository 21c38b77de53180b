"""The clean-up: one shot of all that is done from time to time, for cron."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from chatledger.cli.arguments.duration import age
from chatledger.cli.arguments.options import Actor, AsJson, Database, Owner, Reason, Rehearse
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.progress import Show, counting
from chatledger.cli.output.screen import Screen, counted
from chatledger.cli.retention import deletion
from chatledger.cli.timeouts import sweep
from chatledger.cli.timeouts.notify import NotifyExec, notifier
from chatledger.clock import utc_now
from chatledger.enums import Status, SweepAction
from chatledger.ledger.user_ledger import UserLedger
from chatledger.schemas import PurgeReport, SweepReport

# Sessions that are expired in one transaction.
_BATCH = 500
# More sessions than there are.
_ALL = 10**12


def _hours(typed: str | float) -> float:
    try:
        hours = float(typed)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= 24 * 36500:
        raise typer.BadParameter("is not a number of hours above zero")
    return hours


def cleanup(
    max_age_hours: Annotated[
        float | None,
        typer.Option(
            "--max-age-hours",
            metavar="N",
            parser=_hours,
            help="Expire open sessions that have been inactive for this long.",
        ),
    ] = None,
    purge_after: Annotated[
        timedelta | None,
        typer.Option(
            "--purge-after",
            metavar="LENGTH",
            parser=age,
            help="Delete sessions that have been archived or expired for this long (30d).",
        ),
    ] = None,
    dry_run: Rehearse = False,
    notify_exec: NotifyExec = None,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """For cron: sweep, expire and purge once, and print one line. Held sessions are skipped.

    Everything happens in short transactions; one that was stopped is run again.
    """  # fmt: skip
    send = notifier(notify_exec)
    now = utc_now()
    expired: int | None = None
    purged: PurgeReport | None = None
    with opened_for(db, user) as ledger, counting("cleaning up") as so_far:
        swept = ledger.sweep(
            now=now, dry_run=dry_run, send=send, actor=actor, progress=lambda done: so_far(sweep.summary(done))
        )
        if max_age_hours is not None:
            if dry_run:
                expired = _would_expire(ledger, max_age_hours, now)
            else:
                expired = _expire(ledger, max_age_hours, now, actor=actor, reason=reason, so_far=so_far)
        if purge_after is not None:
            purged = ledger.purge(
                older_than=purge_after, status=(Status.ARCHIVED, Status.EXPIRED), dry_run=dry_run, now=now,
                actor=actor, reason=reason, progress=lambda done: so_far(deletion.summary(done)),
            )  # fmt: skip
    if as_json:
        write_document({"now": now, "dry_run": dry_run, "swept": swept, "expired": expired, "purged": purged})
    else:
        Screen().line(_summary(swept, expired, purged))
    sweep.show_failures(swept)


def _expire(
    ledger: UserLedger, hours: float, now: datetime, *, actor: str | None, reason: str | None, so_far: Show
) -> int:
    """Expire in batches, until there is nothing more to expire."""
    total = 0
    while done := ledger.run(
        lambda uow: uow.sessions.expire_older_than(hours, now=now, limit=_BATCH, reason=reason), actor=actor
    ):
        total += done
        so_far(f"expired {total:,}")
    return total


def _would_expire(ledger: UserLedger, hours: float, now: datetime) -> int:
    """How many there would be left to expire after the sweep, which archives some of them before."""
    with ledger.read() as uow:
        overdue = uow.sessions.expire_older_than(hours, now=now, dry_run=True)
        before = now - timedelta(hours=hours)
        archived = sum(
            due.action is SweepAction.ARCHIVE and due.last_activity <= before
            for due in uow.timeouts.due(now, limit=_ALL)
        )
    return overdue - archived


def _summary(swept: SweepReport, expired: int | None, purged: PurgeReport | None) -> str:
    parts = [sweep.summary(swept)]
    if expired is not None:
        parts.append(f"{'would expire' if swept.dry_run else 'expired'} {counted(expired, 'session')}")
    if purged is not None:
        parts.append(deletion.summary(purged))
    return "; ".join(parts)
