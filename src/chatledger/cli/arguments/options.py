"""The options that several commands share, and how what is typed becomes a value."""

from __future__ import annotations

import getpass
import json
import shlex
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.times import TIME_HELP, moment
from chatledger.errors import InvalidInput
from chatledger.schemas.fields import acting

_WHERE = "Where"
_WHO = "For the audit log"

ENVIRONMENT_ACTOR = "CHATLEDGER_ACTOR"


def _own_or_root(ctx: typer.Context, value: str | None) -> str | None:
    if value == "":
        raise typer.BadParameter("is empty: name a file or a URL")
    return value if value is not None else ctx.find_root().params.get("db")


def _named_or_login(value: str | None) -> str | None:
    """Who is at the keyboard, where nobody is named. A login name that cannot be stored is none."""
    if value is not None:
        return value
    try:
        return acting(getpass.getuser())
    except (ImportError, KeyError, OSError, InvalidInput):
        return None


def pairs(typed: Iterable[str] | None, option: str = "--metadata") -> dict[str, Any]:
    """KEY=VALUE options as a dict. A value that is JSON is that JSON; anything else is text."""
    found: dict[str, Any] = {}
    for pair in typed or ():
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise typer.BadParameter("is not KEY=VALUE", param_hint=f"'{option}'")
        found[key] = json_or_text(value)
    return found


def json_or_text(typed: str) -> Any:
    """A JSON value where the text is one, else the text itself."""
    try:
        return json.loads(typed, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return typed


def json_value(typed: str | None, option: str) -> Any:
    """A JSON value; anything else is misuse."""
    if typed is None:
        return None
    try:
        return json.loads(typed, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise typer.BadParameter("is not JSON", param_hint=f"'{option}'") from None


def words(typed: str, option: str) -> list[str]:
    """The words of a command that is run without a shell."""
    try:
        found = shlex.split(typed)
    except ValueError as error:
        raise typer.BadParameter(f"cannot be read ({error})", param_hint=f"'{option}'") from None
    if not found:
        raise typer.BadParameter("is empty", param_hint=f"'{option}'")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        callback=_own_or_root,
        help="The database: a file or a URL. By default, CHATLEDGER_URL or chatledger.db.",
        show_default=False,
        rich_help_panel=_WHERE,
    ),
]
Owner = Annotated[
    str | None,
    typer.Option("--user-id", metavar="USER", help="Only the sessions of this user.", rich_help_panel=_WHERE),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SessionId = Annotated[str, typer.Argument(metavar="SESSION_ID", show_default=False)]
Project = Annotated[str | None, typer.Option("--project", metavar="PROJECT", help="Only this project.")]
ModelFilter = Annotated[str | None, typer.Option("--model", metavar="MODEL", help="Only this model.")]
Metadata = Annotated[
    list[str] | None,
    typer.Option(
        "--metadata", "-m", metavar="KEY=VALUE", help="A value that is valid JSON is stored as JSON. May be repeated."
    ),
]
IncludeCopies = Annotated[
    bool,
    typer.Option("--include-copies", help="Also copies of messages in forks and imported branches."),
]
Since = Annotated[
    datetime | None,
    typer.Option("--since", metavar="TIME", parser=moment, help=f"From this time on: {TIME_HELP}"),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", metavar="TIME", parser=moment, help="Before this time, written as for --since."),
]
Cursor = Annotated[
    str | None, typer.Option("--cursor", metavar="CURSOR", help="The cursor that the previous page returned.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Confirm.")]
Actor = Annotated[
    str | None,
    typer.Option(
        "--actor",
        metavar="NAME",
        envvar=ENVIRONMENT_ACTOR,
        show_envvar=False,
        callback=_named_or_login,
        help=f"Who makes the change. By default, {ENVIRONMENT_ACTOR} or your login name.",
        show_default=False,
        rich_help_panel=_WHO,
    ),
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why the change is made.", rich_help_panel=_WHO)
]
Rehearse = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]
"""Files hold what was said: they are their owner's only, and take nobody's place unasked."""
