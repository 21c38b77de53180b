"""The application: every command under its name, imported when it is called."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any, Literal, NamedTuple

import typer
from typer.main import get_command

from chatledger import __version__
from chatledger.cli.errors import Commands

_TALK = "Conversations"
_LIFE = "Lifecycle"
_SAID = "Observations"
_WORK = "Work"
_FILES = "Files"
_TRIALS = "Experiments"
_SYSTEM = "The database"


class _Entry(NamedTuple):
    """A command (a function) or a group of them (a `typer.Typer`), by its module in this package and its name there."""

    module: str
    name: str
    panel: str | None


_ENTRIES = {
    "demo": _Entry("demo.demo", "demo", _SYSTEM),
    "init": _Entry("database.database", "init", _SYSTEM),
    "create": _Entry("sessions.sessions", "create", _TALK),
    "add": _Entry("sessions.messages", "add", _TALK),
    "query": _Entry("sessions.query", "query", _TALK),
    "history": _Entry("sessions.messages", "history", _TALK),
    "tail": _Entry("sessions.tail", "tail", _TALK),
    "list": _Entry("sessions.sessions", "list_", _TALK),
    "search": _Entry("sessions.search", "search", _TALK),
    "stats": _Entry("observations.stats", "stats", _TALK),
    "fork": _Entry("sessions.sessions", "fork", _TALK),
    "delete": _Entry("sessions.sessions", "delete", _TALK),
    "annotate": _Entry("observations.annotations", "annotate", _SAID),
    "pause": _Entry("sessions.lifecycle", "pause", _LIFE),
    "resume": _Entry("sessions.lifecycle", "resume", _LIFE),
    "archive": _Entry("sessions.lifecycle", "archive", _LIFE),
    "expire": _Entry("sessions.lifecycle", "expire", _LIFE),
    "fail": _Entry("sessions.lifecycle", "fail", _LIFE),
    "reopen": _Entry("sessions.lifecycle", "reopen", _LIFE),
    "hold": _Entry("sessions.lifecycle", "hold", _LIFE),
    "release": _Entry("sessions.lifecycle", "release", _LIFE),
    "purge": _Entry("retention.deletion", "purge", _LIFE),
    "erase-user": _Entry("retention.deletion", "erase_user", _LIFE),
    "cleanup": _Entry("retention.cleanup", "cleanup", _LIFE),
    "audit": _Entry("retention.audit", "audit", _LIFE),
    "import": _Entry("files.import_files", "import_", _FILES),
    "adopt": _Entry("files.adopt", "adopt", _FILES),
    "export": _Entry("files.export", "export", _FILES),
    "report": _Entry("files.report", "report", _FILES),
    "serve": _Entry("serving.serve", "serve", _FILES),
    "open": _Entry("serving.open_page", "open_", _FILES),
    "mcp": _Entry("serving.mcp", "mcp", _FILES),
    # The names that scripts around older chat stores call; not shown.
    "chat-init": _Entry("sessions.sessions", "create", None),
    "chat-history": _Entry("sessions.messages", "history", None),
    "chat-cleanup": _Entry("retention.cleanup", "cleanup", None),
    # Groups.
    "db": _Entry("database.database", "app", _SYSTEM),
    "session": _Entry("sessions.session", "app", _TALK),
    "message": _Entry("sessions.message", "app", _TALK),
    "metadata": _Entry("sessions.metadata", "app", _TALK),
    "state": _Entry("sessions.state", "app", _TALK),
    "project": _Entry("registry.projects", "app", _SYSTEM),
    "model": _Entry("registry.models", "app", _SYSTEM),
    "annotation": _Entry("observations.annotations", "app", _SAID),
    "metric": _Entry("observations.metrics", "app", _SAID),
    "snapshot": _Entry("sessions.snapshots", "app", _LIFE),
    "timeouts": _Entry("timeouts.sweep", "app", _LIFE),
    "compare": _Entry("comparisons.commands", "app", _TRIALS),
    "workflow": _Entry("workflows.workflow", "app", _WORK),
    "batch": _Entry("batches.batch", "app", _TALK),
}


class _LazyCommands(MutableMapping[str, Any]):
    """Commands by name, each imported when it is asked for: all of them would be a second at every start."""

    # Any: the class of a command depends on the release of typer.

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            self._built[name] = _build(name, _ENTRIES[name])
        return self._built[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._built[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError("the commands are fixed")

    def __iter__(self) -> Iterator[str]:
        return iter(_ENTRIES)

    def __len__(self) -> int:
        return len(_ENTRIES)


def _build(name: str, entry: _Entry) -> Any:
    found = getattr(import_module(f"chatledger.cli.{entry.module}"), entry.name)
    parent = typer.Typer(add_completion=False, rich_markup_mode=_MARKUP, context_settings=_CONTEXT)
    # With a callback, a single command stays one of a group.
    parent.callback()(lambda: None)
    if isinstance(found, typer.Typer):
        parent.add_typer(found, name=name, rich_help_panel=entry.panel)
    else:
        parent.command(name, rich_help_panel=entry.panel, hidden=entry.panel is None)(found)
    group: Any = get_command(parent)
    return group.commands[name]


class _Application(Commands):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _LazyCommands()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        return list(self.commands)


# Words that options had before, or that other programs use, by the one that they have.
_SAME = {
    "user": "user-id", "of-user": "user-id", "session": "session-id", "tz": "timezone", "force": "overwrite",
    "parallel": "concurrency",
}  # fmt: skip


def _one_word(name: str) -> str:
    return _SAME.get(name, name)


_CONTEXT = {"help_option_names": ["-h", "--help"], "token_normalize_func": _one_word}
# Lines of a docstring flow together.
_MARKUP: Literal["markdown"] = "markdown"

app = typer.Typer(
    name="chatledger",
    cls=_Application,
    help="Keeps the conversations of LLM chats and agents in a database.",
    epilog="Start with `chatledger demo`.",
    no_args_is_help=True,
    rich_markup_mode=_MARKUP,
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
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
            help="The database: a file or a URL. By default, CHATLEDGER_URL or chatledger.db.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What stands before the command."""
