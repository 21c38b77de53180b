"""How long something takes or may take, as it is typed (`1h30m`) and as it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import typer

_FORM = re.compile(r"(?:(\d{1,10})d)?(?:(\d{1,10})h)?(?:(\d{1,10})m)?(?:(\d{1,10})s)?", re.ASCII)
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
# What the limits of a session may be at most.
_LONGEST_DAYS = 36500

NONE = timedelta(0)
"""What `none` becomes where it may be written: the parser of an option cannot give None, which is no option at all."""


def age(typed: str | timedelta) -> timedelta:
    """A duration, which may be `0s`."""
    if isinstance(typed, timedelta):
        return typed
    found = _FORM.fullmatch(typed.strip().lower())
    if found is None or not any(found.groups()):
        raise typer.BadParameter("is not a duration: write 90s, 5m, 1h30m or 2d")
    seconds = sum(int(number or 0) * unit for number, unit in zip(found.groups(), _UNITS.values(), strict=True))
    if seconds > _LONGEST_DAYS * _UNITS["d"]:
        raise typer.BadParameter(f"is longer than {_LONGEST_DAYS} days")
    return timedelta(seconds=seconds)


def duration(typed: str | timedelta) -> timedelta:
    """A duration that lasts."""
    lasting = age(typed)
    if not lasting:
        raise typer.BadParameter("must be longer than nothing: write 90s, 5m, 1h30m or 2d")
    return lasting


def limit(typed: str | timedelta) -> timedelta:
    """A limit: a duration that lasts, or `NONE` for none."""
    if isinstance(typed, str) and typed.strip().lower() == "none":
        return NONE
    found = age(typed)
    if not found:
        raise typer.BadParameter("must be longer than nothing: write 90s, 5m, 1h30m or 2d, or none for no limit")
    return found


def lead(typed: str | timedelta) -> timedelta:
    """How long before something: a duration, or `NONE` for not at all."""
    return NONE if isinstance(typed, str) and typed.strip().lower() == "none" else age(typed)


def spelled(length: timedelta) -> str:
    """A duration as it would be typed."""
    rest = round(length.total_seconds())
    parts = []
    for letter, unit in _UNITS.items():
        number, rest = divmod(rest, unit)
        if number:
            parts.append(f"{number}{letter}")
    return "".join(parts) or "0s"


def _option(name: str, parser: Callable[[str | timedelta], timedelta], help: str) -> Any:
    return typer.Option(name, metavar="LENGTH", parser=parser, help=help, rich_help_panel="Limits")


_IDLE = "Mark it idle after this time without activity (90s, 5m, 1h30m, 2d)."
_ARCHIVE = "Archive it after this time without activity."
_HARD = "Archive it this long after it was created, whatever happens in it."

Idle = Annotated[timedelta | None, _option("--idle", limit, f"{_IDLE} Or none.")]
"""The limits of a session that is there, or of many: `none` is one too."""
ArchiveAfter = Annotated[timedelta | None, _option("--archive-after", limit, _ARCHIVE)]
Hard = Annotated[timedelta | None, _option("--hard", limit, _HARD)]
WarnBefore = Annotated[
    timedelta | None,
    _option("--warn-before", lead, "So long before a limit a warning is sent; five minutes where nothing is said."),
]
NewIdle = Annotated[timedelta | None, _option("--idle", duration, _IDLE)]
"""Those of a new session."""
NewArchiveAfter = Annotated[timedelta | None, _option("--archive-after", duration, _ARCHIVE)]
NewHard = Annotated[timedelta | None, _option("--hard", duration, _HARD)]
