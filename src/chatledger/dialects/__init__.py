"""The one place that knows a database. `dialect_of(url)` gives the object that answers for it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from chatledger.dialects.base import Dialect
from chatledger.dialects.encoding import check_text
from chatledger.dialects.postgresql.url import move_hosts
from chatledger.errors import InvalidInput


def parse_url(url: str | Path | URL) -> URL:
    """A database URL. A bare path is a SQLite file."""
    parsed = _parsed(url)
    # Also what is escaped in it (%00). A lone surrogate is how Python shows a name that is not UTF-8.
    for part in (parsed.database, parsed.host, parsed.username):
        check_text(part or "", "url")
    return parsed


def _parsed(url: str | Path | URL) -> URL:
    if isinstance(url, URL):
        return url
    if isinstance(url, Path):
        return URL.create("sqlite", database=str(url))
    if not url or type(url) is not str:
        raise InvalidInput("url", "must be a database URL or the path of a file")
    if "\x00" in url:
        raise InvalidInput("url", "holds a NUL character")
    if "://" not in url:
        return URL.create("sqlite", database=url)
    _, _, query = url.rpartition("@")[2].partition("?")  # a password may have one
    if query and not all("=" in part for part in query.split("&")):
        raise InvalidInput("url", "has a question mark and no name=value after it: write %3F for one in a name")
    url = move_hosts(url)
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise InvalidInput("url", "is not a database URL: sqlite:///chat.db or postgresql://host/name") from None


@cache
def dialect_of(name: str) -> Dialect:
    """The dialect of a backend's name, such as that of `URL.get_backend_name()`.

    Raises:
        InvalidInput: no such database is supported.
    """
    if name == "sqlite":
        from chatledger.dialects.sqlite.dialect import SQLite  # noqa: PLC0415 - only the database in use is loaded

        return SQLite()
    if name in ("postgresql", "postgres"):
        from chatledger.dialects.postgresql.dialect import PostgreSQL  # noqa: PLC0415

        return PostgreSQL()
    raise InvalidInput("url", f"{name} is not supported: use sqlite:///… or postgresql://…")
