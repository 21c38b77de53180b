"""Opening the ledger that a command is about."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from chatledger.cli.errors import report
from chatledger.dialects import dialect_of, parse_url
from chatledger.errors import Unavailable
from chatledger.ledger.ledger import Ledger, chosen_settings
from chatledger.ledger.user_ledger import UserLedger
from chatledger.settings import DEFAULT_URL, ENVIRONMENT_READER, ENVIRONMENT_URL, Settings

Migrate = Literal["empty", "always", "never"]


def url_of(db: str | None) -> str:
    """What `--db` says, else the environment, else a file here."""
    return db or os.environ.get(ENVIRONMENT_URL) or DEFAULT_URL


def file_of(db: str | None) -> Path | None:
    """The file of a ledger that lies in one, which is the kind that a bare path names."""
    url = parse_url(url_of(db))
    return dialect_of(url.get_backend_name()).file(url)


@contextmanager
def opened(db: str | None, *, new: bool = False, migrate: Migrate = "empty") -> Iterator[Ledger]:
    """The ledger of a command. Only those that begin something (`new`) make a file where there is none.

    Raises:
        Unavailable: there is no such file; a slip in a path must not look like an empty ledger.
        NotALedger: the database on a server is empty.
    """
    path = file_of(db)
    missing = path is not None and not path.exists()
    if missing and not new:
        raise Unavailable(
            f"no ledger at {str(path)!r}: run `chatledger init`, or name another with --db or {ENVIRONMENT_URL}"
        )
    # On a server, too, a reading command must not turn an empty database into a ledger.
    create = new or migrate != "empty"
    # The reader belongs to the database of the environment, and not to another one that is named.
    reader = os.environ.get(ENVIRONMENT_READER) if not db and os.environ.get(ENVIRONMENT_URL) else None
    with Ledger(url_of(db), settings=_settings(), migrate=migrate, create=create, reader=reader or None) as ledger:
        if missing and sys.stderr.isatty():
            report(f"began a new ledger at {place_of(ledger, db)}")
        yield ledger


def _settings() -> Settings:
    """Those of a command. The environment says whether there is a pooler."""
    chosen = chosen_settings(None, None, None, None)
    return Settings.preset("cli", prepared_statements=chosen.prepared_statements)


@contextmanager
def opened_for(db: str | None, user: str | None, *, new: bool = False) -> Iterator[UserLedger]:
    """The same, as one user sees it."""
    with opened(db, new=new) as ledger:
        yield ledger if user is None else ledger.for_user(user)


def place_of(ledger: Ledger, db: str | None) -> str:
    """Where a ledger lies: its file in full, or its URL without the password."""
    path = file_of(db)
    return str(path.resolve()) if path else ledger.url
