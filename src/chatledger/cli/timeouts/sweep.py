"""Sweeps: one now, or one every so often until the process is told to end."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated

import typer

from chatledger.cli.arguments.duration import duration, spelled
from chatledger.cli.arguments.options import Actor, AsJson, Database, Owner, Rehearse
from chatledger.cli.errors import FAILED, INTERRUPTED, report
from chatledger.cli.open_ledger import opened, opened_for
from chatledger.cli.output.json_output import write_document, write_line
from chatledger.cli.output.progress import counting
from chatledger.cli.output.screen import Screen, counted
from chatledger.cli.signals import until_stopped
from chatledger.cli.timeouts.metrics_server import serve_figures
from chatledger.cli.timeouts.notify import NotifyExec, notifier
from chatledger.cli.timeouts.timeouts import app, show_due
from chatledger.clock import utc_now
from chatledger.schemas import SweepReport

# Failures that are listed one by one.
_LISTED = 20


@app.command()
def sweep(
    dry_run: Rehearse = False,
    notify_exec: NotifyExec = None,
    actor: Actor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Warn, mark idle and archive, with a snapshot, whoever is due. Each session is dealt with by itself.

    A warning that the command of --notify-exec does not take is sent again by the next sweep; then the exit code is 1.
    """
    send = notifier(notify_exec)
    with opened_for(db, user) as ledger, counting("sweeping") as so_far:
        done = ledger.sweep(dry_run=dry_run, send=send, actor=actor, progress=lambda now: so_far(summary(now)))
    if as_json:
        write_document(done)
    else:
        screen = Screen()
        if done.sessions:
            show_due(screen, done.sessions)
        unnamed = done.warned + done.idled + done.archived - len(done.sessions)
        if unnamed:
            screen.line((f"and {unnamed:,} more", "dim"))
        screen.line(summary(done))
    show_failures(done)


@app.command()
def watch(
    every: Annotated[
        timedelta, typer.Option("--every", metavar="LENGTH", parser=duration, help="The interval between two sweeps.")
    ] = "60s",  # type: ignore[assignment]  # parsed, as if it were typed
    notify_exec: NotifyExec = None,
    actor: Actor = None,
    user: Owner = None,
    db: Database = None,
    prometheus_port: Annotated[
        int | None,
        typer.Option(
            "--prometheus",
            metavar="PORT",
            min=1,
            max=65535,
            help="Serve metrics for Prometheus, on localhost only.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines: one report on each line.")] = False,
) -> None:
    """Sweep at intervals until the process is stopped. Prints a line for each sweep that did something.

    A database that is away for a while is waited for. SIGTERM and Ctrl-C end it after the session that is being dealt
    with, with exit code 0 and 130; a second Ctrl-C ends it at once.
    """
    send = notifier(notify_exec)
    screen = Screen()

    def on_report(done: SweepReport) -> None:
        if done.sessions:
            if as_json:
                write_line(done)
            else:
                screen.line(f"{_second(done.now)} {summary(done)}")
            screen.flush()

    with opened(db) as whole:
        ledger = whole if user is None else whole.for_user(user)
        sweeper = ledger.sweeper(every, send=send, on_report=on_report, actor=actor)
        if prometheus_port is not None:
            serve_figures(whole, prometheus_port)
        if screen.is_terminal:
            Screen.errors().line((f"sweeping every {spelled(every)}, until Ctrl-C", "dim"))
        with _warnings_shown(), until_stopped(sweeper.stop) as stop_requests:
            sweeper.run()
    if signal.SIGINT in stop_requests:
        raise typer.Exit(INTERRUPTED)


def summary(done: SweepReport) -> str:
    """What a sweep did, in a few words."""
    acts = (
        ("warn", "warned", done.warned),
        ("mark idle", "marked idle", done.idled),
        ("archive", "archived", done.archived),
        ("interrupt abandoned streams:", "interrupted abandoned streams:", done.interrupted),
    )
    parts = [f"{would if done.dry_run else did} {number:,}" for would, did, number in acts if number]
    if done.failed:
        parts.append(f"{done.failed:,} failed")
    if not parts:
        return "no session is due"
    return ("would " if done.dry_run else "") + ", ".join(parts)


def show_failures(done: SweepReport) -> None:
    """The sessions that could not be dealt with, on standard error; then the command ends with 1."""
    for failure in done.failures[:_LISTED]:
        report(f"session {failure.session_id!r}: {failure.reason}")
    if done.failed > _LISTED:
        report(f"and {counted(done.failed - _LISTED, 'more failure')}")
    if done.failed:
        raise typer.Exit(FAILED)


class _Told(logging.Handler):
    """Warnings of the library as lines on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        facts = [getattr(record, name, None) for name in ("session_id", "limit", "at", "reason")]
        text = " · ".join([record.getMessage(), *(str(fact) for fact in facts if fact)])
        report(f"{_second(utc_now())} {text}")


@contextmanager
def _warnings_shown() -> Iterator[None]:
    handler = _Told(logging.WARNING)
    logger = logging.getLogger("chatledger")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _second(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")
