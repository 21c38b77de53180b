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
    "demo": _Entry("demo", "demo", _SYSTEM),
    "init": _Entry("database", "init", _SYSTEM),
    "create": _Entry("sessions", "create", _TALK),
    "add": _Entry("messages", "add", _TALK),
    "query": _Entry("query", "query", _TALK),
    "history": _Entry("messages", "history", _TALK),
    "list": _Entry("sessions", "list_", _TALK),
    "search": _Entry("search", "search", _TALK),
    "stats": _Entry("stats", "stats", _TALK),
    "fork": _Entry("sessions", "fork", _TALK),
    "delete": _Entry("sessions", "delete", _TALK),
    "annotate": _Entry("annotations", "annotate", _SAID),
    "pause": _Entry("lifecycle", "pause", _LIFE),
    "resume": _Entry("lifecycle", "resume", _LIFE),
    "archive": _Entry("lifecycle", "archive", _LIFE),
    "expire": _Entry("lifecycle", "expire", _LIFE),
    "fail": _Entry("lifecycle", "fail", _LIFE),
    "reopen": _Entry("lifecycle", "reopen", _LIFE),
    "hold": _Entry("lifecycle", "hold", _LIFE),
    "release": _Entry("lifecycle", "release", _LIFE),
    "purge": _Entry("retention", "purge", _LIFE),
    "erase-user": _Entry("retention", "erase_user", _LIFE),
    "cleanup": _Entry("cleanup", "cleanup", _LIFE),
    "audit": _Entry("audit", "audit", _LIFE),
    "import": _Entry("import_files", "import_", _FILES),
    "adopt": _Entry("adopt", "adopt", _FILES),
    "export": _Entry("export", "export", _FILES),
    "report": _Entry("report", "report", _FILES),
    # The names that scripts around older chat stores call; not shown.
    "chat-init": _Entry("sessions", "create", None),
    "chat-history": _Entry("messages", "history", None),
    "chat-cleanup": _Entry("cleanup", "cleanup", None),
    # Groups.
    "db": _Entry("database", "app", _SYSTEM),
    "metadata": _Entry("metadata", "app", _TALK),
    "project": _Entry("projects", "app", _SYSTEM),
    "model": _Entry("models", "app", _SYSTEM),
    "annotation": _Entry("annotations", "app", _SAID),
    "metric": _Entry("metrics", "app", _SAID),
    "snapshot": _Entry("snapshots", "app", _LIFE),
    "timeouts": _Entry("sweep", "app", _LIFE),
    "compare": _Entry("comparison_runs", "app", _TRIALS),
    "workflow": _Entry("workflows", "app", _WORK),
    "batch": _Entry("batch", "app", _TALK),
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


_CONTEXT = {"help_option_names": ["-h", "--help"]}
# Lines of a docstring flow together.
_MARKUP: Literal["markdown"] = "markdown"

app = typer.Typer(
    name="chatledger",
    cls=_Application,
    help="Keeps the conversations of LLM chats and agents in a database.",
    epilog="Start with `chatledger demo`.",
    no_args_is_help=True,
    add_completion=False,
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
            help="The database, here or behind the command: a file, or a URL. Else CHATLEDGER_URL, else chatledger.db.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """What stands before the command."""
