"""Files that are named on the command line: each mistake has one sentence and exit code 1."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from chatledger.cli.errors import fail

STANDARD_INPUT = "-"
"""Standard input."""


_F = TypeVar("_F", str, Path)


def existing_file(typed: _F) -> _F:
    """A file to read. `-` passes where a command reads standard input, which is where it takes a `str`."""
    if typed == STANDARD_INPUT:
        return typed
    path = Path(typed)
    if path.is_dir():
        fail(f"{str(path)!r} is a folder, not a file")
    if not path.exists():
        fail(f"no file {str(path)!r}")
    return typed


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """A file to write, which replaces another one only where that was asked for."""
    if path.is_dir():
        fail(f"{str(path)!r} is a folder, not a file")
    if path.exists() and not path.is_file():
        fail(f"{str(path)!r} is not a file")
    if path.exists() and not overwrite:
        fail(f"{str(path)!r} exists: add --overwrite to replace it")
