"""Databases that are filled once for a whole run, and copied for each test that wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from tests.support import sqlite
from tests.support.postgres import Server, unique_name

Fill = Callable[[str], object]
"""Fills the migrated database of a URL, and leaves no connection open."""


class Copy(Protocol):
    """`copied(fill)` is the URL of a database like one that `fill` has filled."""

    def __call__(self, fill: Fill, /) -> str: ...


class Templates:
    """One filled database for each function that fills, on one backend. A copy costs a tenth of filling again."""

    def __init__(self, make: Callable[[Fill], str]) -> None:
        self._make = make
        self._made: dict[Fill, str] = {}

    def __call__(self, fill: Fill) -> str:
        if fill not in self._made:
            self._made[fill] = self._make(fill)
        return self._made[fill]


def of_files(empty: Path, folder: Path) -> Templates:
    """Templates that begin as copies of a migrated file; each is the path of a file."""

    def make(fill: Fill) -> str:
        path = folder / f"{len(list(folder.iterdir()))}.db"
        fill(sqlite.copy(empty, path))
        return str(path)

    return Templates(make)


@contextmanager
def of_databases(server: Server, empty: str) -> Iterator[Templates]:
    """Templates that begin as copies of a migrated database; each is the name of a database."""
    with ExitStack() as stack:

        def make(fill: Fill) -> str:
            name = unique_name("template")
            stack.callback(server.drop, name)
            fill(server.create(name, template=empty))
            return name

        yield Templates(make)
