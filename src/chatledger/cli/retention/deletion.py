"""Deleting for good: old sessions, and everything of one user."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from chatledger.cli.arguments.duration import age
from chatledger.cli.arguments.options import Actor, AsJson, Database, Owner, Reason, Rehearse, Yes
from chatledger.cli.errors import FAILED, fail, needs_yes, report
from chatledger.cli.open_ledger import opened, opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.progress import Show, counting
from chatledger.cli.output.screen import Screen, counted, money
from chatledger.enums import Status
from chatledger.ledger.ledger import Ledger
from chatledger.schemas import ErasureReceipt, PurgeReport


def purge(
    older_than: Annotated[
        timedelta,
        typer.Option(
            "--older-than",
            metavar="LENGTH",
            parser=age,
            show_default=False,
            help="Archived or expired (other statuses: inactive) for at least this long (30d).",
        ),
    ],
    status: Annotated[
        list[Status] | None, typer.Option("--status", help="Only this status. May be repeated. By default, archived.")
    ] = None,
    dry_run: Rehearse = False,
    yes: Yes = False,
    actor: Actor = None,
    reason: Reason = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Delete old sessions for good, with everything that belongs to them. The audit log records it.

    Held sessions are skipped. It deletes in short transactions; if it is stopped, run it again.
    """  # fmt: skip
    statuses = status or [Status.ARCHIVED]
    rehearsing = dry_run or not yes
    doing = "counting" if rehearsing else "purging"
    with opened_for(db, user) as ledger, counting(doing) as so_far:
        done = ledger.purge(
            older_than=older_than, status=statuses, dry_run=rehearsing, actor=actor, reason=reason,
            progress=lambda now: so_far(_sum(now)),
        )  # fmt: skip
    if rehearsing and not dry_run:
        needs_yes(f"{summary(done)} for good (--dry-run shows which)")
    if as_json:
        write_document(done)
        return
    screen = Screen()
    screen.line(summary(done))
    if dry_run:
        for session_id in done.session_ids:
            screen.line(f"  {session_id}")
        if done.sessions > len(done.session_ids):
            screen.line((f"  and {done.sessions - len(done.session_ids):,} more", "dim"))


def erase_user(
    erased: Annotated[str, typer.Argument(metavar="USER", show_default=False)],
    keep_totals: Annotated[
        bool, typer.Option("--keep-totals", help="Keep tokens, times and cost, in sessions without content and owner.")
    ] = False,
    include_held: Annotated[bool, typer.Option("--include-held", help="Also sessions on hold.")] = False,
    scrub: Annotated[
        bool,
        typer.Option(
            "--scrub/--no-scrub", show_default=False, help="Rewrite the files, so that no erased text is left in them."
        ),
    ] = True,
    dry_run: Rehearse = False,
    yes: Yes = False,
    actor: Actor = None,
    reason: Reason = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Erase everything of one user for good, and print a receipt.

    Sessions with all that hangs on them, snapshots, limits, and the name in the audit log, which keeps how much it was.
    Rewriting the files takes as much space again, and writers wait for it.
    """
    rehearsing = dry_run or not yes
    with opened(db) as ledger, counting("counting") as so_far:
        receipt = _erase(ledger, erased, keep_totals, include_held, actor, reason, so_far, dry_run=True)
        if not receipt.found:
            fail(f"no user {erased!r}: nothing was erased")
        if not rehearsing:
            receipt = _erase(ledger, erased, keep_totals, include_held, actor, reason, so_far, scrub=scrub)
    if rehearsing and not dry_run:
        what = f"{counted(receipt.sessions, 'session')} with {counted(receipt.messages, 'message')}"
        needs_yes(f"would erase {what} and {counted(receipt.snapshots, 'snapshot')} of user {erased!r} for good")
    if as_json:
        write_document(receipt)
    else:
        _show_receipt(Screen(), receipt)
    if receipt.scrubbed is False:
        report("the files could not be rewritten, and may hold erased text in free pages: run the same again")
        raise typer.Exit(FAILED)


def _erase(
    ledger: Ledger,
    user_id: str,
    keep_totals: bool,
    include_held: bool,
    actor: str | None,
    reason: str | None,
    so_far: Show,
    **how: bool,
) -> ErasureReceipt:
    return ledger.erase_user(
        user_id, keep_totals=keep_totals, include_held=include_held, actor=actor, reason=reason,
        progress=lambda sessions, messages: so_far(f"{counted(sessions, 'session')} with {counted(messages, 'message')}"),
        **how,
    )  # fmt: skip


def summary(done: PurgeReport) -> str:
    """What a purge did, in a few words."""
    held = f" ({counted(done.held, 'held session')} passed over)" if done.held else ""
    return f"{'would purge' if done.dry_run else 'purged'} {_sum(done)}{held}"


def _sum(done: PurgeReport) -> str:
    return f"{counted(done.sessions, 'session')} with {counted(done.messages, 'message')}"


def _show_receipt(screen: Screen, receipt: ErasureReceipt) -> None:
    screen.line((f"{'would erase' if receipt.dry_run else 'erased'} {receipt.user_id}", "bold"))
    scrubbed = {None: "not asked for", True: "yes", False: "no"}[receipt.scrubbed]
    facts = {
        "sessions": f"{receipt.sessions:,}",
        "messages": f"{receipt.messages:,}",
        "snapshots": f"{receipt.snapshots:,}",
        "audit entries": f"{receipt.audit_entries:,}",
        "tokens": f"{receipt.totals['tokens']:,}",
        "cost": money(receipt.totals["cost"]) or "none",
        "totals kept": "yes" if receipt.kept_totals else "no",
    }
    if not receipt.dry_run:
        facts |= {"files rewritten": scrubbed, "at": receipt.at.strftime("%Y-%m-%d %H:%M:%SZ")}
    width = max(map(len, facts))
    for name, fact in facts.items():
        screen.line((name.ljust(width), "bold"), f"  {fact}")
