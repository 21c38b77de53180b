"""The application: every command under its name."""

from __future__ import annotations

from typing import Annotated

import typer

from chatledger import __version__
from chatledger.cli import (
    adopting,
    annotating,
    audit,
    batch,
    cleanup,
    comparing,
    comparing_live,
    database,
    demo,
    exporting,
    importing,
    lifecycle,
    messages,
    metadata,
    metrics,
    models,
    projects,
    query,
    reporting,
    retention,
    safekeeping,
    search,
    sessions,
    snapshots,
    stats,
    sweeping,
    timeouts,
    upkeep,
    workflows,
)
from chatledger.cli.failures import Commands

_TALK = "Conversations"
_LIFE = "Lifecycle"
_SAID = "Observations"
_WORK = "Work"
_FILES = "Files"
_TRIALS = "Experiments"
_SYSTEM = "The database"

app = typer.Typer(
    name="chatledger",
    cls=Commands,
    help="Keeps the conversations of LLM chats and agents in a database.",
    epilog="Start with `chatledger demo`.",
    no_args_is_help=True,
    add_completion=False,
    # Lines of a docstring flow together.
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chatledger {__version__}")
        raise typer.Exit


@app.callback()
def root(
    db: Annotated[
        str | None,
        typer.Option(
            "--db",
            metavar="URL",
            show_default=False,
            help="The database, here or behind the command: a file, or a URL. Else CHATLEDGER_URL, else chatledger.db.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """What stands before the command."""


app.command("demo", rich_help_panel=_SYSTEM)(demo.demo)
database.app.command("backup")(safekeeping.backup)
database.app.command("restore")(safekeeping.restore)
database.app.command("copy")(safekeeping.copy)
database.app.command("maintain")(upkeep.maintain)
database.app.command("health")(upkeep.health)

app.command("init", rich_help_panel=_SYSTEM)(database.init)
app.add_typer(database.app, name="db", rich_help_panel=_SYSTEM)

app.command("create", rich_help_panel=_TALK)(sessions.create)
app.command("add", rich_help_panel=_TALK)(messages.add)
app.command("query", rich_help_panel=_TALK)(query.query)
app.command("history", rich_help_panel=_TALK)(messages.history)
app.command("list", rich_help_panel=_TALK)(sessions.list_)
app.command("search", rich_help_panel=_TALK)(search.search)
app.command("stats", rich_help_panel=_TALK)(stats.stats)
app.command("fork", rich_help_panel=_TALK)(sessions.fork)
app.command("delete", rich_help_panel=_TALK)(sessions.delete)
app.add_typer(metadata.app, name="metadata", rich_help_panel=_TALK)

app.add_typer(projects.app, name="project", rich_help_panel=_SYSTEM)
app.add_typer(models.app, name="model", rich_help_panel=_SYSTEM)
app.command("annotate", rich_help_panel=_SAID)(annotating.annotate)
app.add_typer(annotating.app, name="annotation", rich_help_panel=_SAID)
app.add_typer(metrics.app, name="metric", rich_help_panel=_SAID)

app.command("pause", rich_help_panel=_LIFE)(lifecycle.pause)
app.command("resume", rich_help_panel=_LIFE)(lifecycle.resume)
app.command("archive", rich_help_panel=_LIFE)(lifecycle.archive)
app.command("expire", rich_help_panel=_LIFE)(lifecycle.expire)
app.command("fail", rich_help_panel=_LIFE)(lifecycle.fail)
app.command("reopen", rich_help_panel=_LIFE)(lifecycle.reopen)
app.command("hold", rich_help_panel=_LIFE)(lifecycle.hold)
app.command("release", rich_help_panel=_LIFE)(lifecycle.release)
app.add_typer(snapshots.app, name="snapshot", rich_help_panel=_LIFE)
timeouts.app.command("sweep")(sweeping.sweep)
timeouts.app.command("watch")(sweeping.watch)
app.add_typer(timeouts.app, name="timeouts", rich_help_panel=_LIFE)
app.command("purge", rich_help_panel=_LIFE)(retention.purge)
app.command("erase-user", rich_help_panel=_LIFE)(retention.erase_user)
app.command("cleanup", rich_help_panel=_LIFE)(cleanup.cleanup)
app.command("audit", rich_help_panel=_LIFE)(audit.audit)

comparing.app.command("run")(comparing_live.run)
comparing.app.command("vote")(comparing_live.vote)
app.add_typer(comparing.app, name="compare", rich_help_panel=_TRIALS)
app.add_typer(workflows.app, name="workflow", rich_help_panel=_WORK)

app.command("import", rich_help_panel=_FILES)(importing.import_)
app.command("adopt", rich_help_panel=_FILES)(adopting.adopt)
app.command("export", rich_help_panel=_FILES)(exporting.export)
app.command("report", rich_help_panel=_FILES)(reporting.report)

app.add_typer(batch.app, name="batch", rich_help_panel=_TALK)

# The names that scripts around older chat stores call.
app.command("chat-init", hidden=True)(sessions.create)
app.command("chat-history", hidden=True)(messages.history)
app.command("chat-cleanup", hidden=True)(cleanup.cleanup)
